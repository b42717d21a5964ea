#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""How `januspro serve` shares one model: `serving.py FOLDER_OF_PROGRAMS [MODEL] [--rounds N]`.

stalls      the longest pause between two tokens of an answer that streams, alone and while others join: a long
            prompt, a picture that is read, pictures that are drawn (their prompt, their steps, their pixels)
drawings    codes a second of one drawing and of eight at once, pixels not counted, turn about; their ratio is
            what one batch gains over one after another
idlers      how long a question takes alone, and beside 1,000 connections that say nothing and 20 that send a byte
            a second, turn about (of the model that ships, whichever else is named)

Machines do nothing else meanwhile. Plain Python, no packages.
"""
import argparse
import http.client
import json
import pathlib
import resource
import socket
import statistics
import sys
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests/clients"))
from _pictures import data_url, picture  # noqa: E402
from _server import Server  # noqa: E402

CHAT, DRAW = "/v1/chat/completions", "/v1/images/generations"
TOKENS = 1500  # of the answer that streams: longer than what joins it takes


def question(text, url=None):
    parts = [{"type": "text", "text": text}] + ([{"type": "image_url", "image_url": {"url": url}}] if url else [])
    return [{"role": "user", "content": parts}]


class Stream(threading.Thread):
    """An answer token by token, with the moment of each; again and again until it is to stop."""

    def __init__(self, server, temperature):
        super().__init__()
        self.server, self.temperature, self.times, self.stop = server, temperature, [], False

    def run(self):
        while not self.stop:
            connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=600)
            body = {"messages": question("Tell me a story."), "max_tokens": TOKENS, "stream": True, "logprobs": True,
                    "temperature": self.temperature}
            self.times.append(time.monotonic())  # what comes before a first token is waited for too
            connection.request("POST", CHAT, json.dumps(body), {"Content-Type": "application/json"})
            answer = connection.getresponse()
            for line in answer:
                if self.stop:
                    break
                if line.startswith(b"data: {"):
                    self.times.append(time.monotonic())
            connection.close()

    def pauses(self, since, until):
        pairs = zip(self.times, self.times[1:])
        return [b - a for a, b in pairs if a < until and b > since]


def stalls(server):
    stream = Stream(server, 1)
    stream.start()
    while len(stream.times) < 20:  # a first request touches memory that nobody has touched
        time.sleep(0.1)
    size = server.call("GET", "/v1/models")[2]["data"][0]["januspro"]["image_size"]
    url = data_url(picture(size))
    # Words that nobody else has said: what is remembered of earlier prompts would cost nothing.
    words = " ".join(f"w{time.monotonic_ns() % 9973 + i}" for i in range(220))
    others = {
        "alone": lambda: time.sleep(3),
        "a prompt of 220 words": lambda: server.call("POST", CHAT, {"messages": question(words), "max_tokens": 4}),
        "a picture is read": lambda: server.call("POST", CHAT, {"messages": question("What is it?", url), "max_tokens": 4}),
        "two pictures are drawn": lambda: server.call("POST", DRAW, {"prompt": "a red ball", "n": 2}),
    }
    found = {}
    for name, work in others.items():
        since = time.monotonic()
        work()
        until = time.monotonic()
        while stream.times[-1] < until:  # the pause under way counts as well
            time.sleep(0.01)
        found[name] = stream.pauses(since, until)
    stream.stop = True
    stream.join()
    return found


class Codes(threading.Thread):
    """When codes were drawn, by the server's own count."""

    def __init__(self, server):
        super().__init__()
        self.server, self.stop, self.seen = server, False, []

    def count(self):
        return self.server.metric("januspro_image_tokens_total")

    def run(self):
        began, last = time.monotonic(), self.count()
        while not self.stop:
            now, now_is = self.count(), time.monotonic()
            if now != last:
                self.seen.append((now_is, now))
            last = now
            # Asking more often takes from what is measured; a small model is done within a fifth of a second.
            time.sleep(min(0.1, 0.01 + (now_is - began) / 20))

    def rate(self):
        (begin, first), (end, last) = self.seen[0], self.seen[-1]
        return (last - first) / (end - begin)


