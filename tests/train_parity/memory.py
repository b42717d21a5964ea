#!/usr/bin/env python3
"""What a training says it takes of memory, against what it takes: `memory.py FOLDER`.

Each case is a run of its own, of two steps, since a peak is never taken back: it must lie between
HALF and MOST of what was told. One that keeps the inputs of layers alone must take less and lose the
same. Then one that is allowed less than it takes is refused with a change of its recipe, and that
change is made and measured in turn. Prints a line a case. SPDX-License-Identifier: MIT
"""
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

PROGRAM = pathlib.Path(sys.argv[1]).resolve() / "januspro-train"
ROOT = pathlib.Path(__file__).resolve().parents[2]
HALF, MOST = 0.5, 1.15  # of what was told
UNITS = {"kB": 1e3, "MB": 1e6, "GB": 1e9}

SHORT = """
seed = 3
[schedule]
steps = 2
[checkpoint]
every = 9
[log]
every = 1
"""

LANGUAGE = SHORT + """
[model]
init = "%s"
[[data]]
path = "toyland/single"
task = "generate"
[[data]]
path = "toyland/short"
task = "understand"
[batch]
micro = 32
max_len = 192
"""

CODEC = SHORT + """
[model]
image = 96
[model.vq]
codes = 1024
code_width = 8
latent = 64
base = 32
multipliers = [1, 2, 2, 4]
blocks = 1
groups = 8
[[data]]
path = "toyland/few"
task = "reconstruct"
[batch]
micro = 16
"""

PAIRS = SHORT + """
[model]
init = "%s"
[preference]
beta = 0.1
[[data]]
path = "{folder}/pairs.jsonl"
format = "jsonl"
[batch]
micro = 16
max_len = 192
""" % (ROOT / "models" / "toyland")

TOYLAND = LANGUAGE % (ROOT / "models" / "toyland")
TINY = (LANGUAGE % (ROOT / "tests" / "golden" / "tiny-hf")).replace("micro = 32", "micro = 4")

CASES = [
    ("tiny", TINY, 2, []),
    ("language model", TOYLAND, 2, []),
    ("… on one core", TOYLAND, 1, []),
    ("… averaged, in two passes", TOYLAND, 2, ["optim.ema=0.99", "batch.accumulate=2"]),
    ("… packed", TOYLAND, 2, ["batch.pack=true", "batch.max_len=384", "batch.micro=16"]),
    ("… inputs of layers alone", TOYLAND, 2, ["batch.checkpoint=true"]),
    ("… in bf16", TOYLAND, 2, ["precision=bf16"]),
    ("adapter", TOYLAND, 2, ["lora.rank=16", "lora.targets=[\"model.language_model.*_proj\"]"]),
    ("… that drops", TOYLAND, 2, ["lora.rank=16", "lora.dropout=0.1"]),
    ("preferences", PAIRS, 2, []),
    ("… of an adapter", PAIRS, 2, ["lora.rank=16"]),
    ("codec", CODEC, 2, []),
]


def run(folder, recipe, threads, changes, *more):
    """-> exit status, what it said, its peak in bytes, the losses of its steps"""
    file = folder / "recipe.toml"
    file.write_text(recipe)
    out = folder / f"run-{len(list(folder.iterdir()))}"
    words = [word for change in changes for word in ("--set", change)]
    process = subprocess.Popen([PROGRAM, "run", file, "-o", out, "--threads", str(threads), *words, *more],
                               stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    said = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    losses = []
    if (out / "metrics.jsonl").exists():
        lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
        losses = [line["loss"] for line in lines if "loss" in line]
    return os.waitstatus_to_exitcode(status), said, usage.ru_maxrss * 1024, losses


def size(text):
    value, unit = text.split()
    return float(value) * UNITS[unit]


def told(said):
    return size(re.search(r"^memory ([\d.]+ [kMG]B)", said, re.M).group(1))


def write_pairs(path):
    codes = lambda first: [(first + 7 * i) % 1024 for i in range(144)]
    with open(path, "w") as file:
        for i in range(64):
            row = {"prompt": f"{i} balls and one star that is red", "target_codes": codes(i), "rejected_codes": codes(3 * i)}
            print(json.dumps(row), file=file)


def measure(folder, name, recipe, threads, changes):
    status, said, peak, losses = run(folder, recipe, threads, changes)
    assert status == 0, said
    share = peak / told(said)
    print(f"{name}: {told(said) / 1e6:.0f} MB told, {peak / 1e6:.0f} MB taken, {share:.2f}", flush=True)
    if "-v" in sys.argv:
        print("   ", re.search(r"^memory .*", said, re.M).group(0))
    return share, peak, losses


def main():
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        write_pairs(folder / "pairs.jsonl")
        found = {}
        for case, recipe, threads, changes in CASES:
            found[case] = measure(folder, case, recipe.replace("{folder}", str(folder)), threads, changes)
        plain, again = found["language model"], found["… inputs of layers alone"]
        assert again[1] < 0.8 * plain[1], "computing layers again saves too little"
        assert again[2] == plain[2] and len(plain[2]) == 2, (again[2], plain[2])

        limit = int(0.6 * plain[1])
        status, said, _, _ = run(folder, TOYLAND, 2, [], "--memory", str(limit))
        assert status == 1 and "are missing" in said, said
        fits = re.search(r"what fits: (.*), [\d.]+ [kMG]B$", said.strip()).group(1)
        changes = [change for change in fits.split(", ") if not change.startswith("--")]
        status, said, peak, _ = run(folder, TOYLAND, 1 if "--threads 1" in fits else 2, changes,
                                    "--memory", str(limit))
        assert status == 0 and peak < 1.15 * limit, said
        print(f"allowed {limit / 1e6:.0f} MB: refused; with {fits}: {peak / 1e6:.0f} MB taken")
        wrong = [case for case, (share, _, _) in found.items() if not HALF <= share <= MOST]
        assert not wrong, f"outside {HALF} to {MOST}: {wrong}"


main()
