#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Installs a build into a folder of its own, moves it, and lives with what is there.

    install_test.py SOURCE BUILD CXX CC

The programs of this folder are built against the installed tree by pkg-config and by CMake, and run
with the model that ships; so are the samples of README.md and docs/library.md compiled. The shared library's dynamic
symbols are compared with what the public headers declare.
"""
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

SOURCE, BUILD, CXX, CC = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), sys.argv[3], sys.argv[4]
HERE = SOURCE / "tests" / "install"
STRICT = ["-Wall", "-Wextra", "-Wpedantic", "-Werror"]


def run(*command, **more):
    result = subprocess.run([str(c) for c in command], capture_output=True, text=True, **more)
    if result.returncode != 0:
        raise AssertionError(f"{' '.join(map(str, command))}\n{result.stdout}{result.stderr}")
    return result.stdout


class Install(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)
        root = pathlib.Path(cls.folder.name)
        run("cmake", "--install", BUILD, "--prefix", root / "first")
        cls.tree = (root / "first").rename(root / "moved")
        cls.work = root / "work"
        cls.work.mkdir()
        cls.library = next(cls.tree.glob("lib/**/libjanuspro.so")).parent
        cls.model = cls.tree / "share" / "januspro" / "toyland"
        cls.environment = dict(os.environ, LD_LIBRARY_PATH=str(cls.library),
                               PKG_CONFIG_PATH=str(cls.library / "pkgconfig"))

    def flags(self, *options):
        return run("pkg-config", *options, "januspro", env=self.environment).split()

    def say_hello(self, program):
        return run(program, self.model, self.work, env=self.environment)

    def test_what_is_installed(self):
        names = {p.relative_to(self.tree).as_posix() for p in self.tree.rglob("*") if not p.is_dir()}
        lib = self.library.relative_to(self.tree).as_posix()
        version = run("pkg-config", "--modversion", "januspro", env=self.environment).strip()
        headers = {f"include/januspro/{p.name}" for p in (SOURCE / "include" / "januspro").iterdir()}
        package = {f"{lib}/cmake/JanusPro/{name}" for name in (
            "FindWebP.cmake", "JanusProConfig.cmake", "JanusProConfigVersion.cmake")}
        targets = {n for n in names if re.search(r"/JanusPro/JanusPro(Shared|Static)[^/]*\.cmake$", n)}
        self.assertEqual(len(targets), 4)
        soname = ".".join(version.split(".")[:2])
        libraries = {f"{lib}/libjanuspro.{end}" for end in ("a", "so", f"so.{soname}", f"so.{version}")}
        models = {n for n in names if n.startswith("share/januspro/")}
        self.assertIn("share/januspro/toyland/config.json", models)
        licences = {f"share/doc/{package}/copyright"
                    for package in ("januspro", f"libjanuspro{soname}", "libjanuspro-dev")}
        self.assertLessEqual(licences, names)
        pages = {n for n in names if re.fullmatch(r"share/man/man1/januspro(-[a-z-]+)?\.1", n)}
        self.assertIn("share/man/man1/januspro-draw.1", pages)
        completions = {"share/bash-completion/completions/januspro", "share/zsh/site-functions/_januspro",
                       "share/fish/vendor_completions.d/januspro.fish"}
        self.assertEqual(names - models - targets - licences - pages,
                         headers | package | libraries | completions | {"bin/januspro", f"{lib}/pkgconfig/januspro.pc"})
        self.assertIn(f"[libjanuspro.so.{soname}]", run("readelf", "-d", self.library / "libjanuspro.so"))

    def test_shared_library_shows_the_public_names_alone(self):
        lines = run("nm", "-DC", "--defined-only", self.library / "libjanuspro.so").splitlines()
        shown = {line.split(" ", 2)[2] for line in lines}
        functions = {n for n in shown if re.fullmatch(r"januspro_\w+", n)}
        header = (SOURCE / "include" / "januspro" / "januspro.h").read_text(encoding="utf-8")
        self.assertEqual(functions, set(re.findall(r"\b(januspro_\w+)\(", re.sub(r"/\*.*?\*/", "", header, flags=re.S))))
        public = re.compile(r"janus::(Engine|Job)::|(vtable|typeinfo|typeinfo name) for janus::Error$|janus::Error::~?Error\("
                            r"|janus::(load_picture|decode_picture|load_mask|decode_mask|picture_text|picture_format|encode_picture|save_file"
                            r"|version|available_backends|available_isa)\b")
        strangers = {n for n in shown - functions if not public.match(re.sub(r"\[abi:\w+\]", "", n))}
        self.assertEqual(strangers, set())
        for name in ("janus::Engine::load(", "janus::Job::cancel(", "typeinfo for janus::Error"):
            self.assertTrue(any(n.startswith(name) for n in shown), name)
        undefined = run("nm", "-DC", "--undefined-only", self.library / "libjanuspro.so")
        self.assertNotIn(" janus", undefined)

    def test_c_by_pkg_config(self):
        program = self.work / "hello_c"
        run(CC, "-std=c99", *STRICT, HERE / "hello.c", "-o", program, *self.flags("--cflags", "--libs"))
        self.assertIn("hello from C, ", self.say_hello(program))
        self.assertTrue((self.work / "hello-c.png").read_bytes().startswith(b"\x89PNG"))

    def test_cpp_by_pkg_config_shared_and_static(self):
        compiled = self.work / "hello.o"
        run(CXX, "-std=c++20", *STRICT, "-c", HERE / "hello.cc", "-o", compiled, *self.flags("--cflags"))
        shared, static = self.work / "hello_shared", self.work / "hello_static"
        run(CXX, compiled, "-o", shared, *self.flags("--libs"))
        archive = [f"-l:libjanuspro.a" if f == "-ljanuspro" else f for f in self.flags("--static", "--libs")]
        run(CXX, compiled, "-o", static, *archive)
        self.assertIn("libjanuspro.so", run("readelf", "-d", shared))
        self.assertNotIn("libjanuspro.so", run("readelf", "-d", static))
        self.assertEqual(self.say_hello(shared), self.say_hello(static))

    def test_find_package(self):
        build = self.work / "cmake"
        run("cmake", "-S", HERE, "-B", build, f"-DCMAKE_PREFIX_PATH={self.tree}", f"-DCMAKE_C_COMPILER={CC}",
            f"-DCMAKE_CXX_COMPILER={CXX}", "-DCMAKE_BUILD_TYPE=Release")
        run("cmake", "--build", build)
        self.assertIn("hello from C, ", self.say_hello(build / "hello_c"))
        self.assertIn("hello from C++, ", self.say_hello(build / "hello_static"))

    def test_samples_of_the_docs_compile(self):
        text = "".join((SOURCE / name).read_text(encoding="utf-8") for name in ("README.md", "docs/library.md"))
        for language, ending, compiler in (("cpp", "cc", [CXX, "-std=c++20", "-include", "iostream"]),
                                               ("c", "c", [CC, "-std=c99"])):
            samples = re.findall(rf"```{language}\n(.*?)```", text, flags=re.S)
            self.assertTrue(samples, language)
            for number, sample in enumerate(samples):
                header = "januspro.hpp" if language == "cpp" else "januspro.h"
                source = self.work / f"sample-{number}.{ending}"
                source.write_text(f"#include <stdio.h>\n#include <januspro/{header}>\n"
                                  f"int main(void) {{\n{sample}\nreturn 0; }}\n", encoding="utf-8")
                run(*compiler, "-Wall", "-Werror", "-fsyntax-only", source, *self.flags("--cflags"))


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
