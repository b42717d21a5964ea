#!/usr/bin/env python3
"""A run that is killed goes on as if it had not been: `killed.py FOLDER [TIMES]`, 20 unless said.

The same tiny run once undisturbed and once with kill -9 at random moments, checkpoints being
written at every step: whatever the moment, the folder holds a checkpoint that loads, and the weights
in the end are the same to the byte. Then one whose disk is full in the middle of a checkpoint, and
one that is stopped by SIGTERM and one by Ctrl-C. Prints one line. SPDX-License-Identifier: MIT
"""
import json
import pathlib
import random
import resource
import signal
import subprocess
import sys
import tempfile
import threading
import time

PROGRAM = pathlib.Path(sys.argv[1]) / "januspro-train"
TIMES = int(sys.argv[2]) if len(sys.argv) > 2 else 20
STEPS = 60
chance = random.Random(20261130)

RECIPE = """
seed = 5
[model]
image = 32
[model.vq]
codes = 64
code_width = 4
latent = 16
base = 16
multipliers = [1, 2]
blocks = 1
groups = 8
[[data]]
path = "toyland/few"
task = "reconstruct"
[schedule]
steps = %d
warmup = 2
[batch]
micro = 4
[codec]
crop = 32
[checkpoint]
every = 1
keep = 2
[log]
every = 1
""" % STEPS


def start(*arguments, **popen):
    return subprocess.Popen([PROGRAM, *arguments, "--threads", "1"], stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, text=True, **popen)


def wait_for_step(process):
    for line in process.stderr:
        if line.startswith("step "):
            return


def stop(process, sent, run):
    """Once it has done a step: it says how to go on, and that it is well."""
    wait_for_step(process)
    process.send_signal(sent)
    _, said = process.communicate()
    assert process.returncode == 0 and f"januspro-train resume {run}" in said, said


def steps_of(run):
    return sorted(folder.name for folder in run.glob("step-*"))


def weights(run):
    return {file: (run / f"step-{STEPS:08}" / file).read_bytes()
            for file in ("weights.safetensors", "optimizer.safetensors")}


def metrics(run):
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [(line["step"], line["loss"]) for line in lines]


def full_disk():
    # Writing fails after so many bytes of a file as a full disk makes it fail.
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))


with tempfile.TemporaryDirectory() as folder:
    folder = pathlib.Path(folder)
    (folder / "r.toml").write_text(RECIPE)
    whole, full, stopped = (folder / name for name in ("whole", "full", "stopped"))
    process = start("run", folder / "r.toml", "-o", whole)
    begin = time.monotonic()
    wait_for_step(process)
    ready = time.monotonic()
    assert process.communicate() and process.returncode == 0, "the undisturbed run failed"
    step = (time.monotonic() - ready) / STEPS

    kills = runs = 0
    while kills < TIMES:
        killed = folder / f"killed-{runs}"
        runs += 1
        process = start("run", folder / "r.toml", "-o", killed)
        while True:
            # A few while it begins, most while it steps and writes.
            if chance.random() < 0.2:
                pause = (ready - begin) * chance.random()
            else:
                wait_for_step(process)
                pause = 4 * step * chance.random()
            killer = threading.Timer(pause, process.kill)
            killer.start()
            _, said = process.communicate()
            killer.cancel()
            if process.returncode == 0:
                break
            assert process.returncode == -signal.SIGKILL, said
            kills += 1
            if (killed / "recipe.toml").exists():
                process = start("resume", killed)
            else:  # it had not even begun
                process = start("run", folder / "r.toml", "-o", killed)
        assert weights(killed) == weights(whole), "other weights than without the kills"
        assert metrics(killed) == metrics(whole), "other lines than without the kills"

    process = start("run", folder / "r.toml", "-o", full)
    stop(process, signal.SIGTERM, full)
    before = steps_of(full)
    process = start("resume", full, preexec_fn=full_disk)
    _, said = process.communicate()
    assert process.returncode == 1 and "File too large" in said and str(full) in said, said
    assert steps_of(full) == before, "a checkpoint is gone, or half of one is there"
    process = start("resume", full)
    assert process.communicate() and process.returncode == 0
    assert weights(full) == weights(whole), "other weights than without a full disk"

    process = start("run", folder / "r.toml", "-o", stopped)
    for sent in (signal.SIGTERM, signal.SIGINT):
        stop(process, sent, stopped)
        process = start("resume", stopped)
    assert process.communicate() and process.returncode == 0
    assert weights(stopped) == weights(whole), "other weights than without the stops"

print(f"killed: {kills} times in {runs} runs, once on a full disk, stopped twice: the same weights to the byte")
