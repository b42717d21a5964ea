#!/usr/bin/env python3
"""Jobs of `januspro serve`: `jobs.py FOLDER`, which has januspro.

What the database promises is tested in tests/serve; here the program runs, with the model that
ships: jobs of every type beside direct requests, waiting, cancelling, the end by a signal, keys, and
databases that do not serve while chat and drawing go on. Prints one line. SPDX-License-Identifier: MIT
"""
import base64
import hashlib
import json
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from _pictures import data_url, picture
from _server import Checks, Server

PROGRAMS = sys.argv[1]
DRAW, CHAT, JOBS = "/v1/images/generations", "/v1/chat/completions", "/v1/jobs"
HI = {"messages": [{"role": "user", "content": "Hello"}], "max_tokens": 3}
check = Checks()



def finished(server, job, **headers):
    """The job at its end, waited for as a client should."""
    deadline = time.monotonic() + 120
    while job["status"] in ("queued", "running"):
        assert time.monotonic() < deadline, job
        status, _, job = server.call("GET", f"{JOBS}/{job['id']}?wait=30", **headers)
        assert status == 200, job
    return job


def submit(server, body, **headers):
    status, _, job = server.call("POST", JOBS, body, **headers)
    assert status == 202, (status, job)
    return job


def code_of(answer):
    return answer[0], answer[2]["error"]["code"]


def still_served(server):
    """Chat and drawing, whatever has become of the jobs."""
    return server.call("POST", CHAT, HI)[0] == server.call("POST", DRAW, {"prompt": "a red ball"})[0] == 200


