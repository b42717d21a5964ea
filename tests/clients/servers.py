#!/usr/bin/env python3
"""Several servers on one PostgreSQL: `servers.py FOLDER`, which has januspro.

Two servers share one queue; one is killed and the other finishes its work; the database is stopped,
started again and made to hang while chat and drawing go on. Prints one line.
SPDX-License-Identifier: MIT
"""
import base64
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "serve"))
from _server import Checks, Server  # noqa: E402
from postgres import Postgres  # noqa: E402

PROGRAMS = sys.argv[1]
DRAW, CHAT, JOBS = "/v1/images/generations", "/v1/chat/completions", "/v1/jobs"
ASK = {"type": "ask", "requests": [{"question": "Hello", "max_tokens": 2}]}
LEASE = 60  # seconds that the work of a dead server is waited for
check = Checks()



def drawings(count, seed=1):
    return {"type": "draw", "requests": [{"prompt": "a red ball", "seed": seed, "n": 10}] * (count // 10)}


def submit(server, body):
    status, _, job = server.call("POST", JOBS, body)
    assert status == 202, (status, job)
    return job["id"]


def job_of(server, identity, wait=0):
    status, _, job = server.call("GET", f"{JOBS}/{identity}" + (f"?wait={wait}" if wait else ""))
    assert status == 200, job
    return job


def finished(server, identity, within=120):
    deadline = time.monotonic() + within
    while (job := job_of(server, identity, 5))["status"] in ("queued", "running"):
        assert time.monotonic() < deadline, job
    return job


def drawn(server):
    """Pictures that this server has made."""
    return server.metric("januspro_images_total")


def running(server):
    return server.metric('januspro_requests_running{kind="job"}')


def until(true, within, what):
    deadline = time.monotonic() + within
    while not true():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


def refused(server):
    status, headers, error = server.call("POST", JOBS, ASK)
    if status != 503:
        return False
    message = error["error"]["message"]
    assert error["error"]["code"] == "jobs_unavailable" and headers["Retry-After"] and "127.0.0.1" not in message, error
    return True


def still_served(server):
    """Chat and drawing, whatever has become of the jobs; the slowest answer in seconds."""
    longest = 0
    for path, body in ((CHAT, {"messages": [{"role": "user", "content": "Hello"}], "max_tokens": 3}), (DRAW, {"prompt": "a red ball"})):
        began = time.monotonic()
        assert server.call("POST", path, body)[0] == 200
        longest = max(longest, time.monotonic() - began)
    return longest


def same_as_direct(server, job, seed=1):
    direct = server.call("POST", DRAW, {"prompt": "a red ball", "seed": seed, "n": 10})[2]["data"]
    for result in job["results"]:
        file = server.call("GET", result["url"])[2]
        assert file == base64.b64decode(direct[result["index"] % 10]["b64_json"]), "another picture than its seed gives"


with Postgres() as postgres:
    db = ("--db", postgres.address)

    with Server(PROGRAMS, *db, "--parallel", "4") as first, Server(PROGRAMS, *db, "--parallel", "4") as second:
        @check("two share one queue")
        def _():
            identity = submit(first, drawings(40))
            job = finished(second, identity)
            assert job["status"] == "done" and job["attempts"] == 1, job
            assert drawn(first) + drawn(second) == 40 and drawn(first) and drawn(second), (drawn(first), drawn(second))
            same_as_direct(first, job)
            same_as_direct(second, job)
            again = second.call("POST", JOBS, ASK, Idempotency_Key="k")[2], first.call("POST", JOBS, ASK, Idempotency_Key="k")[2]
            assert again[0]["id"] == again[1]["id"]
            finished(first, again[0]["id"])

        @check("a job that is cancelled at one stops at the other, and who waits there hears of it")
        def _():
            identity = submit(first, drawings(400))
            until(lambda: running(first) and running(second), 20, "both work")
            waited = []
            job = job_of(second, identity)
            waiting = threading.Thread(target=lambda: waited.append(job_of(first, identity, 30)))
            while job_of(first, identity)["done"] < 8:
                pass
            began = time.monotonic()
            waiting.start()
            assert second.call("DELETE", f"{JOBS}/{identity}")[2]["status"] == "cancelled"
            until(lambda: running(first) == running(second) == 0, 10, "a cancelled job still runs")
            waiting.join()
            assert time.monotonic() - began < 10 and waited, waited
            assert job_of(first, identity)["status"] == "cancelled" and job["type"] == "draw"

        @check("one is killed, the other finishes its work")
        def _():
            identity = submit(first, drawings(60, seed=5))
            until(lambda: running(first) and job_of(second, identity)["done"] > 2, 30, "both work")
            before = {r["index"]: second.call("GET", r["url"])[2] for r in job_of(second, identity)["results"] if r["url"]}
            first.end(signal.SIGKILL)
            job = finished(second, identity, within=LEASE + 60)
            assert job["status"] == "done" and job["attempts"] == 2, job
            same_as_direct(second, job, seed=5)
            assert all(second.call("GET", job["results"][k]["url"])[2] == file for k, file in before.items())

    with Server(PROGRAMS, *db) as server:
        @check("a database that goes away and comes back")
        def _():
            identity = submit(server, drawings(200, seed=9))
            until(lambda: job_of(server, identity)["done"] > 2, 30, "it works")
            postgres.stop()
            until(lambda: refused(server), 10, "its going is noticed")
            assert server.call("GET", f"{JOBS}/{identity}")[0] == 503 and still_served(server) < 5
            assert server.call("GET", "/health")[0] == 200
            postgres.start()
            until(lambda: server.call("GET", f"{JOBS}/{identity}")[0] == 200, 60, "its coming back is noticed")
            job = finished(server, identity, within=LEASE + 120)
            assert job["status"] == "done", job
            same_as_direct(server, job, seed=9)
            log = server.read_log()
            assert "jobs are not served" in log and "jobs are served again" in log and postgres.address not in log, log

        @check("one that hangs")
        def _():
            postgres.signal(signal.SIGSTOP)
            began = time.monotonic()
            assert refused(server) and time.monotonic() - began < 15, time.monotonic() - began
            assert still_served(server) < 10
            postgres.signal(signal.SIGCONT)
            until(lambda: not refused(server), 60, "it is served again")

    @check("a server begins without it, and an address is looked at first")
    def _():
        postgres.stop()
        with Server(PROGRAMS, *db) as server:
            assert refused(server) and still_served(server)
            postgres.start()
            until(lambda: not refused(server), 60, "it is served at last")
        wrong = subprocess.run([f"{PROGRAMS}/januspro", "serve", "--port", "0", "--db", "postgresql:///x?nonsense=1"], capture_output=True, text=True)
        assert wrong.returncode == 2 and "nonsense" in wrong.stderr and wrong.stdout == "", wrong

print(f"servers: {check}")
