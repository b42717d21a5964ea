#!/usr/bin/env python3
"""Ten thousand requests of mixed validity at the socket: `malformed.py FOLDER [REQUESTS]`.

Good requests of every kind, the same with bytes changed, cut, doubled or put elsewhere, lines of HTTP
that are none, bodies that are shorter or longer than they say, clients that leave in the middle. The
server answers or closes, never with 500; it goes on as before, and its memory does not grow. The
order is a fixed one. Prints one line. SPDX-License-Identifier: MIT
"""
import errno
import json
import random
import re
import socket
import sys
import time

from _pictures import data_url, picture
from _server import Server

PROGRAMS, REQUESTS = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 10_000
chance = random.Random(20260201)
URL = data_url(picture(24))
HI = [{"role": "user", "content": "Hello"}]


def request(method, path, body=None, kind="application/json", more=""):
    head = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n{more}"
    if body is None:
        return (head + "\r\n").encode()
    body = body if isinstance(body, bytes) else json.dumps(body).encode()
    return (head + f"Content-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n").encode() + body


def form(**fields):
    parts = [b'--b\r\nContent-Disposition: form-data; name="image"; filename="a.png"\r\n\r\n' + picture(24) + b"\r\n"]
    parts += [f'--b\r\nContent-Disposition: form-data; name="{k}"\r\n\r\n{v}\r\n'.encode() for k, v in fields.items()]
    return b"".join(parts) + b"--b--\r\n"


GOOD = [
    request("GET", "/health"), request("GET", "/ready"), request("GET", "/metrics"), request("GET", "/openapi.json"),
    request("GET", "/"), request("HEAD", "/page/main.js"), request("GET", "/v1/models"), request("OPTIONS", "/v1/jobs"),
    request("GET", "/v1/jobs?limit=3"), request("GET", "/v1/jobs/job_none?wait=0"), request("DELETE", "/v1/jobs/job_none"),
    request("POST", "/v1/chat/completions", {"messages": HI, "max_tokens": 1}),
    request("POST", "/v1/chat/completions", {"messages": HI, "max_tokens": 2, "stream": True, "logprobs": True, "top_logprobs": 2}),
    request("POST", "/v1/chat/completions", {"max_tokens": 1, "messages": [{"role": "user", "content": [
        {"type": "image_url", "image_url": {"url": URL}}, {"type": "text", "text": "What?"}]}]}),
    request("POST", "/v1/embeddings", {"input": ["a", {"image": URL}]}),
    # Each is one word away from a drawing, which would take the time of all the others.
    request("POST", "/v1/images/generations", {"prompt": " ", "n": 2, "size": "96x96", "stream": True}),
    request("POST", "/v1/images/edits", form(prompt=" ", keep="0.5", outpaint="left"), "multipart/form-data; boundary=b"),
    request("POST", "/v1/images/edits", {"prompt": " ", "images": [{"image_url": URL}]}),
    request("POST", "/sdapi/v1/txt2img", {"prompt": "", "width": 0, "n_iter": 1}),
    request("POST", "/sdapi/v1/img2img", {"init_images": [URL], "denoising_strength": 2}),
    request("GET", "/sdapi/v1/progress?skip_current_image=true"), request("POST", "/sdapi/v1/interrupt", b""),
    request("POST", "/v1/jobs", {"type": "ask", "requests": [{"question": " ", "images": [URL], "max_tokens": 1}]}, more="Idempotency-Key: k\r\n"),
    request("POST", "/v1/embeddings", b"5\r\n{\"inp\r\na\r\nut\": \"aa\"}\r\n0\r\n\r\n").replace(b"Content-Length: 26", b"Transfer-Encoding: chunked"),
]
WORDS = [b"\0", b"\xff\xfe", b"\r\n", b"\r\n\r\n", b"{", b"}", b'"', b"[" * 70, b"1e999", b"-1", b"9" * 25, b"null", b"\\ud800",
         b"Content-Length: 99999999999\r\n", b"Transfer-Encoding: chunked\r\n", b"Expect: 100-continue\r\n", b"A" * 9000,
         b"--b--\r\n", b"%00", b"..%2f..", b"HTTP/9.9", b"Host: elsewhere\r\n"]


def changed(data):
    data = bytearray(data)
    for _ in range(chance.randint(1, 4)):
        at, what = chance.randrange(len(data) + 1), chance.randrange(6)
        if what == 0 and at < len(data):
            data[at] ^= 1 << chance.randrange(8)
        elif what == 1:
            del data[at:at + chance.randint(1, 40)]
        elif what == 2:
            data[at:at] = chance.choice(WORDS)
        elif what == 3:
            data[at:at] = data[at:at + chance.randint(1, 200)]
        elif what == 4:
            other = chance.choice(GOOD)
            data[at:] = other[chance.randrange(len(other)):]
        else:
            data[at:] = b""
    return bytes(data)


def noise():
    return chance.randbytes(chance.choice((1, 30, 3000)))


class Wire:
    """One connection after another, kept while the server keeps it."""

    def __init__(self, port):
        self.port, self.socket = port, None
        self.statuses = {}

    def ask(self, data, leave):
        self.socket = self.socket or socket.create_connection(("127.0.0.1", self.port), timeout=120)
        try:
            self.socket.sendall(data)
            if leave:
                return self.close()
            if data not in GOOD:
                self.socket.shutdown(socket.SHUT_WR)  # nothing more comes, whatever it has promised
            answer = b""
            while piece := self.socket.recv(1 << 16):
                answer += piece
        except OSError as error:  # it has closed on what it does not take
            assert isinstance(error, ConnectionError) or error.errno == errno.ENOTCONN, error
            return self.close()
        self.close()
        for status in re.findall(rb"^HTTP/1\.[01] (\d\d\d) ", answer, re.M)[:1]:
            self.statuses[int(status)] = self.statuses.get(int(status), 0) + 1
            assert status not in (b"500", b"502"), (data, answer[:500])

    def close(self):
        self.socket.close()
        self.socket = None


def memory(server):
    return server.metric("process_resident_memory_bytes") / 2**20


with Server(PROGRAMS, "--read-timeout", "2") as server:
    wire, early = Wire(server.port), None
    for number in range(REQUESTS):
        kind = chance.random()
        data = chance.choice(GOOD)
        if kind > 0.9:
            data = noise()
        elif kind > 0.25:
            data = changed(data)
        wire.ask(data, leave=chance.random() < 0.1)
        if number == REQUESTS // 3:
            early = memory(server)
    late = memory(server)
    deadline = time.monotonic() + 120
    while True:
        text = server.call("GET", "/metrics")[2].decode()
        rows = sum(float(n) for n in re.findall(r"^januspro_requests_(?:running|waiting)\{[^}]*\} (\S+)", text, re.M))
        if rows == 0:
            break
        assert time.monotonic() < deadline, "somebody who left is still worked for"
        time.sleep(0.1)
    assert late < 1.1 * early + 8, f"{early:.0f} MB after a third, {late:.0f} MB at the end"
    assert server.call("POST", "/v1/chat/completions", {"messages": HI, "max_tokens": 1})[0] == 200
    code, log = server.end()
    failures = [line for line in log.splitlines() if re.search(r" 50[02] \S+ s ", line)]
    assert code == 0 and not failures, (code, failures[:5])

statuses = ", ".join(f"{count} of {status}" for status, count in sorted(wire.statuses.items()))
print(f"malformed: {REQUESTS} requests: {statuses}; memory {early:.0f} MB after a third, {late:.0f} MB at the end")