with Server(PROGRAMS) as server:
    @check("drawings: items, seeds, results as asked for directly")
    def _():
        body = {"type": "draw", "metadata": {"for": "tests"}, "requests": [
            {"prompt": "a red ball", "n": 2, "seed": 7}, {"prompt": "a blue star", "output_format": "jpeg", "nonsense": 1}]}
        status, headers, job = server.call("POST", JOBS, body, Idempotency_Key="first")
        assert status == 202 and headers["x-januspro-ignored"] == "requests[1].nonsense", (status, job)
        assert job["object"] == "job" and job["status"] in ("queued", "running") and job["total"] == 3
        assert job["metadata"] == {"for": "tests"} and [r["request_index"] for r in job["results"]] == [0, 0, 1]
        early = server.call("GET", f"{JOBS}/{job['id']}/results/2")
        assert early[0] == 200 or (code_of(early) == (409, "result_not_ready") and early[1]["x-should-retry"] == "false")
        job = finished(server, job)
        assert job["status"] == "done" and job["done"] == 3 and job["progress"] == 1 and job["position"] is None
        assert job["created_at"] <= job["started_at"] <= job["finished_at"] and job["attempts"] == 1 and job["error"] is None
        direct = server.call("POST", DRAW, {"prompt": "a red ball", "n": 2, "seed": 7})[2]["data"]
        for k in range(2):
            status, headers, file = server.call("GET", job["results"][k]["url"])
            assert status == 200 and headers["Content-Type"] == "image/png" and job["results"][k]["seed"] == 7 + k
            assert file == base64.b64decode(direct[k]["b64_json"]), "not the picture that its seed gives"
            assert headers["ETag"] == f'"{hashlib.sha256(file).hexdigest()}"'
        assert server.call("GET", job["results"][0]["url"], If_None_Match=server.call("GET", job["results"][0]["url"])[1]["ETag"])[0] == 304
        assert server.call("GET", job["results"][2]["url"])[1]["Content-Type"] == "image/jpeg"
        for place in ("3", "-1", "x"):
            assert code_of(server.call("GET", f"{JOBS}/{job['id']}/results/{place}")) == (404, "result_not_found")
        status, headers, again = server.call("POST", JOBS, dict(reversed(body.items())), Idempotency_Key="first")
        assert status == 200 and again["id"] == job["id"] and headers["Idempotent-Replayed"] == "true"
        status, headers, error = server.call("POST", JOBS, {**body, "metadata": {}}, Idempotency_Key="first")
        assert (status, error["error"]["code"], headers["x-should-retry"]) == (409, "idempotency_conflict", "false")

    @check("edits and questions")
    def _():
        size = server.call("GET", "/v1/models")[2]["data"][0]["januspro"]["image_size"]
        edit = submit(server, {"type": "edit", "requests": [{"prompt": "a red ball", "seed": 3, "image": data_url(picture(size)), "keep": 0.5}]})
        ask = submit(server, {"type": "ask", "requests": [
            {"question": "What colour is it?", "images": [data_url(picture())], "max_tokens": 12}, {"question": "Hello", "max_tokens": 3}]})
        edit, ask = finished(server, edit), finished(server, ask)
        assert edit["status"] == ask["status"] == "done", (edit, ask)
        direct = server.call("POST", "/v1/images/edits", {
            "prompt": "a red ball", "seed": 3, "keep": 0.5, "images": [{"image_url": data_url(picture(size))}]})[2]
        assert server.call("GET", edit["results"][0]["url"])[2] == base64.b64decode(direct["data"][0]["b64_json"])
        status, headers, answer = server.call("GET", ask["results"][0]["url"])
        assert headers["Content-Type"] == "application/json" and answer["usage"]["prompt_tokens_details"]["image_tokens"] > 0
        direct = server.call("POST", CHAT, {"max_tokens": 12, "messages": [{"role": "user", "content": [
            {"type": "image_url", "image_url": {"url": data_url(picture())}}, {"type": "text", "text": "What colour is it?"}]}]})[2]
        assert answer["text"] == direct["choices"][0]["message"]["content"]

    @check("lists, waiting, cancelling, removing")
    def _():
        jobs = [submit(server, {"type": "draw", "requests": [{"prompt": "a cat", "n": 10}] * 8}) for _ in range(3)]
        listed = server.call("GET", JOBS + "?limit=2")[2]
        assert [j["id"] for j in listed["data"]] == [jobs[2]["id"], jobs[1]["id"]] and listed["has_more"] is True
        assert listed["first_id"] == jobs[2]["id"] and listed["last_id"] == jobs[1]["id"]
        older = server.call("GET", f"{JOBS}?limit=1&after={jobs[1]['id']}")[2]
        assert older["data"][0]["id"] == jobs[0]["id"]
        last = server.call("GET", f"{JOBS}/{jobs[2]['id']}")[2]
        assert last["status"] == "queued" and 80 < last["position"] <= 160, last["position"]
        began = time.monotonic()
        same = server.call("GET", f"{JOBS}/{jobs[2]['id']}?wait=0.5")[2]
        assert same["status"] == "queued" and 0.4 < time.monotonic() - began < 5
        for query in ("limit=0", "limit=101", "limit=x", "status=new", f"after=job_none"):
            assert server.call("GET", f"{JOBS}?{query}")[0] in (400, 404), query
        assert server.call("GET", f"{JOBS}/{jobs[0]['id']}?wait=31")[0] == 400
        waited = []
        waiting = threading.Thread(target=lambda: waited.append(server.call("GET", f"{JOBS}/{jobs[2]['id']}?wait=30")[2]))
        waiting.start()
        time.sleep(0.2)
        began = time.monotonic()
        for job in reversed(jobs):
            status, _, cancelled = server.call("DELETE", f"{JOBS}/{job['id']}")
            assert status == 200 and cancelled["status"] == "cancelled", cancelled
        waiting.join()
        assert waited[0]["status"] == "cancelled" and time.monotonic() - began < 10
        while b'januspro_requests_running{kind="job"} 0' not in server.call("GET", "/metrics")[2]:
            assert time.monotonic() - began < 5, "a cancelled job still runs"
        stayed = server.call("GET", f"{JOBS}/{jobs[0]['id']}")[2]
        assert {r["status"] for r in stayed["results"]} <= {"waiting", "done"} and stayed["failed"] == 0
        for result in stayed["results"]:
            if result["url"]:
                assert server.call("GET", result["url"])[0] == 200
        lost = next(r["index"] for r in stayed["results"] if r["status"] == "waiting")
        assert code_of(server.call("GET", f"{JOBS}/{stayed['id']}/results/{lost}")) == (404, "result_not_found")
        assert {j["status"] for j in server.call("GET", JOBS + "?status=cancelled")[2]["data"]} == {"cancelled"}
        gone = server.call("DELETE", f"{JOBS}/{jobs[0]['id']}")[2]
        assert gone == {"id": jobs[0]["id"], "object": "job.deleted", "deleted": True}
        for method in ("GET", "DELETE"):
            assert code_of(server.call(method, f"{JOBS}/{jobs[0]['id']}")) == (404, "job_not_found")
        metrics = server.call("GET", "/metrics")[2].decode()
        assert 'januspro_jobs{status="cancelled"} 2' in metrics and 'januspro_requests_waiting{kind="job"} 0' in metrics

    @check("direct requests go before jobs, and jobs get on")
    def _():
        job = submit(server, {"type": "draw", "requests": [{"prompt": "a cat", "n": 10}] * 4})
        stop, answered = threading.Event(), []

        def ask():
            while not stop.is_set():
                answered.append(server.call("POST", DRAW, {"prompt": "a red ball", "n": 4})[0])
        clients = [threading.Thread(target=ask) for _ in range(2)]
        for client in clients:
            client.start()
        before = server.call("GET", f"{JOBS}/{job['id']}")[2]["done"]
        deadline = time.monotonic() + 60
        while server.call("GET", f"{JOBS}/{job['id']}?wait=5")[2]["done"] < min(40, before + 3) or len(answered) < 4:
            assert time.monotonic() < deadline, "jobs do not get on"
        stop.set()
        for client in clients:
            client.join()
        assert set(answered) == {200}
        server.call("DELETE", f"{JOBS}/{job['id']}")

    code, log = server.end()
    assert code == 0 and "a red ball" not in log


