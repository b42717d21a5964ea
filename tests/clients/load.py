#!/usr/bin/env python3
"""The server under the load of Debian's `ab` (apache2-utils): `load.py FOLDER`, which has januspro.

Connections that stay open ask for something small again and again, a token of an answer too. Every
request is answered, well, and counted in /metrics, and the server does not grow. Nothing is said
about speed; what it was is printed, in one line.
SPDX-License-Identifier: MIT
"""
import json
import re
import shutil
import subprocess
import sys
import tempfile

from _server import Server

GROWTH = 1.2
CHAT = json.dumps({"messages": [{"role": "user", "content": "Hello"}], "max_tokens": 1})
# Path, requests, connections, body. Fewer connections than --queue (64) for what waits in its line.
ROUNDS = [("/health", 8000, 100, None), ("/v1/models", 8000, 100, None), ("/v1/chat/completions", 800, 50, CHAT)]


def load(server, path, requests, connections, body):
    """Requests a second and median in ms, as ab has them."""
    program = shutil.which("ab") or sys.exit("load: no ab here; script/bootstrap --test installs apache2-utils")
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        file.write(body or "")
        file.flush()
        # -l: answers of chat may differ in length; of the others that is a failure to ab.
        posted = ["-l", "-p", file.name, "-T", "application/json"] if body else []
        got = subprocess.run([program, "-q", "-k", "-s", "60", "-n", str(requests), "-c", str(connections), *posted,
                              server.url.rstrip("/") + path], capture_output=True, text=True)
    assert got.returncode == 0, (path, got.stdout, got.stderr)

    def figure(name, absent=None):
        line = re.search(rf"^\s*{name}:?\s+([\d.]+)", got.stdout, re.M)
        assert line or absent is not None, (name, got.stdout)
        return float(line[1]) if line else absent
    for name in ("Complete requests", "Keep-Alive requests"):
        assert figure(name) == requests, (path, name, got.stdout)
    assert figure("Failed requests") == 0, (path, got.stdout)
    assert figure("Non-2xx responses", absent=0) == 0, (path, got.stdout)
    return figure("Requests per second"), figure("50%")


def main():
    told = []
    with Server(sys.argv[1]) as server:
        for path, requests, connections, body in ROUNDS:  # connections and rooms for answers come into being
            load(server, path, requests // 10, connections, body)
        resident = server.metric("process_resident_memory_bytes")
        for path, requests, connections, body in ROUNDS:
            name = f'januspro_http_requests_total{{method="{"POST" if body else "GET"}",route="{path}",code="200"}}'
            before = server.metric(name)
            rate, median = load(server, path, requests, connections, body)
            counted = server.metric(name) - before
            assert counted == requests, f"{path}: {requests} requests, {counted:.0f} of them in /metrics"
            told.append(f"{path} {rate:.0f}/s, median {median:.0f} ms at {connections} connections")
        after = server.metric("process_resident_memory_bytes")
        assert 0 < after < resident * GROWTH, f"from {resident / 1e6:.0f} MB to {after / 1e6:.0f} MB"
        code, log = server.end()
        assert code == 0, log
    print(f"load: {'; '.join(told)}; memory {resident / 1e6:.0f} MB before, {after / 1e6:.0f} MB after")


main()
