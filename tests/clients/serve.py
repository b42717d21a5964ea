#!/usr/bin/env python3
"""`januspro serve` at its socket and by its clients: `serve.py FOLDER`, which has januspro.

What the dialects make of a request is tested in tests/serve; here the program runs, with the model
that ships: answers and pictures whole and streamed, HTTP's corners, keys, clients that vanish or are
slow, the end by a signal. Prints one line.
SPDX-License-Identifier: MIT
"""
import base64
import json
import re
import os
import signal
import socket
import sys
import threading
import time

from _pictures import data_url, half_mask, picture, pixels_of, size_of
from _server import Checks, Server

CHAT, DRAW, EDIT = "/v1/chat/completions", "/v1/images/generations", "/v1/images/edits"
HI = {"messages": [{"role": "user", "content": "What is in the picture?"}], "max_tokens": 12}
check = Checks()



def raw(port, data, wait=10.0):
    """What comes back for these bytes until the server closes, or `wait` has passed."""
    with socket.create_connection(("127.0.0.1", port), timeout=wait) as s:
        s.sendall(data)
        got = b""
        try:
            while block := s.recv(65536):
                got += block
        except TimeoutError:
            pass
        return got


server = Server(sys.argv[1], "--read-timeout", "1", "--max-body", "2MB", "--alias", "gpt-4o", "--log-format", "json")
with server:
    @check("an answer, streamed and whole")
    def _():
        url = data_url(picture())
        content = [{"type": "image_url", "image_url": {"url": url}}, {"type": "text", "text": "What colour is it?"}]
        body = {"messages": [{"role": "user", "content": content}], "max_tokens": 20, "seed": 3, "temperature": 1, "n": 2,
                "logprobs": True, "top_logprobs": 2}
        status, headers, whole = server.call("POST", CHAT, body, x_request_id="mine.1")
        assert status == 200 and headers["x-request-id"] == "mine.1" and headers["x-content-type-options"] == "nosniff"
        assert whole["seed"] == 3 and len(whole["choices"]) == 2 and whole["usage"]["prompt_tokens_details"]["image_tokens"] > 0
        again = server.call("POST", CHAT, body)[2]
        assert [c["message"] for c in again["choices"]] == [c["message"] for c in whole["choices"]]
        assert again["usage"]["prompt_tokens_details"]["cached_tokens"] > 0
        events = server.events(CHAT, {**body, "stream_options": {"include_usage": True}})
        assert events[-1][1] == "[DONE]" and events[-2][1]["choices"] == [] and all(name is None for name, _ in events)
        chunks = [data for _, data in events[:-2]]
        assert len({c["id"] for c in chunks}) == 1
        for choice in whole["choices"]:
            mine = [c["choices"][0] for c in chunks if c["choices"][0]["index"] == choice["index"]]
            assert mine[0]["delta"]["role"] == "assistant" and mine[-1]["delta"] == {}
            assert mine[-1]["finish_reason"] == choice["finish_reason"]
            assert "".join(c["delta"].get("content", "") for c in mine) == choice["message"]["content"]
            told = [t["token"] for c in mine if c["logprobs"] for t in c["logprobs"]["content"]]
            assert told == [t["token"] for t in choice["logprobs"]["content"]] and told

    @check("pictures: seeds, sizes, formats, partials")
    def _():
        body = {"prompt": "a red ball", "n": 2, "seed": 7, "nonsense": 1}
        status, headers, whole = server.call("POST", DRAW, body)
        assert status == 200 and headers["x-januspro-ignored"] == "nonsense"
        files = [base64.b64decode(d["b64_json"]) for d in whole["data"]]
        assert [d["seed"] for d in whole["data"]] == [7, 8] and files[0] != files[1]
        one = server.call("POST", DRAW, {"prompt": "a red ball", "seed": 8})[2]
        assert base64.b64decode(one["data"][0]["b64_json"]) == files[1]
        assert b"parameters" in files[0] and b'"seed":7' in files[0].replace(b" ", b"")
        facts = server.call("GET", "/v1/models")[2]["data"][0]["januspro"]
        events = server.events(DRAW, {**body, "partial_images": 3, "previews": True})
        for index in (0, 1):
            mine = [(n, d) for n, d in events if d["image_index"] == index]
            partials = [d for n, d in mine if n == "image_generation.partial_image"]
            assert [d["partial_image_index"] for d in partials] == [0, 1, 2]
            assert all(size_of(base64.b64decode(d["b64_json"])) == (facts["image_size"],) * 2 for d in partials)
            assert len([n for n, _ in mine if n == "januspro.preview"]) == facts["image_grid"]
            assert mine[-1][0] == "image_generation.completed" and base64.b64decode(mine[-1][1]["b64_json"]) == files[index]
        resized = server.call("POST", DRAW, {**body, "n": 1, "size": "512x512", "response_format": "url"})[2]
        assert resized["drawn_size"] == f"{facts['image_size']}x{facts['image_size']}"
        path = "/" + resized["data"][0]["url"].split("/", 3)[3]
        status, headers, file = server.call("GET", path)
        assert status == 200 and headers["Content-Type"] == "image/png" and size_of(file) == (512, 512)
        assert server.call("GET", path[:-8] + "zzzz.png")[0] == 404
        jpeg = server.call("POST", DRAW, {**body, "n": 1, "output_format": "jpeg"})[2]
        assert base64.b64decode(jpeg["data"][0]["b64_json"]).startswith(b"\xff\xd8")
        status, _, error = server.call("POST", DRAW, {"prompt": "word " * 40000})
        assert status == 400 and error["error"]["code"] == "context_length_exceeded", error
        assert error["error"]["param"] == "prompt" and error["error"]["prompt_tokens"] > error["error"]["limit"]

    @check("edits: by mask, by keeping, by outpainting")
    def _():
        side = server.call("GET", "/v1/models")[2]["data"][0]["januspro"]["image_size"]
        url = data_url(picture(side))
        body = {"prompt": "a red ball", "seed": 7, "images": [{"image_url": url}]}
        whole = server.call("POST", EDIT, {**body, "keep": 1})[2]
        assert pixels_of(base64.b64decode(whole["data"][0]["b64_json"])) == pixels_of(picture(side)), "not the picture"
        assert whole["usage"]["input_tokens_details"]["image_tokens"] > 0
        masked = {**body, "mask": {"image_url": data_url(half_mask(side))}}
        status, _, part = server.call("POST", EDIT, masked)
        assert status == 200, part
        before, after = pixels_of(picture(side)), pixels_of(base64.b64decode(part["data"][0]["b64_json"]))
        rows = [(before[i:i + 3 * side], after[i:i + 3 * side]) for i in range(0, len(before), 3 * side)]
        assert all(b[-side:] == a[-side:] for b, a in rows) and any(b[:side] != a[:side] for b, a in rows)
        events = server.events(EDIT, {**masked, "partial_images": 2})
        assert [n for n, _ in events] == ["image_edit.partial_image"] * 2 + ["image_edit.completed"], events
        assert events[-1][1]["b64_json"] == part["data"][0]["b64_json"]
        status, _, error = server.call("POST", EDIT, {**body, "mask": {
            "image_url": data_url(half_mask(9))}})
        assert status == 400 and error["error"]["code"] == "mask_size_mismatch", error
        assert server.call("POST", EDIT, b"x", Content_Type="text/plain")[0] == 415
        assert server.call("POST", EDIT, b"x", Content_Type="multipart/form-data; boundary=y")[0] == 400
        reply = server.call("POST", "/sdapi/v1/img2img", {
            "init_images": [base64.b64encode(picture(side)).decode()], "denoising_strength": 0, "width": side, "height": side})[2]
        assert pixels_of(base64.b64decode(reply["images"][0])) == before and reply["parameters"]["init_images"] is None

    @check("A1111's interface")
    def _():
        status, _, reply = server.call("POST", "/sdapi/v1/txt2img", {"prompt": "a cat", "seed": 5, "width": 96, "height": 64, "steps": 20})
        assert status == 200 and size_of(base64.b64decode(reply["images"][0])) == (96, 64)
        assert json.loads(reply["info"])["all_seeds"] == [5]
        idle = server.call("GET", "/sdapi/v1/progress")[2]
        assert idle["progress"] == 0 and idle["state"]["job_count"] == 0
        options = server.call("GET", "/sdapi/v1/options")[2]
        assert server.call("POST", "/sdapi/v1/options", options)[2] is None
        assert server.call("POST", "/sdapi/v1/options", {"sd_model_checkpoint": "other"})[0] == 404
        assert server.call("POST", "/sdapi/v1/txt2img", {"width": "big"})[0] == 422
        for name in ("sd-models", "samplers", "schedulers", "upscalers", "latent-upscale-modes", "sd-vae", "loras"):
            assert isinstance(server.call("GET", "/sdapi/v1/" + name)[2], list), name
        caption = server.call("POST", "/sdapi/v1/interrogate", {"image": base64.b64encode(picture()).decode()})[2]
        assert caption["caption"]
        result = []
        drawing = threading.Thread(target=lambda: result.append(
            server.call("POST", "/sdapi/v1/txt2img", {"prompt": "a cat", "batch_size": 10})))
        drawing.start()
        while not (seen := server.call("GET", "/sdapi/v1/progress")[2])["progress"] and drawing.is_alive():
            pass
        server.call("POST", "/sdapi/v1/interrupt")
        drawing.join()
        assert result[0][0] == 200 and len(result[0][2]["images"]) <= 10, result[0][0]
        assert not seen["progress"] or seen["state"]["job_count"] == 10

    @check("HTTP's corners")
    def _():
        port, host = server.port, f"Host: 127.0.0.1:{server.port}\r\n".encode()
        json_type = b"Content-Type: application/json\r\n"
        assert raw(port, b"rubbish\r\n\r\n").startswith(b"HTTP/1.1 400 ")
        assert raw(port, b"GET / HTTP/1.1\r\n" + host + b"X: " + b"y" * 40000 + b"\r\n\r\n").startswith(b"HTTP/1.1 431 ")
        big = raw(port, b"POST /v1/chat/completions HTTP/1.1\r\n" + host + json_type + b"Content-Length: 99999999\r\n\r\n")
        assert big.startswith(b"HTTP/1.1 413 ") and b"request_too_large" in big
        began = time.monotonic()
        assert b" 408 " in raw(port, b"GET /health HTTP/1.1\r\nHo") and time.monotonic() - began < 5
        assert b" 408 " in raw(port, b"POST /v1/chat/completions HTTP/1.1\r\n" + host + json_type + b"Content-Length: 50\r\n\r\n{")
        assert raw(port, b"") == b""
        old = raw(port, b"GET /health HTTP/1.0\r\n" + host + b"\r\n")
        assert old.startswith(b"HTTP/1.1 200 ") and old.endswith(b'{"status":"ok"}')
        two = raw(port, (b"GET /health HTTP/1.1\r\n" + host + b"\r\n") + b"GET /ready HTTP/1.1\r\n" + host + b"Connection: close\r\n\r\n")
        assert two.count(b"HTTP/1.1 200 ") == 2 and b'"ready"' in two
        body = json.dumps(HI).encode()
        chunked = b"".join(b"%x\r\n%s\r\n" % (len(body[i:i + 9]), body[i:i + 9]) for i in range(0, len(body), 9)) + b"0\r\n\r\n"
        head = b"POST /v1/chat/completions HTTP/1.1\r\nConnection: close\r\n" + host + json_type
        assert raw(port, head + b"Transfer-Encoding: chunked\r\n\r\n" + chunked, 60).startswith(b"HTTP/1.1 200 ")
        expect = raw(port, head + b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(body) + body, 60)
        assert expect.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 ")
        status, headers, data = server.call("HEAD", "/health")
        assert status == 200 and data == b"" and headers["Content-Length"] == "15"
        for method, path, body, headers, status, code in (
                ("GET", "/v1/nothing", None, {}, 404, "unknown_url"),
                ("GET", CHAT, None, {}, 405, "method_not_allowed"),
                ("POST", CHAT, "{}", {"Content-Type": "text/plain"}, 415, "unsupported_media_type"),
                ("POST", CHAT, "{", {"Content-Type": "application/json"}, 400, "invalid_json"),
                ("POST", CHAT, {**HI, "model": "other"}, {}, 404, "model_not_found"),
                ("POST", CHAT, HI, {"Origin": "https://evil.example"}, 403, "origin_not_allowed"),
                ("GET", "/health", None, {"Host": "evil.example"}, 403, "host_not_allowed")):
            got, answer_headers, error = server.call(method, path, body, **headers)
            assert (got, error["error"]["code"]) == (status, code), (path, got, error)
            assert answer_headers["x-request-id"]
        assert server.call("GET", CHAT)[1]["Allow"] == "POST"
        assert server.call("POST", CHAT, {**HI, "model": "gpt-4o"})[0] == 200

    @check("the page and the description")
    def _():
        status, headers, page = server.call("GET", "/")
        assert status == 200 and b"<!doctype html>" in page and "default-src 'self'" in headers["Content-Security-Policy"]
        assert server.call("GET", "/", If_None_Match=headers["ETag"])[0] == 304
        assert server.call("GET", "/page/main.js")[1]["Content-Type"].startswith("text/javascript")
        assert server.call("GET", "/page/../../etc/passwd")[0] == 404
        description = server.call("GET", "/openapi.json")[2]
        assert description["openapi"] == "3.1.0" and "post" in description["paths"][CHAT]
        for path, methods in description["paths"].items():
            if "{" not in path:
                assert all(server.call("OPTIONS", path)[0] == 204 for _ in methods), path

    @check("a client that goes frees its place")
    def _():
        def running():
            text = server.call("GET", "/metrics")[2].decode()
            return sum(float(line.split()[-1]) for line in text.splitlines()
                       if line.startswith(("januspro_requests_running{", "januspro_requests_waiting{")))
        body = json.dumps({"prompt": "a red ball", "n": 10, "stream": True, "previews": True}).encode()
        for _ in range(3):
            with socket.create_connection(("127.0.0.1", server.port)) as s:
                s.sendall(f"POST {DRAW} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                          f"Content-Length: {len(body)}\r\n\r\n".encode() + body)
                s.recv(100)
        deadline = time.monotonic() + 5
        while running() > 0:
            assert time.monotonic() < deadline, "a place is still taken"
        text = server.call("GET", "/metrics")[2].decode()
        try:
            from prometheus_client.parser import text_string_to_metric_families as families
            assert len(list(families(text))) >= 20
        except ImportError:
            pass
        assert "januspro_requests_cancelled_total" in text and "januspro_images_total" in text

    @check("the same bytes alone and in a crowd")
    def _():
        works = [(DRAW, {"prompt": p, "seed": s, "n": n}) for s, (p, n) in enumerate([("a red ball", 1), ("a blue star", 3)] * 4)]
        works += [(CHAT, {**HI, "seed": s, "temperature": 1}) for s in range(8)]
        data = lambda path, body: [d.get("message", d) for d in server.call("POST", path, body)[2]["data" if path == DRAW else "choices"]]  # noqa: E731
        alone = [data(*work) for work in works]
        crowd = [None] * len(works)
        threads = [threading.Thread(target=lambda i=i: crowd.__setitem__(i, data(*works[i]))) for i in range(len(works))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert crowd == alone

    @check("a thousand idle connections, and twenty that drip")
    def _():
        idle = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(1000)]
        drips = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(20)]
        for byte in b"GET /hea":
            for s in drips:
                s.sendall(bytes([byte]))
            assert server.call("GET", "/health")[0] == 200
            time.sleep(0.02)
        assert server.call("POST", CHAT, HI)[0] == 200
        deadline = time.monotonic() + 20
        for s in idle:
            s.settimeout(max(0.1, deadline - time.monotonic()))
            assert s.recv(1) == b""
            s.close()
        for s in drips:
            s.settimeout(5)
            assert s.recv(12) == b"HTTP/1.1 408"
            s.close()

    began = threading.Thread(target=lambda: check.done.append(
        "a request that runs is finished at the end" if server.call("POST", DRAW, {"prompt": "a red ball", "n": 10})[0] == 200 else "lost"))
    began.start()
    while b'januspro_requests_running{kind="draw"} 1' not in server.call("GET", "/metrics")[2] and began.is_alive():
        pass
    code, log = server.end()
    began.join()
    assert code == 0 and "lost" not in check.done, code
