#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Checks what a reader of this tree may rely on and a compiler does not look at.

    tools/check_tree.py [--root DIR]             sources, sizes, words, the map of docs/design.md
    tools/check_tree.py --objects build/release  the same, and the object files of that build

Prints one line a breach and exits 1 if there is any. Each rule is shown to bite by
tests/tools/check_tree_test.py, which breaks a small tree on purpose. Plain Python, no packages.
"""
import argparse
import pathlib
import re
import subprocess
import sys

# --- who may include whom ---------------------------------------------------------------------
# Longest matching beginning of the path wins; the patterns are what its quoted includes may name.
# The reasons are in docs/design.md, "Who knows whom". A room without a row is a breach.
LAYERS = {
    "include/": ["januspro/**"],
    "src/base/": ["base/**", "januspro/error.hpp"],
    "src/io/": ["base/**", "io/**", "januspro/image.hpp", "januspro/error.hpp"],
    "src/kernels/": ["base/**", "kernels/**"],
    "src/kernels/ref/": ["base/**", "kernels/*.h", "kernels/ref/**"],
    "src/kernels/cpu/": ["base/**", "kernels/*.h", "kernels/cpu/**"],
    "src/kernels/cpu/isa_": ["kernels/cpu/table.h", "kernels/cpu/tile.h", "kernels/cpu/*.inl"],
    "src/model/": ["base/**", "io/**", "kernels/backend.h", "kernels/panels.h", "kernels/weight.h",
                   "model/**"],
    "src/generate/": ["base/**", "io/**", "kernels/backend.h", "model/**", "generate/**",
                      "januspro/requests.hpp"],
    "src/generate/prompt.": ["base/**", "io/**", "generate/prompt.h"],
    "src/api/": ["base/**", "io/**", "kernels/open.h", "model/**", "generate/**", "api/**", "januspro/**"],
    "src/world/": ["base/**", "io/**", "world/**"],
    "src/hub/": ["base/**", "io/**", "hub/**"],
    "src/serve/": ["base/**", "io/**", "januspro/**", "serve/**"],
    "src/train/": ["base/**", "io/**", "world/**", "model/config*.h", "model/parts.h", "generate/prompt.h", "train/**"],
    "src/train/model_files.": ["model/*.h", "train/**"],
    "src/train/memory.": ["base/**", "model/weight_names.h", "train/**"],
    "src/train/start.": ["base/**", "io/**", "model/*.h", "train/**"],
    "src/train/rows.": ["base/**", "model/checkpoint.h", "generate/load.h", "train/**"],
    "src/apps/serve.": ["base/**", "serve/options.h", "januspro/**", "apps/**"],
    "src/apps/": ["base/**", "io/**", "kernels/*.h", "model/**", "world/**", "hub/**", "januspro/**", "apps/**"],
    "src/apps/convert.": ["base/**", "io/**", "kernels/*.h", "model/**", "generate/**", "hub/**", "januspro/**", "apps/**"],
    "src/apps/info.": ["base/**", "io/**", "kernels/*.h", "model/**", "generate/**", "januspro/**", "apps/**"],
    "src/apps/trace.": ["base/**", "io/**", "kernels/*.h", "model/**", "generate/**", "januspro/**", "apps/**"],
    "src/apps/bench.": ["base/**", "io/**", "kernels/*.h", "model/**", "generate/**", "januspro/**", "apps/**"],
    "src/apps/bench_": ["base/**", "io/**", "kernels/*.h", "model/**", "generate/**", "januspro/**", "apps/**"],
    "src/apps/bench_quality.": ["base/**", "io/**", "kernels/*.h", "model/**", "generate/**", "world/**", "januspro/**", "apps/**"],
    "src/apps/januspro_train": ["base/**", "io/**", "world/**", "train/**", "apps/**"],
}

# Headers in angle brackets that are not the C++ standard's, and which sources may use them.
LIBRARIES = [
    (r"png\.h|jpeglib\.h|jerror\.h|zlib\.h|gif_lib\.h|webp/.*", ["src/io/**"]),
    (r"nlohmann/.*", ["src/io/**", "src/model/**", "src/world/**", "src/hub/**", "src/train/**",
                       "src/serve/**", "src/apps/**"]),
    (r"boost/.*", ["src/serve/http.cc", "src/serve/connection*"]),
    (r"sqlite3\.h", ["src/serve/jobs/sqlite.*"]),
    (r"libpq-fe\.h", ["src/serve/jobs/postgres.*"]),
    (r"curl/.*", ["src/hub/**", "src/serve/fetch.*"]),
    (r"CLI/.*", ["src/apps/**"]),
    (r"histedit\.h", ["src/apps/line_reader.*"]),
    (r"toml\+\+/.*|toml\.hpp", ["src/train/**", "src/apps/januspro_train*"]),
    (r"torch/.*|ATen/.*|c10/.*", ["src/train/**"]),
    (r"immintrin\.h", ["src/kernels/cpu/isa_*", "src/kernels/cpu/*.inl", "src/kernels/cpu/tile.h"]),
    (r"cpuid\.h|immintrin\.h", ["src/base/cpu.*"]),
    (r"malloc\.h", ["src/base/heap.*"]),
    (r"std(def|int)\.h", ["include/januspro/januspro.h"]),  # which is C
    # The operating system: memory and processors, files, the terminal.
    (r"(unistd|fcntl|fnmatch|sched|signal|termios|poll|pthread)\.h|(sys|linux|arpa|netinet)/.*", ["src/base/**", "src/io/**", "src/hub/**", "src/train/**", "src/serve/http.cc", "src/serve/metrics.cc", "src/serve/jobs/sqlite.cc", "src/serve/jobs/postgres.cc", "src/serve/fetch.*",
        "src/apps/**"]),
]

# --- what the library never does --------------------------------------------------------------
PROGRAMS = "src/apps/**"
CALLS = [
    (r"\bstd::(cout|cerr|clog)\b|\b(f|v|vf)?printf\s*\(|\bf?puts\s*\(", [PROGRAMS],
     "the library never prints; report through base/log.h"),
    (r"\b(std::)?(_?exit|quick_exit|abort|terminate)\s*\(", [PROGRAMS],
     "the library never ends the process; throw through base/error.h"),
    (r"(?<![\w_])assert\s*\(|<cassert>", [], "an assertion aborts; use check() of base/error.h"),
    (r"\bgetenv\s*\(", [PROGRAMS, "src/base/cpu.*"], "the environment is read in base/cpu and programs"),
    (r"#\s*pragma\s+omp", [], "no OpenMP: base/threads.h is the one way to use several processors"),
    (r"\bstd::(thread|jthread|async)\b(?!::)", [PROGRAMS, "src/base/threads.*", "src/api/scheduler.*", "src/train/**"],
     "threads are made in base/threads, which computes, and api/scheduler, which runs requests"),
    (r"\bstd::(mt19937|random_device|\w+_distribution)\b|\brand\s*\(", [PROGRAMS],
     "random numbers come from base/rng.h, so that they are the same everywhere"),
]

# --- sizes ------------------------------------------------------------------------------------
SIZED = ("src/", "include/", "tests/", "bench/", "tools/", "script/", "cmake/")
SOURCE = {".h", ".hpp", ".c", ".cc", ".inl"}
FILE_LINES = 500
FUNCTION_LINES = 60

# --- words ------------------------------------------------------------------------------------
# The project speaks of itself alone, and of what is there rather than of what is to come.
CODE = SOURCE | {".py", ".md", ".cmake", ".sh", ".txt", ".json", ""}
WORDS = [
    (r"(?<![\w.$}>\"'-])/(?:work|root|home|Users)/", "an absolute path of somebody's machine"),
    (r"\.\./shared\b", "a path outside the tree"),
    (r"\b[Ii]ssue #?\d", "a number that means nothing outside a tracker"),
    (r"(?i)\bsub-?agents?\b|\bthis session\b", "how the work was organised"),
    (r"\b(?:TO" r"DO|FIX" r"ME|X" r"XX|HA" r"CK)\b", "unfinished work: finish it or leave it out"),
]
# Data that is not prose: test vectors, tables of tokens.
NOT_PROSE = ["tests/golden/**", "tests/fuzz/**", "models/**"]

# --- objects ----------------------------------------------------------------------------------
# Variables that outlive a call, each with the reason it may. Function-local ones count.
MUTABLE_ALLOWED = {
    "base/buffer.cc": {
        r"janus::\(anonymous namespace\)::allocation_count\(\)::count":
            "per-thread count of allocations, read by the test that a step allocates nothing",
    },
    "api/c/guard.cc": {
        r"(guard variable for )?janus::c::\(anonymous namespace\)::last_text\(\)::text|__tls_guard":
            "a thread's own text for januspro_last_error(), as C has errno",
    },
}
# Where an unwinder finds the personality routine; statics in the headers of Boost.
NOT_VARIABLES = r"DW\.ref\.|(guard variable for )?boost::"


def tree_files(root):
    """Every file of the project, as posix paths below root."""
    if (root / ".git").exists():
        out = subprocess.run(["git", "-C", str(root), "ls-files", "-coz", "--exclude-standard"],
                             check=True, capture_output=True, text=True).stdout
        names = [n for n in out.split("\0") if n]
    else:
        names = [p.relative_to(root).as_posix() for p in root.rglob("*") if p.is_file()]
        names = [n for n in names if not n.startswith("build/") and "__pycache__" not in n]
    return sorted(n for n in names if (root / n).is_file())


def matches(path, patterns):
    """* stays inside one folder, ** does not."""
    to_regex = lambda p: re.escape(p).replace(r"\*\*", ".*").replace(r"\*", "[^/]*")
    return any(re.fullmatch(to_regex(p), path) for p in patterns)


def is_source(path):
    return pathlib.PurePosixPath(path).suffix in SOURCE


def read(root, path):
    return (root / path).read_text(encoding="utf-8", errors="replace")


def code_only(line):
    """The line without string literals and the comment at its end."""
    return re.sub(r"//.*", "", re.sub(r'"(?:\\.|[^"\\])*"', '""', line))


def check_includes(root, files):
    known = set(files)
    for path in files:
        if not path.startswith(("src/", "include/")) or not is_source(path):
            continue
        rows = [p for p in LAYERS if path.startswith(p)]
        if not rows:
            yield f"{path}: a room without a row in LAYERS of tools/check_tree.py"
            continue
        allowed = LAYERS[max(rows, key=len)]
        for number, line in enumerate(read(root, path).splitlines(), 1):
            found = re.match(r'\s*#\s*include\s*(["<])([^">]+)[">]', line)
            if not found:
                continue
            kind, name = found.groups()
            if kind == "<" and not name.startswith("januspro/"):
                yield from check_library(path, number, name)
            elif not matches(name, allowed):
                yield f"{path}:{number}: may not include {name}; allowed: {' '.join(allowed)}"
            elif f"src/{name}" not in known and f"include/{name}" not in known:
                yield f"{path}:{number}: {name} is not there; include from src/ or include/"


def check_library(path, number, name):
    rows = [allowed for pattern, allowed in LIBRARIES if re.fullmatch(pattern, name)]
    if not rows and re.fullmatch(r"[a-z_0-9]+", name):
        return  # the C++ standard library
    if not any(matches(path, allowed) for allowed in rows):
        yield f"{path}:{number}: <{name}> is not for this room"


def check_calls(root, files):
    for path in files:
        if not path.startswith(("src/", "include/")) or not is_source(path):
            continue
        for number, line in enumerate(read(root, path).splitlines(), 1):
            for pattern, allowed, reason in CALLS:
                if re.search(pattern, code_only(line)) and not matches(path, allowed):
                    yield f"{path}:{number}: {reason}"


def check_headers(root, files):
    for path in files:
        if not is_source(path) or not path.startswith(SIZED):
            continue
        text = read(root, path)
        if not re.match(r"//|/\*", text):
            yield f"{path}:1: begins without a comment that says what the file is for"
        if "SPDX-License-Identifier: MIT" not in text[:2000]:
            yield f"{path}:1: no SPDX line"
        if path.endswith((".h", ".hpp")) and "extern \"C\"" not in text and "#pragma once" not in text:
            yield f"{path}:1: a header without #pragma once"


def check_sizes(root, files):
    for path in files:
        if not path.startswith(SIZED) or not (is_source(path) or path.endswith((".py", ".sh", ".cmake"))):
            continue
        lines = read(root, path).splitlines()
        if len(lines) > FILE_LINES:
            yield f"{path}: {len(lines)} lines; a file fits in the head with {FILE_LINES}"
        if is_source(path):
            yield from check_functions(path, lines)


def check_functions(path, lines):
    """clang-format puts a function's closing brace alone, under the first column of its head."""
    for indent in ("", "  "):
        head = 0
        for number, line in enumerate(lines, 1):
            if re.match(indent + r"[A-Za-z_~\[]", line) and not line.rstrip().endswith(":"):
                head = number
            elif line == indent + "}" and head:
                if number - head + 1 > FUNCTION_LINES:
                    yield f"{path}:{head}: a function of {number - head + 1} lines; at most {FUNCTION_LINES}"
                head = 0


