#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Mixed load for long: `soak.py FOLDER_OF_PROGRAMS [--minutes N] [--plot FILE.svg]`.

Six clients chat, ask about pictures, draw, edit, embed, submit jobs, send what is refused, and leave in the middle,
for 15 minutes unless said. Every five seconds the server's memory is read from /metrics. Prints it by the minute and
how far it lies from its mean after the first fifth; exits 1 where that is more than 5 %, or anything failed. Plain
Python, no packages.
"""
import argparse
import http.client
import json
import pathlib
import random
import socket
import statistics
import sys
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests/clients"))
from _pictures import data_url, picture  # noqa: E402
from _server import Server  # noqa: E402

CHAT, DRAW, EDIT, EMBED, JOBS = ("/v1/chat/completions", "/v1/images/generations", "/v1/images/edits", "/v1/embeddings",
                                 "/v1/jobs")
CLIENTS, BOUND = 6, 0.05


def url(size, chance):
    return data_url(picture(size + chance.randrange(64)))


def works(server, chance):
    """What a client may do next; every seed and every word is another."""
    seed, word = chance.randrange(10 ** 6), f"w{chance.randrange(10 ** 6)}"
    hello = [{"role": "user", "content": f"Hello {word}"}]
    seen = [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": url(64, chance)}}, {"type": "text", "text": word}]}]

    def leave():
        body = json.dumps({"prompt": word, "n": 4, "seed": seed}).encode()
        with socket.create_connection(("127.0.0.1", server.port)) as wire:
            wire.sendall(f"POST {DRAW} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
                         f"Content-Length: {len(body)}\r\n\r\n".encode() + body)
            time.sleep(chance.random() / 5)
        return 200

    def post(path, body):
        return lambda: server.call("POST", path, body)[0]
    return [
        post(CHAT, {"messages": hello, "max_tokens": 30, "temperature": 1, "seed": seed}),
        post(CHAT, {"messages": seen, "max_tokens": 20, "stream": True}),
        post(DRAW, {"prompt": f"a {word} ball", "seed": seed, "n": 1 + seed % 2}),
        post(DRAW, {"prompt": word, "seed": seed, "stream": True, "partial_images": 2}),
        post(EDIT, {"prompt": word, "seed": seed, "keep": 0.5, "images": [{"image_url": url(96, chance)}]}),
        post(EMBED, {"input": [word, {"image": url(64, chance)}]}),
        post(JOBS, {"type": "draw", "requests": [{"prompt": word, "seed": seed}]}),
        post(DRAW, {"prompt": word, "size": "1x1000"}),
        post(CHAT, {"messages": [{"role": "user", "content": "x " * 20000}]}),
        post(CHAT, b"{" + chance.randbytes(2000)),
        leave,
    ]


class Client(threading.Thread):
    def __init__(self, server, number, until):
        super().__init__()
        self.server, self.chance, self.until, self.counts = server, random.Random(number), until, {}

    def run(self):
        while time.monotonic() < self.until:
            status = self.chance.choice(works(self.server, self.chance))()
            self.counts[status] = self.counts.get(status, 0) + 1


def memory(server):
    return server.metric("process_resident_memory_bytes") / 2**20


def plot(path, samples, settled):
    """Megabytes over minutes."""
    width, height, left, bottom = 720, 240, 56, 36
    top, last = max(1, max(m for _, m in samples) * 1.2), samples[-1][0]
    points = " ".join(f"{left + s / last * (width - left - 8):.1f},{(height - bottom) * (1 - m / top) + 4:.1f}" for s, m in samples)
    at = left + settled / last * (width - left - 8)
    texts = [f'<text x="{left - 6}" y="{(height - bottom) * (1 - m / top) + 8:.0f}" text-anchor="end">{m:.0f}</text>' for m in (0, top / 2.4, top / 1.2)]
    texts += [f'<text x="{left + 60 * k / last * (width - left - 8):.0f}" y="{height - 14}" text-anchor="middle">{k}</text>'
              for k in range(0, int(last / 60) + 1, 3)]
    path.write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="12">'
        f'<rect width="{width}" height="{height}" fill="white"/><line x1="{at:.1f}" x2="{at:.1f}" y1="4" y2="{height - bottom + 4}" stroke="#bbb"/>'
        f'<line x1="{left}" x2="{width - 8}" y1="{height - bottom + 4}" y2="{height - bottom + 4}" stroke="#888"/>'
        f'<polyline points="{points}" fill="none" stroke="#2563eb" stroke-width="1.5"/>{"".join(texts)}'
        f'<text x="{left}" y="{height - 1}">minutes; memory of januspro serve in MB</text></svg>\n')


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("programs", type=pathlib.Path)
    parser.add_argument("--minutes", type=float, default=15)
    parser.add_argument("--plot", type=pathlib.Path)
    arguments = parser.parse_args()
    seconds = 60 * arguments.minutes
    with Server(arguments.programs, "--keep-jobs", "60s", "--log-format", "json") as server:
        began = time.monotonic()
        clients = [Client(server, number, began + seconds) for number in range(CLIENTS)]
        for client in clients:
            client.start()
        samples = []
        while time.monotonic() < began + seconds:
            samples.append((time.monotonic() - began, memory(server)))
            if len(samples) % 12 == 1:
                print(f"{samples[-1][0] / 60:5.1f} min {samples[-1][1]:8.1f} MB", flush=True)
            time.sleep(5)
        for client in clients:
            client.join()
        code, _ = server.end()
    counts = {}
    for client in clients:
        for status, count in client.counts.items():
            counts[status] = counts.get(status, 0) + count
    settled = seconds / 5
    after = [m for s, m in samples if s >= settled]
    mean = statistics.mean(after)
    furthest = max(abs(m - mean) for m in after) / mean
    print(f"{sum(counts.values())} requests, answered with {dict(sorted(counts.items()))}; memory after {settled / 60:.0f} min: "
          f"{mean:.1f} MB, at most {100 * furthest:.1f} % from it; exit code {code}")
    if arguments.plot:
        plot(arguments.plot, samples, settled)
    return furthest > BOUND or code != 0 or 500 in counts


if __name__ == "__main__":
    sys.exit(main())