@check("the end by a signal gives jobs back, which goes on where it was")
def _():
    with tempfile.TemporaryDirectory() as folder:
        db = ("--db", f"{folder}/new/jobs.sqlite")
        with Server(PROGRAMS, *db) as server:
            body = {"type": "draw", "requests": [{"prompt": "a cat", "n": 10, "seed": 1}] * 2}
            job = submit(server, body)
            while not server.call("GET", f"{JOBS}/{job['id']}?wait=5")[2]["done"]:
                pass
            second = subprocess.run([f"{PROGRAMS}/januspro", "serve", "--port", "0", *db], capture_output=True, text=True)
            assert second.returncode == 1 and "--db" in second.stderr and second.stdout == "", second
            began = time.monotonic()
            assert server.end()[0] == 0 and time.monotonic() - began < 10
        with sqlite3.connect(db[1]) as file:
            assert file.execute("SELECT status FROM jobs").fetchone() == ("queued",)
            assert file.execute("SELECT max(tries) FROM items").fetchone() == (1,)
            assert not file.execute("SELECT 1 FROM items WHERE status = 'leased'").fetchone()
        file.close()
        with Server(PROGRAMS, *db) as server:
            job = finished(server, job)
            assert job["status"] == "done" and job["attempts"] == 1
            files = [server.call("GET", r["url"])[2] for r in job["results"]]
            assert files[:10] == files[10:] and len(set(files)) == 10


@check("a key sees its own jobs")
def _():
    with tempfile.NamedTemporaryFile("w", suffix=".keys") as keys:
        keys.write("alice secret-a\nsecret-b\n")
        keys.flush()
        with Server(PROGRAMS, "--keys", keys.name) as server:
            alice, bob = {"Authorization": "Bearer secret-a"}, {"Authorization": "Bearer secret-b"}
            body = {"type": "ask", "requests": [{"question": "Hello", "max_tokens": 2}]}
            mine = submit(server, body, Idempotency_Key="k", **alice)
            yours = submit(server, body, Idempotency_Key="k", **bob)
            assert mine["id"] != yours["id"]
            finished(server, mine, **alice)
            for method, path in (("GET", ""), ("DELETE", ""), ("GET", "/results/0")):
                assert code_of(server.call(method, f"{JOBS}/{mine['id']}{path}", **bob)) == (404, "job_not_found")
            assert [j["id"] for j in server.call("GET", JOBS, **alice)[2]["data"]] == [mine["id"]]
            assert server.call("GET", JOBS)[0] == 401


@check("old jobs go")
def _():
    with Server(PROGRAMS, "--keep-jobs", "1s") as server:
        job = finished(server, submit(server, {"type": "ask", "requests": [{"question": "Hello", "max_tokens": 2}]}))
        deadline = time.monotonic() + 30
        while server.call("GET", f"{JOBS}/{job['id']}")[0] != 404:
            assert time.monotonic() < deadline, "still there"
            time.sleep(0.2)