lines = [json.loads(line) for line in log.splitlines() if line.startswith("{")]
assert any(line.get("route") == CHAT and line["status"] == 200 and line["id"] == "mine.1" for line in lines)
assert "What is in the picture" not in log and "a red ball" not in log, "a prompt is in the log"


@check("keys")
def _():
    with Server(sys.argv[1], "--api-key", "secret-1") as locked:
        assert locked.call("GET", "/health")[0] == locked.call("GET", "/")[0] == locked.call("GET", "/openapi.json")[0] == 200
        status, headers, error = locked.call("POST", CHAT, HI)
        assert status == 401 and error["error"]["code"] == "missing_api_key" and headers["WWW-Authenticate"] == "Bearer"
        assert locked.call("POST", CHAT, HI, Authorization="Bearer wrong")[2]["error"]["code"] == "invalid_api_key"
        assert locked.call("POST", CHAT, HI, Authorization="Bearer secret-1")[0] == 200
        basic = base64.b64encode(b"any:secret-1").decode()
        assert locked.call("GET", "/sdapi/v1/options", Authorization="Basic " + basic)[0] == 200
        assert locked.call("GET", "/v1/models", Authorization="Basic " + basic)[0] == 401
        code, log = locked.end(signal.SIGINT)
        assert code == 130 and "secret-1" not in log, (code, log)