def check_words(root, files):
    for path in files:
        name = pathlib.PurePosixPath(path)
        if name.suffix not in CODE or matches(path, NOT_PROSE):
            continue
        for number, line in enumerate(read(root, path).splitlines(), 1):
            for pattern, reason in WORDS:
                found = re.search(pattern, line)
                if found:
                    yield f"{path}:{number}: '{found.group()}': {reason}"


def expand(name):
    """a.{h,cc} -> a.h, a.cc"""
    found = re.fullmatch(r"(.*)\{([^{}]*)\}(.*)", name)
    return [found[1] + part + found[3] for part in found[2].split(",")] if found else [name]


def map_entries(text):
    """(line number, path) of everything in the block after the heading 'The map'.

    Two spaces of indentation a level; names apart by one space, then two or more and the
    explanation; a line indented further than four levels goes on explaining.
    """
    lines = text.splitlines()
    heading = next((i for i, l in enumerate(lines) if re.fullmatch(r"#+ The map", l.strip())), None)
    if heading is None:
        return
    start = next((i for i in range(heading, len(lines)) if lines[i].startswith("```")), len(lines))
    parents = []
    for number in range(start + 1, len(lines)):
        if lines[number].startswith("```"):
            return
        indent = len(lines[number]) - len(lines[number].lstrip(" "))
        if not lines[number].strip() or indent > 8:
            continue
        names = re.split(r"\s{2,}", lines[number].strip())[0].split(" ")
        parents = parents[:indent // 2]
        for name in names:
            for one in expand(name):
                yield number + 1, "/".join(parents + [one.rstrip("/")]) + ("/" if one.endswith("/") else "")
        parents.append(names[0].rstrip("/"))


def check_map(root, files):
    if "docs/design.md" not in files:
        yield "docs/design.md: missing; it holds the map of the tree"
        return
    entries = list(map_entries(read(root, "docs/design.md")))
    if not entries:
        yield "docs/design.md: no block after the heading 'The map'"
        return
    for number, path in entries:
        if not any(f.startswith(path) if path.endswith("/") else matches(f, [path]) for f in files):
            yield f"docs/design.md:{number}: {path} is in the map and not in the tree"
    listed = [path for _, path in entries]
    opened = {p for p in listed if p.endswith("/") and any(q != p and q.startswith(p) for q in listed)}
    plain = [p for p in listed if not p.endswith("/")]
    closed = tuple(p for p in listed if p.endswith("/") and p not in opened
                   and not p.startswith(("src/", "include/")))
    for path in files:
        if path.startswith("."):
            continue
        if not matches(path, plain) and not path.startswith(closed):
            yield f"docs/design.md: {path} is in the tree and not in the map"


def object_files(build):
    """(source path below src/, object) of everything compiled from src/."""
    for path in sorted(build.rglob("*.o")):
        found = re.search(r"(?:^|/)src/(?:.*/)?CMakeFiles/[^/]+\.dir/(.+)\.o$", path.as_posix())
        if found:
            yield found[1], path


def check_objects(root, files, build):
    objects = dict(object_files(build))
    compiled = {s for s in objects if f"src/{s}" in files}
    for path in files:
        if (path.startswith("src/") and path.endswith(".cc") and path[4:] not in compiled
                and not path.startswith(("src/train/", "src/apps/"))):
            yield f"{path}: no object in {build}; build it before checking"
    for source in sorted(compiled):
        if source.startswith("kernels/cpu/isa_"):
            yield from check_isa_object(source, objects[source])
        if not source.startswith(("train/", "apps/")):
            yield from check_variables(source, objects[source])


def run(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def check_isa_object(source, path):
    """One exported symbol and nothing weak: else the linker may hand an older processor a copy of
    a shared inline function that was compiled for a newer one."""
    exported = []
    for line in run("nm", "-C", "--defined-only", str(path)).splitlines():
        _, kind, name = line.split(" ", 2)
        if kind in "WwVvu":
            yield f"src/{source}: weak symbol {name} in a per-ISA object"
        elif kind.isupper() and kind != "N":
            exported.append(name)
    if len(exported) != 1:
        yield f"src/{source}: exports {len(exported)} symbols, must be one: {' '.join(exported)}"


def check_variables(source, path):
    """Nothing of ours outlives a call: no symbol in a section that the program may write to.
    .data.rel.ro is written by the dynamic linker only, before anything of ours runs."""
    for line in run("objdump", "-tC", str(path)).splitlines():
        found = re.match(r"[0-9a-f]+ (.{7}) (\S+)\t[0-9a-f]+ (.*)$", line)
        if not found or "d" in found[1]:
            continue
        section, name = found[2], found[3].strip().removeprefix(".hidden ")
        if not re.match(r"\.t?(data|bss)\b|\*COM\*", section) or section.startswith(".data.rel.ro"):
            continue
        allowed = [NOT_VARIABLES, *MUTABLE_ALLOWED.get(source, {})]
        if not any(re.match(pattern, name) for pattern in allowed):
            yield f"src/{source}: mutable global {name} in {section}"


def breaches(root, build=None):
    files = tree_files(root)
    for rule in (check_includes, check_calls, check_headers, check_sizes, check_words, check_map):
        yield from rule(root, files)
    if build:
        yield from check_objects(root, set(files), build)


def main():
    parser = argparse.ArgumentParser(description="checks layers, sizes, words, the map and objects")
    parser.add_argument("--root", type=pathlib.Path, default=pathlib.Path(__file__).resolve().parent.parent)
    parser.add_argument("--objects", type=pathlib.Path, metavar="BUILD", help="a release build's folder")
    arguments = parser.parse_args()
    found = list(breaches(arguments.root, arguments.objects))
    for line in found:
        print(line)
    print(f"check_tree: {len(found)} breaches" if found else "check_tree: clean")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
