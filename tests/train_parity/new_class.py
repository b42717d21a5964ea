#!/usr/bin/env python3
"""The tutorial of docs/training.md, "A new class", as it stands there: `new_class.py FOLDER`.

Runs every line of its blocks, with the programs of FOLDER, in an empty folder beside the model and the
recipes. The new class has to go from at most BEFORE to at least AFTER, the old ones may lose LOST. The
old ones are judged on fewer pictures than the page has. Prints one line. SPDX-License-Identifier: MIT
"""
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

PROGRAMS = pathlib.Path(sys.argv[1]).resolve()
ROOT = pathlib.Path(__file__).resolve().parents[2]
BEFORE, AFTER, LOST = 0.05, 0.60, 0.03
FEWER = ("toyland:single -n 2", "toyland:single -n 1")


def lines():
    """What the section's blocks tell to type, a line at a time."""
    page = (ROOT / "docs" / "training.md").read_text()
    section = re.search(r"^## A new class\n(.*?)^## ", page, re.M | re.S).group(1)
    blocks = re.findall(r"^```\n(.*?)^```$", section, re.M | re.S)
    return [line for block in blocks for line in block.splitlines()]


def old_classes(folder):
    """The share of pictures that show what was asked for."""
    cases = [json.loads(line) for line in (folder / "single.jsonl").read_text().splitlines()[1:]]
    return sum(case["grade"] for case in cases) / len(cases)


def main():
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        for shared in ("models", "recipes"):
            (folder / shared).symlink_to(ROOT / shared)
        environment = {**os.environ, "PATH": f"{PROGRAMS}:{os.environ['PATH']}",
                       "JANUSPRO_MODEL": str(ROOT / "models" / "toyland")}
        judged = []
        for line in lines():
            done = subprocess.run(["bash", "-c", line.replace(*FEWER)], cwd=folder, env=environment,
                                  capture_output=True, text=True)
            assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
            if "new_class judge" in line:
                judged.append(float(done.stdout))
        before, after = judged
        old, now = old_classes(folder / "scores-before"), old_classes(folder / "scores-after")
        print(f"new class {before:.3f} -> {after:.3f}, old ones {old:.3f} -> {now:.3f}")
        assert before <= BEFORE and after >= AFTER and old - now <= LOST


main()
