#!/usr/bin/env python3
"""/openapi.json against the server that gives it, by schemathesis: `openapi.py FOLDER`, which has januspro.

Whatever a body or a path is made of, the answer is one that the description names: no 500, errors as
JSON, the methods of Allow, media types and schemas. Not asked: that every body which a schema allows
is taken, as schemas cannot say what a picture's file or a prompt's length must be. Prints one line.
SPDX-License-Identifier: MIT
"""
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from _server import Server

with Server(sys.argv[1]) as server, tempfile.TemporaryDirectory() as folder:
    run = subprocess.run(
        [Path(sys.executable).with_name("schemathesis"), "run", f"{server.url}openapi.json", "--phases", "coverage,fuzzing",
         "--max-examples", "40", "--seed", "1", "--generation-deterministic", "--exclude-checks", "positive_data_acceptance",
         "--request-timeout", "60", "--no-color", "--warnings", "off"],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=folder)
    assert run.returncode == 0, run.stdout
    tested, cases = re.search(r"Tested: (\d+)", run.stdout), re.search(r"(\d+) generated", run.stdout)
    operations = sum(len(methods) for methods in server.call("GET", "/openapi.json")[2]["paths"].values()) - 1  # without itself
    assert int(tested[1]) == operations >= 34 and int(cases[1]) > 500, (operations, run.stdout)
    code, log = server.end()
    failures = [line for line in log.splitlines() if re.search(r" 500 \S+ s ", line)]
    assert code == 0 and not failures, (code, failures[:5])

print(f"openapi: {cases[1]} requests to {operations} operations, each answered as described")