@check("pictures on the web, and none of this machine's own")
def _():
    def ask(server, address):
        return server.call("POST", CHAT, {"max_tokens": 1, "messages": [{"role": "user", "content": [
            {"type": "image_url", "image_url": {"url": address}}, {"type": "text", "text": "What?"}]}]})
    for flags, words in (((), "--allow-fetch"), (("--allow-fetch",), "private network")):
        with Server(sys.argv[1], *flags) as server:
            for address in (server.url, f"http://localhost:{server.port}/page/icon.svg", "http://169.254.169.254/latest/meta-data"):
                status, _, error = ask(server, address)
                assert (status, error["error"]["code"]) == (400, "remote_image_refused") and words in error["error"]["message"], error
                assert error["error"]["param"] == "messages[0].content[0].image_url.url", error
            assert ask(server, "file:///etc/passwd")[0] == 400
            assert " GET / " not in server.end()[1], "it asked itself"


@check("a log that nobody reads holds nobody up")
def _():
    reading, writing = os.pipe()
    with Server(sys.argv[1], stderr=writing) as server:
        os.close(writing)
        lost = "januspro_log_lines_lost_total"
        while server.metric(lost) == 0:
            assert server.call("GET", "/health")[0] == 200
        assert server.call("GET", "/metrics")[0] == 200 and len(os.read(reading, 1 << 20)) > 10000
        assert server.call("GET", "/health")[0] == 200
        assert server.end()[0] == 0
        assert re.search(r"\d+ lines before this one were lost: nobody took them", os.read(reading, 1 << 20).decode())
    os.close(reading)


print(f"serve: {check}")
