#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs two programs in turns and prints the ratio of their times, work by work.

    alternate.py --rounds 7 --works siglip,prompt,vq -- OURS… -- THEIRS…

Both stay loaded; each reads the name of a work and answers `name wall processor`, in seconds. The first round warms
up. A ratio above 1 says that ours is faster; the spread is that of single rounds, whose two runs are neighbours in
time. Processor time is what other programs on the machine do not change.
"""
import argparse
import statistics
import subprocess
import sys


def split_commands(rest):
    cut = rest.index("--")
    return rest[:cut], rest[cut + 1:]


class Program:
    def __init__(self, command):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def run(self, work):
        print(work, file=self.process.stdin, flush=True)
        answer = self.process.stdout.readline().split()
        if len(answer) != 3:
            sys.exit(f"no time for {work}: {' '.join(answer)}")
        return float(answer[1]), float(answer[2])

    def close(self):
        """What is measured next is alone again."""
        self.process.stdin.close()
        self.process.wait()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--works", default="siglip,prompt,vq")
    own, rest = sys.argv[1:], []
    if "--" in own:
        cut = own.index("--")
        own, rest = own[:cut], own[cut + 1:]
    options = parser.parse_args(own)
    ours, theirs = (Program(command) for command in split_commands(rest))
    print(f"{'work':8} {'clock':10} {'ours s':>9} {'theirs s':>9} {'ratio':>6}   spread")
    for work in options.works.split(","):
        rounds = [(ours.run(work), theirs.run(work)) for _ in range(options.rounds + 1)][1:]
        for clock, name in enumerate(("wall", "processor")):
            a = [pair[0][clock] for pair in rounds]
            b = [pair[1][clock] for pair in rounds]
            ratios = [y / x for x, y in zip(a, b)]
            print(f"{work:8} {name:10} {statistics.median(a):9.3f} {statistics.median(b):9.3f} "
                  f"{statistics.median(ratios):6.2f}   {min(ratios):.2f} to {max(ratios):.2f}", flush=True)


if __name__ == "__main__":
    main()
