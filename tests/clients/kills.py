#!/usr/bin/env python3
"""kill -9 at random moments: `kills.py FOLDER [TIMES]`, 50 unless said; the folder has januspro.

After every kill the server is started again on the same database. A job that was accepted must be
there, with the pictures that its seed gives directly; a result that was seen once must be the same
ever after; a request that is repeated under its key must stay one job. Only a picture that three
kills met may fail, and must say so. Prints one line. SPDX-License-Identifier: MIT
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

numbers = iter(range(10 ** 6))
doubtful = []     # sent, and the answer was lost
jobs = {}         # number -> id, of what was accepted
seen = {}         # (id, index) -> bytes, of what was visible once
finished = set()  # ids
given_up = set()  # (id, index) that three kills met
early = 0         # kills before the server was ready


def body_of(number):
    return {"type": "draw", "requests": [{"prompt": PROMPTS[number % 4], "seed": number, "n": 2},
                                         {"prompt": PROMPTS[(number + 1) % 4], "seed": number}]}


def accept(server, number):
    status, _, job = server.call("POST", JOBS, body_of(number), Idempotency_Key=f"job-{number}")
    assert status in (200, 202), (status, job)
    assert jobs.setdefault(number, job["id"]) == job["id"], "one key, two jobs"


def look(server):
    for identity in set(jobs.values()) - finished:
        status, _, job = server.call("GET", f"{JOBS}/{identity}")
        assert status == 200, f"an accepted job is lost: {job}"
        for result in job["results"]:
            place = identity, result["index"]
            assert result["url"] or place not in seen, "a result is gone again"
            if result["url"] and place not in seen:
                status, _, file = server.call("GET", result["url"])
                assert status == 200, file
                seen[place] = file
            if result["status"] == "failed":
                assert "tried 3 times" in result["error"]["message"] and job["attempts"] >= 3, job
                given_up.add(place)
        if job["status"] in ("done", "failed"):
            finished.add(identity)


def work(server, pictures):
    """What a client does until so many more pictures are there, or the server dies: repeats what it
    is not sure of, asks for more, fetches what is there."""
    goal, deadline = len(seen) + pictures, time.monotonic() + 300
    while len(seen) < goal:
        assert time.monotonic() < deadline, "no picture in five minutes"
        while doubtful:
            accept(server, doubtful[-1])
            doubtful.pop()
        if len(set(jobs.values()) - finished) < 3:
            doubtful.append(next(numbers))
            continue
        look(server)
        time.sleep(0.02)


def unit_of(db):
    """Seconds from a start to the next picture, on this machine as it is now."""
    began = time.monotonic()
    with Server(PROGRAMS, *db) as server:
        accept(server, next(numbers))
        work(server, 1)
        return time.monotonic() - began


def killed_at_work(db, pictures, pause):
    """A server that lives until it has shown so many pictures, and `pause` seconds more."""
    global early
    server = Server(PROGRAMS, *db, wait=False)
    killer = threading.Timer(pause, lambda: server.process.send_signal(signal.SIGKILL))
    ready = False
    try:
        if pictures == 0:
            killer.start()
        while server.call("GET", "/ready")[0] != 200:
            time.sleep(0.01)
        ready = True
        if pictures > 0:
            work(server, pictures)
            killer.start()
        work(server, 10 ** 6)
    except GONE:
        early += not ready
    assert killer.ident, "it died by itself"
    killer.join()
    code, log = server.end()
    assert code == -signal.SIGKILL, (code, log)


def all_is_there(server):
    while doubtful:
        accept(server, doubtful.pop())
    deadline = time.monotonic() + 300
    while len(finished) < len(jobs):
        assert time.monotonic() < deadline, "unfinished jobs"
        look(server)
        time.sleep(0.05)
    kept, page = [], {"has_more": True, "last_id": ""}
    while page["has_more"]:
        after = f"&after={page['last_id']}" if kept else ""
        page = server.call("GET", f"{JOBS}?limit=100{after}")[2]
        kept += [job["id"] for job in page["data"]]
    assert sorted(kept) == sorted(jobs.values()), f"{len(kept)} jobs are kept, {len(jobs)} were accepted"
    for number, identity in jobs.items():
        direct = [base64.b64decode(d["b64_json"]) for request in body_of(number)["requests"]
                  for d in server.call("POST", "/v1/images/generations", request)[2]["data"]]
        for k in range(3):
            if (identity, k) not in given_up:
                again = server.call("GET", f"{JOBS}/{identity}/results/{k}")[2]
                assert again == direct[k] == seen[identity, k], "another picture than its seed gives"


with tempfile.TemporaryDirectory() as folder:
    db = ("--db", f"{folder}/jobs.sqlite")
    for kill in range(TIMES):
        if kill % 10 == 0:  # what else runs beside may have changed
            unit = unit_of(db)
        # Some while it still starts, most while it works. Lives are told by pictures, not seconds,
        # so that work goes on however slow the machine.
        short = kill % 3 == 0
        killed_at_work(db, 0 if short else chance.choice((2, 4, 8)), unit * (0.02 + chance.random()))
    with Server(PROGRAMS, *db) as server:
        all_is_there(server)
assert 20 * len(given_up) <= len(seen), f"{len(given_up)} pictures of {len(seen)} failed"
assert early < TIMES / 2, "it was hardly ever met at work"
print(f"kills: {TIMES} times ({early} before it was ready); {len(jobs)} jobs, {len(seen)} pictures, "
      f"{len(given_up)} met three times; none lost, none twice, none another")
