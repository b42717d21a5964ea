#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs januspro and its rivals in turns and prints the table of ratios; called by bench/peers.sh, which says how."""
import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys

from alternate import Program
from llama_file import VOCABULARY, WIDTH

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
TYPES = ("bf16", "q8_0", "q4_0", "q4_k_m")
CONTEXT, STEPS, TOKENS = 330, 16, 576
# Of the text head: as llama.cpp's own tool for quantising gives it. Ours has q8_0 beside both types of blocks.
HEADS = {"bf16": "bf16", "q8_0": "q8_0", "q4_0": "q6_k", "q4_k_m": "q6_k"}
HEAD_BYTES = {"bf16": 2, "q8_0": 34 / 32, "q4_0": 34 / 32, "q4_k_m": 210 / 256}  # a number of ours
# Goals are ratios by type, in the order of TYPES; None is told only.
STEP_GOALS = {1: (1.8, 2.3, 2.2, None), 2: (1.7, 2.6, 3.6, None)}  # by rows
CROWD_GOALS = {"bf16": (2.4, 6.5, 5, None), "q8": (2.5, 7.5, 6.5, None)}  # by our type of keys and values
PROMPT_GOALS = (1.7, 7, 4, None)
PICTURE_GOALS = {"bf16": 2.8, "q4_0": 7.5}
VISION_GOALS = {"f32": 1.2, "q8_0": 3.5}
CODEC_GOAL = 3.5


