#!/usr/bin/env python3
"""kill -9 at random moments: `kills.py FOLDER [TIMES]`, 50 unless said; the folder has januspro.

After every kill the server is started again on the same database. A job that was accepted must be
there, with the pictures that its seed gives directly; a result that was seen once must be the same
ever after; a request that is repeated under its key must stay one job. Prints one line.
SPDX-License-Identifier: MIT
"""
import base64
import http.client
import random
import signal
import sys
import tempfile
import threading
import time

from _server import Server

PROGRAMS, TIMES = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 50
JOBS = "/v1/jobs"
PROMPTS = ("a red ball", "a blue star", "a cat", "a green square")
chance = random.Random(20260131)
GONE = (OSError, http.client.HTTPException)


def body_of(number):
    return {"type": "draw", "requests": [{"prompt": PROMPTS[number % 4], "seed": number, "n": 2}, {"prompt": PROMPTS[(number + 1) % 4], "seed": number}]}


jobs = {}     # number -> id, of what was accepted
seen = {}     # (id, index) -> bytes, of what was visible once
numbers = iter(range(10 ** 6))
doubtful = []  # sent, and the answer was lost
lost = cut = 0


def accept(server, number):
    status, _, job = server.call("POST", JOBS, body_of(number), Idempotency_Key=f"job-{number}")
    assert status in (200, 202), (status, job)
    assert jobs.setdefault(number, job["id"]) == job["id"], "one key, two jobs"


def work(server, until):
    """What a client does until the server dies: repeats what it is not sure of, asks for more,
    fetches what is there."""
    global cut
    try:
        while doubtful:
            accept(server, doubtful[-1])
            doubtful.pop()
        while time.monotonic() < until:
            if sum(i not in finished for i in jobs.values()) < 3:
                number = next(numbers)
                doubtful.append(number)
                accept(server, number)
                doubtful.remove(number)
            look(server)
            time.sleep(0.02)
    except GONE:
        cut += 1


finished = set()


def look(server):
    for identity in list(jobs.values()):
        if identity in finished:
            continue
        status, _, job = server.call("GET", f"{JOBS}/{identity}")
        assert status == 200, f"an accepted job is lost: {job}"
        assert job["status"] != "failed", job
        for result in job["results"]:
            place = identity, result["index"]
            assert result["url"] or place not in seen, "a result is gone again"
            if result["url"] and place not in seen:
                status, _, file = server.call("GET", result["url"])
                assert status == 200, file
                seen[place] = file
        if job["status"] == "done":
            finished.add(identity)


with tempfile.TemporaryDirectory() as folder:
    db = ("--db", f"{folder}/jobs.sqlite")
    for round_ in range(TIMES):
        # Some while it still starts, most while it works.
        server = Server(PROGRAMS, *db, wait=False)
        life = chance.choice((0.02, 0.3, 1, 1, 2, 2)) * (0.5 + chance.random())
        killer = threading.Timer(life, lambda s=server: s.process.send_signal(signal.SIGKILL))
        killer.start()
        try:
            while server.call("GET", "/ready")[0] != 200:
                time.sleep(0.01)
            work(server, time.monotonic() + 60)
        except GONE:
            lost += 1  # before it was ready
        killer.join()
        code, log = server.end()
        assert code == -signal.SIGKILL, (code, log)
    with Server(PROGRAMS, *db) as server:
        work(server, time.monotonic() - 1)
        deadline = time.monotonic() + 120
        while len(finished) < len(jobs):
            assert time.monotonic() < deadline, "unfinished jobs"
            look(server)
            time.sleep(0.05)
        total = 0
        while True:
            path = f"{JOBS}?limit=100" + (f"&after={last}" if total else "")
            page = server.call("GET", path)[2]
            total += len(page["data"])
            last = page["last_id"]
            if not page["has_more"]:
                break
        assert total == len(jobs), f"{total} jobs are kept, {len(jobs)} were accepted"
        for number, identity in jobs.items():
            requests = body_of(number)["requests"]
            direct = [base64.b64decode(d["b64_json"]) for r in requests
                      for d in server.call("POST", "/v1/images/generations", r)[2]["data"]]
            again = [server.call("GET", f"{JOBS}/{identity}/results/{k}")[2] for k in range(3)]
            assert again == direct == [seen[identity, k] for k in range(3)], "another picture than its seed gives"

print(f"kills: {TIMES} times ({lost} before it was ready); {len(jobs)} jobs, {len(seen)} pictures, "
      "none lost, none twice, none another")
