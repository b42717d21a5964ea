#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Breaks a small tree in every way that tools/check_tree.py forbids and expects to be told.

Each case starts from a tree that passes, so that the breach found is the one made.
"""
import pathlib
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tools"))
import check_tree  # noqa: E402

HEAD = "// What this is for.\n// SPDX-License-Identifier: MIT\n"
MAP = """# Design
## The map
```
src/            code
  base/         words
    a.{h,cc}    a word
  io/           bytes
    b.h         a byte
  kernels/      arithmetic
    cpu/        fast
      table.h   the table
      isa_x.cc  one level
      rows.h    not for isa_x
    ref/        plain
      ref.h     meaning
docs/
  design.md     this
```
"""
TREE = {
    "docs/design.md": MAP,
    "src/base/a.h": HEAD + "#pragma once\nnamespace janus { int a(); }\n",
    "src/base/a.cc": HEAD + '#include "base/a.h"\n#include <vector>\n',
    "src/io/b.h": HEAD + '#pragma once\n#include "base/a.h"\n#include <png.h>\n',
    "src/kernels/cpu/table.h": HEAD + "#pragma once\nstruct Table { int a; };\n",
    "src/kernels/cpu/rows.h": HEAD + "#pragma once\n",
    "src/kernels/cpu/isa_x.cc": HEAD + '#include "kernels/cpu/table.h"\n#include <immintrin.h>\n',
    "src/kernels/ref/ref.h": HEAD + "#pragma once\n",
}


class Tree(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.root = pathlib.Path(self.folder.name)
        self.addCleanup(self.folder.cleanup)
        for path, text in TREE.items():
            self.write(path, text)

    def write(self, path, text):
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_text(text, encoding="utf-8")

    def found(self, build=None):
        return list(check_tree.breaches(self.root, build))

    def expect(self, *fragments, build=None):
        """Exactly one breach a fragment, in this order."""
        found = self.found(build)
        self.assertEqual(len(found), len(fragments), found)
        for line, fragment in zip(found, fragments):
            self.assertIn(fragment, line)


class Sources(Tree):
    def test_whole_tree_passes(self):
        self.expect()

    def test_upward_include(self):
        self.write("src/base/a.h", TREE["src/base/a.h"] + '#include "io/b.h"\n')
        self.expect("src/base/a.h:5: may not include io/b.h")

    def test_include_of_a_room_through_brackets_is_no_way_around(self):
        self.write("src/base/a.h", TREE["src/base/a.h"] + "#include <io/b.h>\n")
        self.expect("<io/b.h> is not for this room")

    def test_backends_do_not_know_each_other(self):
        self.write("src/kernels/ref/ref.h", HEAD + '#pragma once\n#include "kernels/cpu/table.h"\n')
        self.expect("may not include kernels/cpu/table.h")

    def test_isa_file_sees_its_table_only(self):
        self.write("src/kernels/cpu/isa_x.cc", HEAD + '#include "kernels/cpu/rows.h"\n')
        self.expect("may not include kernels/cpu/rows.h")

    def test_missing_include(self):
        self.write("src/base/a.cc", HEAD + '#include "base/none.h"\n')
        self.expect("base/none.h is not there")

    def test_library_of_another_room(self):
        self.write("src/base/a.cc", HEAD + "#include <png.h>\n")
        self.expect("<png.h> is not for this room")
        self.write("src/base/a.cc", HEAD + "#include <torch/nn.h>\n")
        self.expect("<torch/nn.h> is not for this room")

    def test_room_without_a_row(self):
        self.write("src/magic/m.h", HEAD + "#pragma once\n")
        self.expect("src/magic/m.h: a room without a row", "not in the map")

    def test_forbidden_calls(self):
        for text in ('std::cerr << "x";', 'std::printf("x");', "std::exit(1);", "abort();",
                     'getenv("HOME");', "assert(x);", "#pragma omp parallel", "std::thread t;",
                     "std::mt19937 g;"):
            self.write("src/base/a.cc", HEAD + text + "\n")
            self.expect("src/base/a.cc:3:")
        self.write("src/base/a.cc", HEAD + '// exit(1) in words\nconst char* s = "printf(";\n')
        self.expect()

    def test_header_rules(self):
        self.write("src/base/a.h", "#pragma once\n// SPDX-License-Identifier: MIT\n")
        self.expect("begins without a comment")
        self.write("src/base/a.h", "// What.\n#pragma once\n")
        self.expect("no SPDX line")
        self.write("src/base/a.h", HEAD)
        self.expect("without #pragma once")

    def test_long_file(self):
        self.write("src/base/a.cc", HEAD + "\n" * 498)
        self.expect()
        self.write("src/base/a.cc", HEAD + "\n" * 499)
        self.expect("501 lines")

    def test_long_function(self):
        body = "  work();\n"
        self.write("src/base/a.cc", HEAD + "void f(int a,\n       int b) {\n" + body * 57 + "}\n")
        self.expect()
        self.write("src/base/a.cc", HEAD + "void f(int a,\n       int b) {\n" + body * 58 + "}\n")
        self.expect("src/base/a.cc:3: a function of 61 lines")
        inner = "  void f() {\n" + "    work();\n" * 59 + "  }\n"
        self.write("src/base/a.cc", HEAD + "struct S {\n" + inner + "};\n")
        self.expect("src/base/a.cc:4: a function of 61 lines")

    def test_words(self):
        for word in ("/" + "work/x", "/" + "home/me/x", "..", "TO" + "DO", "FIX" + "ME",
                     "is" + "sue 12", "a sub" + "agent"):
            text = word if word != ".." else "../" + "shared"
            self.write("src/base/a.cc", HEAD + f"// see {text}\n")
            self.expect("src/base/a.cc:3: '")

    def test_map_names_what_is_gone(self):
        (self.root / "src/kernels/cpu/rows.h").unlink()
        self.expect("src/kernels/cpu/rows.h is in the map and not in the tree")

    def test_map_lacks_a_file_a_room_a_folder(self):
        self.write("src/base/c.cc", HEAD)
        self.expect("src/base/c.cc is in the tree and not in the map")
        (self.root / "src/base/c.cc").unlink()
        self.write("extra/x.txt", "x")
        self.expect("extra/x.txt is in the tree and not in the map")

    def test_rooms_of_src_are_listed_file_by_file(self):
        self.write("docs/design.md", MAP.replace("    b.h         a byte\n", ""))
        self.expect("src/io/b.h is in the tree and not in the map")

    def test_map_missing(self):
        self.write("docs/design.md", "# Design\n")
        self.expect("no block after the heading")
        (self.root / "docs/design.md").unlink()
        self.expect("docs/design.md: missing")


class Objects(Tree):
    """The same tree, compiled."""

    def compile(self, source, text):
        self.write(f"src/{source}", HEAD + text)
        target = self.root / "build/src/CMakeFiles/room.dir" / (source + ".o")
        target.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run(["c++", "-std=c++20", "-O1", "-fPIC", "-c", str(self.root / "src" / source),
                        "-o", str(target)], check=True)

    def setUp(self):
        super().setUp()
        self.build = self.root / "build"
        self.compile("base/a.cc", "const char* const kNames[] = {\"a\"};\n"
                                  "const char* f(int i) { return kNames[i]; }\n")
        self.compile("kernels/cpu/isa_x.cc", "static int one() { return 1; }\n"
                                             "extern \"C\" int table() { return one(); }\n")

    def test_whole_tree_passes(self):
        self.expect(build=self.build)

    def test_second_symbol(self):
        self.compile("kernels/cpu/isa_x.cc", "int f() { return 1; }\nint g() { return 2; }\n")
        self.expect("exports 2 symbols", build=self.build)

    def test_weak_symbol(self):
        self.compile("kernels/cpu/isa_x.cc", "inline __attribute__((noinline)) int w() { return 1; }\n"
                                             "int g() { return w(); }\n")
        self.expect("weak symbol w() in a per-ISA object", build=self.build)

    def test_mutable_globals(self):
        for text in ("int counter;\n", "int counter = 3;\n", "thread_local int counter;\n",
                     "int f() { static int counter = 1; return counter++; }\n",
                     "namespace { int counter; }\nint f() { return ++counter; }\n"):
            self.compile("base/a.cc", text)
            self.expect("mutable global", build=self.build)

    def test_lazy_constant_counts_too(self):
        self.compile("base/a.cc", "int make();\nint f() { static const int x = make(); return x; }\n")
        self.expect("mutable global", "mutable global", build=self.build)

    def test_source_that_was_not_built(self):
        (self.build / "src/CMakeFiles/room.dir/base/a.cc.o").unlink()
        self.expect("src/base/a.cc: no object in", build=self.build)


if __name__ == "__main__":
    unittest.main()
