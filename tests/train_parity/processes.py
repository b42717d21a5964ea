#!/usr/bin/env python3
"""A training by many processes is the one by one: `processes.py FOLDER`, on this machine alone.

1, 2 and 4 processes, with and without sharing the optimizer's state and gradients: the same rows, losses
within BOUND of themselves. Stopped by SIGTERM and gone on with as many: the same bytes; with another number: the same
losses. One that dies by kill -9, or stops with a reason, is named by the others. Numbers that do not
divide are refused before anything is written. Then torchrun starts some. Prints one line.
SPDX-License-Identifier: MIT
"""
import json
import os
import pathlib
import re
import resource
import signal
import socket
import subprocess
import sys
import tempfile
import time

PROGRAM = pathlib.Path(sys.argv[1]).resolve() / "januspro-train"
GOLDEN = pathlib.Path(__file__).resolve().parents[1] / "golden"
BOUND = 1e-5
STEPS = 6

RECIPE = """
seed = 5
condition_drop = 0.3
[model]
image = 32
tokenizer = "%s"
vq = {codes = 64, latent = 16, base = 8, multipliers = [1, 2, 2], blocks = 1, groups = 4}
language = {width = 48, layers = 2, heads = 4, mlp_width = 96, vocabulary = 640, context = 320}
vision = {width = 32, layers = 1, heads = 2, mlp_width = 64, patch = 8}
[[data]]
path = "toyland"
task = "generate"
[[data]]
path = "toyland"
task = "understand"
[[data]]
path = "%s"
format = "jsonl"
max_broken = 2
[optim]
lr = 3e-3
ema = 0.9
[schedule]
steps = %d
[batch]
micro = 8
[checkpoint]
every = 1000
[log]
every = 1
tensorboard = false
"""


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def start(count, *arguments, first_is=None):
    """-> the processes, as a launcher would have started them; `first_is`: done in rank 0 before."""
    port, all_of_them = free_port(), []
    for rank in range(count):
        place = {"RANK": rank, "WORLD_SIZE": count, "LOCAL_RANK": rank, "LOCAL_WORLD_SIZE": count,
                 "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
        all_of_them.append(subprocess.Popen(
            [PROGRAM, *arguments, "--threads", "1"], env={**os.environ, **{k: str(v) for k, v in place.items()}},
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
            preexec_fn=first_is if rank == 0 else None))
    return all_of_them


def end(processes):
    """-> their exit statuses, and what each has said"""
    said = [process.communicate(timeout=90)[1] for process in processes]
    return [process.returncode for process in processes], said


def finish(processes):
    statuses, said = end(processes)
    assert statuses == [0] * len(processes), (statuses, said)
    assert all(len(text) == 0 for text in said[1:]), said[1:]


def wait_for_step(processes, step):
    for line in processes[0].stderr:
        if line.startswith(f"step {step}/"):
            return


def lines(run):
    found = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return {line["step"]: line for line in found}


def furthest(run, other):
    """The largest difference of losses, of themselves."""
    a, b = lines(run), lines(other)
    assert a.keys() == b.keys(), (list(a), list(b))
    names = ("loss", "code_loss", "answer_loss", "text_loss", "grad_norm")
    return max(abs(a[step][name] - b[step][name]) / a[step][name] for step in a for name in names if name in a[step])


def broken(run):
    return sorted((run / "broken.jsonl").read_text().splitlines())


def state(run, step=STEPS):
    return {file: (run / f"step-{step:08}" / file).read_bytes()
            for file in ("weights.safetensors", "optimizer.safetensors")}


def compare(folder, recipe):
    """-> the run of one process, the largest difference to it, the bytes sent a step"""
    one = folder / "one"
    finish(start(1, "run", recipe, "-o", one))
    numbers = sum(int(part) for part in re.findall(r"(\d+) trained", subprocess.run(
        [PROGRAM, "run", recipe, "--dry-run"], capture_output=True, text=True).stdout.splitlines()[-3]))
    worst = 0
    for count in (2, 4):
        for zero in (0, 1, 2):
            run = folder / f"{count}-{zero}"
            finish(start(count, "run", recipe, "-o", run, "--set", f"parallel.zero={zero}"))
            difference = furthest(one, run)
            assert difference < BOUND, f"{count} processes, zero {zero}: {difference}"
            assert broken(run) == broken(one), "other rows"
            worst = max(worst, difference)
            # Every number goes out once as a gradient and once as a sum or as a weight.
            sent = lines(run)[STEPS]["sent_mb"] * 1e6
            wanted = 2 * 4 * numbers * (count - 1) / count
            assert 0.99 * wanted < sent < 1.15 * wanted, (sent, wanted)
    # What was gathered of the parts is what one process kept whole.
    assert len(state(folder / "4-2")["optimizer.safetensors"]) == len(state(one)["optimizer.safetensors"])
    return one, worst


def stopped(folder, recipe, one):
    """SIGTERM to all, as launchers send it; then as many go on, and another number."""
    for zero in (0, 1):
        run = folder / f"stopped-{zero}"
        processes = start(2, "run", recipe, "-o", run, "--set", f"parallel.zero={zero}")
        wait_for_step(processes, 2)
        for process in processes:
            process.send_signal(signal.SIGTERM)
        statuses, said = end(processes)
        assert statuses == [0, 0] and f"januspro-train resume {run}" in said[0], (statuses, said)
        other = folder / f"other-{zero}"
        subprocess.run(["cp", "-r", run, other], check=True)
        finish(start(2, "resume", run))
        assert state(run) == state(folder / f"2-{zero}"), "other bytes than without the stop"
        finish(start(4 if zero else 1, "resume", other))
        assert furthest(one, other) < BOUND


def killed(folder, recipe, one):
    """-> seconds until the others were gone"""
    long = ["--set", "schedule.steps=2000"]
    slowest = 0
    for victim, zero in ((1, 0), (2, 1), (0, 0)):
        run = folder / f"killed-{victim}"
        processes = start(3, "run", recipe, "-o", run, *long, "--set", "batch.micro=6", "--set", f"parallel.zero={zero}")
        wait_for_step(processes, 5)
        processes[victim].kill()
        begin = time.monotonic()
        statuses, said = end(processes)
        slowest = max(slowest, time.monotonic() - begin)
        for rank in range(3):
            assert statuses[rank] == (-signal.SIGKILL if rank == victim else 1), (statuses, said)
            assert rank == victim or f"process {victim} of 3" in said[rank], said[rank]
        saved = [int(path.name[5:]) for path in run.glob("step-*")]
        if victim == 1:  # the first had everything
            last = max(lines(run))
            assert saved in ([last], [last + 1]), (saved, last)
            text = (run / "recipe.toml").read_text().replace("steps = 2000", f"steps = {saved[0] + 3}")
            (run / "recipe.toml").write_text(text)
            whole = folder / "whole"
            finish(start(2, "run", run / "recipe.toml", "-o", whole))
            finish(start(2, "resume", run))
            assert furthest(whole, run) < BOUND
        else:
            assert saved == [], saved
    return slowest


def small_files():
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (60000, 60000))