def rate_of(server, count):
    codes = Codes(server)
    codes.start()
    drawings = [threading.Thread(target=server.call, args=("POST", DRAW, {"prompt": "a red ball", "seed": seed}))
                for seed in range(count)]
    for drawing in drawings:
        drawing.start()
    for drawing in drawings:
        drawing.join()
    codes.stop = True
    codes.join()
    return codes.rate()


class Idlers:
    """Connections whose request never comes, or comes drop by drop; opened anew where the server ends them."""

    def __init__(self, server, silent, dripping):
        self.address, self.stop, self.opened = ("127.0.0.1", server.port), False, 0
        self.silent, self.dripping = [self.open() for _ in range(silent)], [self.open() for _ in range(dripping)]
        self.thread = threading.Thread(target=self.drip)
        self.thread.start()

    def open(self):
        self.opened += 1
        return socket.create_connection(self.address)

    def is_over(self, wire):
        wire.setblocking(False)
        try:
            return not wire.recv(4096)
        except BlockingIOError:
            return False
        except OSError:
            return True

    def drip(self):
        head = b"GET /health HTTP/1.1\r\nX-Long: " + b"x" * 100000
        at = 0
        while not self.stop:
            for wires in (self.silent, self.dripping):
                for i, wire in enumerate(wires):
                    if self.is_over(wire):
                        wire.close()
                        wires[i] = self.open()
            for wire in self.dripping:
                try:
                    wire.send(head[at:at + 1])
                except OSError:
                    pass  # found to be over at the next turn
            at += 1
            time.sleep(1)

    def end(self):
        self.stop = True
        self.thread.join()
        for wire in self.silent + self.dripping:
            wire.close()


def seconds_of_questions(server, count=200):
    found = []
    for i in range(count):
        began = time.monotonic()
        status = server.call("POST", CHAT, {"messages": question(f"Is it {i}?"), "max_tokens": 8})[0]
        assert status == 200, status
        found.append(time.monotonic() - began)
    return found


def idlers(server, rounds):
    """Medians alone and in company, and connections opened."""
    seconds_of_questions(server)
    alone, beside, opened = [], [], 0
    for _ in range(rounds):
        alone += seconds_of_questions(server)
        company = Idlers(server, 1000, 20)
        time.sleep(1)
        beside += seconds_of_questions(server)
        company.end()
        opened += company.opened
    return statistics.median(alone), statistics.median(beside), opened


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("programs", type=pathlib.Path)
    parser.add_argument("model", nargs="?", type=pathlib.Path, default=ROOT / "models/toyland")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    Server.patience = 1800
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    with Server(arguments.programs) as server:
        alone, beside, opened = idlers(server, arguments.rounds)
        print(f"a question of 8 tokens: {1000 * alone:.1f} ms alone, {1000 * beside:.1f} ms beside 1,020 idle connections "
              f"({opened} opened in all): {beside / alone:.2f} times as long", flush=True)
    with Server(arguments.programs, model=arguments.model) as server:
        print(f"pauses between tokens, ms{'':16} median  99 of 100  longest  (of {arguments.rounds} rounds)")
        rounds = [stalls(server) for _ in range(arguments.rounds)]
        for name in rounds[0]:
            pauses = [1000 * pause for one in rounds for pause in one[name]]
            late = sorted(pauses)[len(pauses) * 99 // 100]
            print(f"  {name:36} {statistics.median(pauses):8.1f} {late:8.1f} {max(pauses):8.1f}", flush=True)
    with Server(arguments.programs, "--ahead", "1", model=arguments.model) as server:
        rates = [(rate_of(server, 1), rate_of(server, 8)) for _ in range(arguments.rounds)]
        one, eight = (statistics.median(each) for each in zip(*rates))
        ratio = statistics.median(b / a for a, b in rates)
        print(f"codes a second: {one:.1f} of one drawing, {eight:.1f} of eight at once: {ratio:.2f} times as many")


if __name__ == "__main__":
    main()