@check("a locked, a damaged and a removed database")
def _():
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "jobs.sqlite"
        ask = {"type": "ask", "requests": [{"question": "Hello", "max_tokens": 2}]}
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN EXCLUSIVE")
        with Server(PROGRAMS, "--db", str(path)) as server:
            assert code_of(server.call("POST", JOBS, ask)) == (503, "jobs_unavailable")
            assert still_served(server)
            other.execute("ROLLBACK")
            other.close()
            deadline = time.monotonic() + 30
            while (answer := server.call("POST", JOBS, ask))[0] != 202:
                assert time.monotonic() < deadline, answer
                time.sleep(0.1)
            kept = finished(server, answer[2])
            assert "locked" in server.read_log()
        damaged = path.read_bytes()[:200] + b"\x55" * 5000
        path.write_bytes(damaged)
        with Server(PROGRAMS, "--db", str(path)) as server:
            status, headers, error = server.call("GET", f"{JOBS}/{kept['id']}")
            assert (status, error["error"]["code"]) == (503, "jobs_unavailable") and headers["Retry-After"], error
            assert "damaged" in error["error"]["message"] and folder not in error["error"]["message"]
            assert still_served(server) and str(path) in server.read_log()
            assert path.read_bytes() == damaged, "evidence is left alone"
            path.rename(path.with_suffix(".damaged"))
            deadline = time.monotonic() + 60
            while (answer := server.call("POST", JOBS, ask))[0] != 202:
                assert time.monotonic() < deadline, answer
                time.sleep(0.1)
            finished(server, answer[2])
            for file in Path(folder).glob("jobs.sqlite*"):
                file.unlink()
            assert code_of(server.call("POST", JOBS, ask))[0] == 503 and still_served(server)


@check("a full disk")
def _():
    import resource

    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, resource.RLIM_INFINITY))
    with tempfile.TemporaryDirectory() as folder:
        with Server(PROGRAMS, "--db", f"{folder}/jobs.sqlite", preexec_fn=limit) as server:
            ask = {"type": "ask", "requests": [{"question": "Hello", "max_tokens": 2}]}
            small = finished(server, submit(server, ask))
            big = {"type": "edit", "requests": [{"prompt": "a", "image": data_url(picture(96)) }] * 256}
            draw = {"type": "draw", "requests": [{"prompt": "a cat", "n": 10, "seed": 1}] * 4}
            job = submit(server, draw)
            deadline = time.monotonic() + 60
            while not (full := server.call("POST", JOBS, big))[0] == 503:
                assert full[0] == 202 and time.monotonic() < deadline, full
            assert full[2]["error"]["code"] == "jobs_unavailable" and "disk" in full[2]["error"]["message"]
            assert still_served(server)
            assert server.call("GET", f"{JOBS}/{small['id']}")[2] == small
            resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
            job = finished(server, job)
            assert job["status"] == "done" and job["attempts"] == 1, job
            files = [server.call("GET", r["url"])[2] for r in job["results"]]
            assert files[:10] == files[10:20] == files[20:30] and len(set(files)) == 10
            server.end(signal.SIGKILL)


@check("what is wrong in a request is said before anything is accepted")
def _():
    with Server(PROGRAMS) as server:
        for body, param, code in (
                ({"type": "draw", "requests": [{"prompt": "a"}, {"prompt": "word " * 40000}]}, "requests[1].prompt", "context_length_exceeded"),
                ({"type": "draw", "requests": [{"prompt": "a", "size": "1x2"}]}, "requests[0].size", "size_not_supported"),
                ({"type": "ask", "requests": [{"question": "word " * 40000}]}, "requests[0].question", "context_length_exceeded"),
                ({"type": "edit", "requests": [{"prompt": "a", "image": "http://x/y.png"}]}, "requests[0].image", "remote_image_refused")):
            status, _, error = server.call("POST", JOBS, body)
            assert (status, error["error"]["param"], error["error"]["code"]) == (400, param, code), error
        assert server.call("GET", JOBS)[2] == {"object": "list", "data": [], "first_id": None, "last_id": None, "has_more": False}
        paths = server.call("GET", "/openapi.json")[2]["paths"]
        assert set(paths[JOBS]) == {"get", "post"} and set(paths[JOBS + "/{id}"]) == {"get", "delete"}
        assert [p["name"] for p in paths[JOBS + "/{id}/results/{index}"]["get"]["parameters"]] == ["id", "index"]


print(f"jobs: {check}")
