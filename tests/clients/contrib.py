#!/usr/bin/env python3
"""What contrib holds fits the program: `contrib.py FOLDER`, which has januspro. Every figure of the
dashboard is one that the server tells of, and systemd takes the unit. Prints one line.
SPDX-License-Identifier: MIT
"""
import json
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from _server import Server

CONTRIB = Path(__file__).resolve().parents[2] / "contrib"


def told(text):
    """Names that /metrics describes, and those of histograms' parts."""
    names = set(re.findall(r"^# TYPE (\S+)", text, re.M))
    return names | {name + part for name in names for part in ("_bucket", "_count", "_sum")}


def check_dashboard():
    shown = json.loads((CONTRIB / "grafana.json").read_text())
    texts = [target["expr"] for panel in shown["panels"] for target in panel["targets"]]
    wanted = {name for text in texts for name in re.findall(r"(?:januspro|process)_\w+", text)}
    assert len(wanted) > 10, wanted
    with Server(sys.argv[1]) as server:
        missing = wanted - told(server.call("GET", "/metrics")[2].decode())
    assert not missing, f"the dashboard shows what the server does not tell: {missing}"


def check_unit():
    """systemd's own reading, of the unit with this program in it."""
    if not shutil.which("systemd-analyze"):
        return "; no systemd here to read the unit"
    text = (CONTRIB / "januspro.service").read_text()
    start = re.search(r"^ExecStart=/usr/bin/januspro (.*)$", text, re.M)
    assert start, "the unit starts another program"
    program = Path(sys.argv[1]).resolve() / "januspro"
    parsed = subprocess.run([program, *start[1].split(), "--help"], capture_output=True)
    assert parsed.returncode == 0, parsed.stderr
    with tempfile.TemporaryDirectory() as folder:
        unit = Path(folder) / "januspro.service"
        unit.write_text(re.sub("^Documentation=.*\n", "", text.replace("/usr/bin/januspro", str(program)), flags=re.M))
        result = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True)
    about = [line for line in result.stderr.splitlines() if "januspro.service" in line]
    assert not about, about
    return "; systemd takes the unit"


check_dashboard()
print("contrib: the dashboard shows what there is" + check_unit())
