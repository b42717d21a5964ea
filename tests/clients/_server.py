# SPDX-License-Identifier: MIT
"""A running `januspro serve` for the scripts beside this one. Plain Python, no packages."""
import http.client
import json
import os
import re
import signal
import subprocess
import tempfile
import time
from pathlib import Path

MODEL = Path(__file__).resolve().parents[2] / "models" / "toyland"


class Checks:
    """With `@checks("what it shows")` a test runs where it stands, and is named at the end."""

    def __init__(self):
        self.done = []

    def __call__(self, what):
        def run(test):
            test()
            self.done.append(what)
        return run

    def __str__(self):
        return "; ".join(self.done)


class Server:
    """With `with`: started on a free port, ready, and ended by SIGTERM. Jobs are kept in a folder
    of its own unless the arguments name another."""

    patience = 120  # seconds for an answer

    def __init__(self, programs, *arguments, wait=True, model=MODEL, **popen):
        self.state = tempfile.TemporaryDirectory()
        environment = {k: v for k, v in os.environ.items() if not k.startswith("JANUSPRO_")}
        environment["XDG_STATE_HOME"] = self.state.name
        self.errors = tempfile.TemporaryFile("w+")  # a pipe that nobody reads would fill
        self.process = subprocess.Popen(
            [str(Path(programs) / "januspro"), "serve", "--port", "0", "-m", str(model), *arguments],
            stdout=subprocess.PIPE, text=True, env=environment, **{"stderr": self.errors, **popen})
        self.url = self.process.stdout.readline().strip()
        found = re.fullmatch(r"http://127\.0\.0\.1:(\d+)/", self.url)
        assert found, f"no address on stdout: {self.url!r} {self.read_log()}"
        self.port = int(found[1])
        if wait:
            deadline = time.monotonic() + 60
            while self.call("GET", "/ready")[0] != 200:
                assert time.monotonic() < deadline, "not ready within a minute"
                time.sleep(0.05)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end()

    def end(self, how=signal.SIGTERM, within=60):
        """Exit code and the log."""
        if self.process.poll() is None:
            self.process.send_signal(how)
        return self.process.wait(timeout=within), self.read_log()

    def read_log(self):
        self.errors.seek(0)
        return self.errors.read()

    def call(self, method, path, body=None, **headers):
        """Status, headers, body: JSON where it is."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=self.patience)
        headers = {k.replace("_", "-"): v for k, v in headers.items()}
        if body is not None and not isinstance(body, (str, bytes)):
            body = json.dumps(body)
            headers.setdefault("Content-Type", "application/json")
        connection.request(method, path, body=body, headers=headers)
        answer = connection.getresponse()
        data = answer.read()
        connection.close()
        if answer.getheader("Content-Type") == "application/json" and data:
            data = json.loads(data)
        return answer.status, answer.headers, data

    def metric(self, name):
        """Of /metrics, as `name{labels}`; 0 while nothing was counted."""
        found = re.search(rf"^{re.escape(name)} (\S+)$", self.call("GET", "/metrics")[2].decode(), re.M)
        return float(found[1]) if found else 0

    def events(self, path, body, **headers):
        """(name, data) of every event."""
        status, _, data = self.call("POST", path, {**body, "stream": True}, **headers)
        assert status == 200, (status, data)
        found = []
        for block in data.decode().split("\n\n"):
            lines = dict(line.split(": ", 1) for line in block.splitlines() if ": " in line)
            if "data" in lines:
                data = lines["data"]
                found.append((lines.get("event"), data if data == "[DONE]" else json.loads(data)))
        return found