class Peers:
    def __init__(self, arguments):
        self.programs, self.models, self.cache = arguments.build / "bin", arguments.models, arguments.cache
        self.rounds, self.flash = arguments.rounds, arguments.flash
        self.types = [kind for kind in TYPES if kind in arguments.types.split(",")]
        self.threads = str(len(os.sched_getaffinity(0)))
        self.missed = 0

    def call(self, *words):
        done = subprocess.run(list(map(str, words)), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        if done.returncode != 0:
            sys.exit(f"bench/peers.sh: {' '.join(done.args)} failed: {done.stderr[-1000:]}")
        return done.stdout

    # --- models, made where they are missing -----------------------------------------------------

    def model(self, kind):
        path = self.models / (f"1b-24-{kind}" + ("" if kind == "bf16" else ".gguf"))
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            self.call(self.programs / "januspro", "random-model", path, "--preset", "1b", "--type", kind, "--quiet")
        return path

    def llama_model(self, kind):
        path = self.cache / f"llama-{kind}-{HEADS[kind]}.gguf"
        if not path.exists():
            made = path.with_suffix(".part")
            self.call(sys.executable, HERE / "llama_file.py", made, kind, HEADS[kind])
            made.rename(path)
        return path

    def make_models(self):
        for kind in self.types:
            self.model(kind)
            self.llama_model(kind)

    # --- one run of either side ------------------------------------------------------------------

    def bench(self, *words):
        output = self.call(self.programs / "januspro", "bench", "--json", "--threads", self.threads, *words)
        return [json.loads(line) for line in output.splitlines()]

    def limits(self):
        return {line["name"]: line["value"] for line in self.bench("--work", "limits")}

    def our_steps(self, kind, rows, cache="bf16"):
        """{rows: seconds of a step}"""
        lines = self.bench("-m", self.model(kind), "--type", kind, "--kv", cache, "--work", "text_step", "--rows",
                           ",".join(map(str, rows)), "--context", CONTEXT, "--runs", STEPS)
        return {line["rows"]: line["seconds_median"] for line in lines}

    def llama_steps(self, kind, rows):
        """The same; positions before a step are CONTEXT on average."""
        prompt = CONTEXT - STEPS // 2
        output = self.call(self.cache / "llama/bin/llama-batched-bench", "-m", self.llama_model(kind), "-pps",
                           "-c", max(rows) * 512, "-b", 2048, "-ub", 1024, "-npp", prompt, "-ntg", STEPS,
                           "-npl", ",".join(map(str, rows)), "-t", self.threads, "-fa", self.flash,
                           "--output-format", "jsonl")
        lines = [json.loads(line) for line in output.splitlines() if line.startswith("{")]
        return {line["pl"]: line["t_tg"] / STEPS for line in lines}

    def our_prompt(self, kind):
        """Seconds, with reading the text head for its last row, which that work of ours leaves out."""
        lines = self.bench("-m", self.model(kind), "--type", kind, "--kv", "bf16", "--work", "limits,prompt",
                           "--tokens", TOKENS, "--runs", 1)
        read = next(line["value"] for line in lines if line.get("name") == "read")
        return lines[-1]["seconds_median"] + WIDTH * VOCABULARY * HEAD_BYTES[kind] / read

    def llama_prompt(self, kind):
        output = self.call(self.cache / "llama/bin/llama-bench", "-m", self.llama_model(kind), "-p", TOKENS,
                           "-n", 0, "-b", 1024, "-ub", 1024, "-r", 1, "-t", self.threads, "-fa", self.flash,
                           "-o", "json")
        return statistics.median(json.loads(output)[0]["samples_ns"]) / 1e9

    def our_picture(self, kind):
        output = self.call(self.programs / "januspro", "draw", "-m", self.model(kind), "--type", kind, "--threads",
                           self.threads, "a red ball on a green field", "-o", self.cache / "drawn.png", "--json",
                           "--quiet")
        return json.loads(output.splitlines()[0])["seconds"]

    # --- the table -------------------------------------------------------------------------------

    def row(self, what, pairs, goal):
        """Of pairs (ours, peer's) in seconds, one a round."""
        ours, theirs = (statistics.median(side) for side in zip(*pairs))
        ratios = [b / a for a, b in pairs]
        ratio = statistics.median(ratios)
        wanted, verdict = "told only", ""
        if goal is not None:
            wanted = f"≥ {goal:g}"
            verdict = "pass" if ratio >= goal else f"miss by {100 * (1 - ratio / goal):.0f} %"
        self.missed += verdict.startswith("miss")
        print(f"| {what} | {ours:.3g} s | {theirs:.3g} s | {ratio:.2f} ({min(ratios):.2f} to {max(ratios):.2f}) "
              f"| {wanted} | {verdict} |", flush=True)

    def step(self):
        rows = list(STEP_GOALS)
        for kind in self.types:
            rounds = [(self.our_steps(kind, rows), self.llama_steps(kind, rows)) for _ in range(self.rounds)]
            for n in rows:
                self.row(f"step of text, {n} row{'s' * (n > 1)}, {kind}", [(a[n], b[n]) for a, b in rounds],
                         STEP_GOALS[n][TYPES.index(kind)])

    def crowd(self):
        for kind in self.types:
            rounds = [([self.our_steps(kind, [32], cache)[32] for cache in CROWD_GOALS],
                       self.llama_steps(kind, [32])[32]) for _ in range(self.rounds)]
            for i, (cache, goals) in enumerate(CROWD_GOALS.items()):
                self.row(f"step of text, 32 rows, own caches in {cache} (peer f16), {kind}",
                         [(ours[i], theirs) for ours, theirs in rounds], goals[TYPES.index(kind)])

    def prompt(self):
        for kind in self.types:
            pairs = [(self.our_prompt(kind), self.llama_prompt(kind)) for _ in range(self.rounds)]
            self.row(f"prompt of {TOKENS} tokens, {kind}", pairs, PROMPT_GOALS[TYPES.index(kind)])

    def torch(self, precision="float32"):
        return Program([sys.executable, HERE / "torch_works.py", self.threads, precision])

    def picture(self):
        theirs = self.torch()
        for kind, goal in PICTURE_GOALS.items():
            if kind in self.types:
                # The peer first: it is then through with loading.
                rounds = [(theirs.run("picture")[0], self.our_picture(kind)) for _ in range(self.rounds)]
                self.row(f"one picture, {kind}; peer f32", [(a, b) for b, a in rounds], goal)
        theirs.close()

    def pieces(self, name, what, goals):
        """Works of bench/works.cc; both sides stay loaded, and the first round warms up."""
        theirs = self.torch()
        for kind, goal in goals.items():
            ours = Program([self.programs / "bench_works", self.threads, "", kind])
            pairs = [(ours.run(name)[0], theirs.run(name)[0]) for _ in range(self.rounds + 1)][1:]
            ours.close()
            self.row(f"{what}, {kind}; peer f32", pairs, goal)
        theirs.close()

    def vision(self):
        self.pieces("siglip", "vision tower and adaptor", VISION_GOALS)

    def codec(self):
        self.pieces("vq", "codes to pixels", {"f32": CODEC_GOAL})

    def print_limits(self, when):
        rates = ", ".join(f"{name} {value / 1e9:.0f}" for name, value in self.limits().items())
        print(f"| limits {when}: {rates} · 10⁹ a second | | | | | |", flush=True)


WORKS = ("step", "crowd", "prompt", "picture", "vision", "codec")


def main():
    parser = argparse.ArgumentParser(prog="bench/peers.sh", description=__doc__)
    parser.add_argument("--only", default=",".join(WORKS), help="works")
    parser.add_argument("--types", default=",".join(TYPES), help="of weights, where a work has them")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build/release", help="where januspro was built")
    parser.add_argument("--models", type=pathlib.Path, default=ROOT / "build/bench", help="where random models are kept")
    parser.add_argument("--cache", type=pathlib.Path, required=True, help="where the peers are kept")
    parser.add_argument("--build-only", action="store_true", help="make programs and models, and measure nothing")
    parser.add_argument("--flash", default="auto", choices=("on", "off", "auto"), help="llama.cpp's flash attention")
    arguments = parser.parse_args()
    for given, known in ((arguments.only, WORKS), (arguments.types, TYPES)):
        if unknown := set(given.split(",")) - set(known):
            parser.error(f"{', '.join(sorted(unknown))}; known: {', '.join(known)}")
    peers = Peers(arguments)
    if arguments.build_only:
        peers.make_models()
        return
    print("| work | ours | peer | ratio (spread) | goal | |\n|---|---|---|---|---|---|", flush=True)
    peers.print_limits("before")
    for work in WORKS:
        if work in arguments.only.split(","):
            getattr(peers, work)()
    peers.print_limits("after")
    sys.exit(f"bench/peers.sh: {peers.missed} missed" if peers.missed else 0)


if __name__ == "__main__":
    main()