def refused(folder, recipe):
    run = folder / "refused"
    statuses, said = end(start(3, "run", recipe, "-o", run))
    assert statuses == [1] * 3 and not run.exists(), statuses
    assert all("batch.micro = 8" in text and "3 processes" in text for text in said), said
    statuses, said = end(start(2, "run", recipe, "-o", run, "--set", "parallel.zero=3"))
    assert statuses == [1] * 2 and "parallel.zero = 3" in said[0], said
    # A disk that is full for the first is told by the second.
    statuses, said = end(start(2, "run", recipe, "-o", folder / "full", "--set", "checkpoint.every=2", first_is=small_files))
    assert statuses == [1, 1], statuses
    assert re.search(r"process 0 of 2 \(.*\) stopped: .*File too large", said[1]), said


def by_torchrun(folder, recipe):
    launcher = pathlib.Path(sys.executable).with_name("torchrun")
    if not launcher.exists():
        return "no torchrun here"
    run = folder / "torchrun"
    words = [launcher, "--nnodes", "1", "--nproc-per-node", "2", "--rdzv-backend", "c10d", "--rdzv-endpoint",
             f"127.0.0.1:{free_port()}", "--no-python", PROGRAM, "run", recipe, "-o", run, "--threads", "1"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=90)
    assert done.returncode == 0, done.stderr
    assert furthest(folder / "one", run) < BOUND
    return "by torchrun too"


def main():
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        rows = [{"messages": [{"role": "user", "content": f"say {k}"}, {"role": "assistant", "content": "a" * (k + 1)}]}
                for k in range(11)]
        rows.insert(4, {"prompt": "a hole", "image": "nowhere.png"})
        (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        recipe = folder / "recipe.toml"
        recipe.write_text(RECIPE % (GOLDEN / "tiny-hf" / "tokenizer.json", folder / "rows.jsonl", STEPS))
        one, worst = compare(folder, recipe)
        refused(folder, recipe)
        stopped(folder, recipe, one)
        slowest = killed(folder, recipe, one)
        launched = by_torchrun(folder, recipe)
        print(f"processes: 1, 2 and 4 differ by {worst:.1e} at most; stopped and gone on with to the byte; one that "
              f"dies is named, the others end within {slowest:.1f} s; {launched}")


main()
