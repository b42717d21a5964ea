# SPDX-License-Identifier: MIT
"""Ten steps of direct preference optimisation by `januspro-train run` against the published formula
on transformers' classes with torch.optim.AdamW: drawings and conversations that say what is worse.

    preference.py BIN_DIR     BIN_DIR holds januspro-train

All weights with the plain loss beside, cut into passes and packed as well; and a low-rank adapter
without it, whose model before is the network without the adapter. Prints each step's largest
relative error of the preference's loss, and the largest difference of any weight over what ten steps
can move one; exits 1 where a loss is off by more than 1e-4 or a weight by more than 1e-3.
"""
import json
import pathlib
import subprocess
import sys
import tempfile

import numpy
import torch
from safetensors.torch import load_file
from torch.nn.functional import logsigmoid

from _reference import Reference
from loss import GOLDEN, rows, write_rows
from steps import golden

LOSS, WEIGHT = 1e-4, 1e-3
STEPS, RATE, BETA, SUPERVISED, EPSILON, CLIP = 10, 1e-3, 0.01, 0.005, 1e-5, 1.0

RECIPE = """
seed = 3
[model]
init = "{init}"
[preference]
beta = {beta}
supervised = {supervised}
[lora]
rank = {rank}
[[data]]
path = "{rows}"
format = "jsonl"
[optim]
lr = {rate}
beta1 = 0.9
beta2 = 0.95
eps = {epsilon}
clip = {clip}
[schedule]
steps = {steps}
[batch]
micro = {micro}
accumulate = {accumulate}
max_len = 600
pack = {pack}
[log]
every = 1
"""


def pairs(model):
    """Each row with what is worse: other codes, another picture, another last reply."""
    data = rows(model, 5)
    codes = numpy.random.default_rng(9).permutation(data[0]["target_codes"]).tolist()
    data[0]["rejected_codes"] = codes
    data[1]["rejected"] = "b.png"
    for row, worse in zip(data[2:], ("Two pears.", "They do not differ at all, I think.", "no")):
        row["rejected"] = worse
    return data


def worse(row):
    if "rejected_codes" in row:
        return {**row, "target_codes": row["rejected_codes"]}
    if "prompt" in row:
        return {**row, "image": row["rejected"]}
    return {**row, "messages": row["messages"][:-1] + [{**row["messages"][-1], "content": row["rejected"]}]}


def log_p(reference, row, folder):
    sum_of_losses, targets = reference.loss(row, folder)
    return -sum_of_losses, targets


def reference_run(data, folder):
    """Weights after all steps, and the loss of the preference at each."""
    model, before = golden(), Reference(golden(), GOLDEN / "tiny-hf")
    reference = Reference(model, GOLDEN / "tiny-hf")
    trained = {n: p for n, p in model.named_parameters() if "vqmodel" not in n}
    optimizer = torch.optim.AdamW(trained.values(), lr=RATE, betas=(0.9, 0.95), eps=EPSILON, weight_decay=0.0)
    with torch.no_grad():
        start = [(log_p(before, row, folder)[0], log_p(before, worse(row), folder)[0]) for row in data]
    losses = []
    for _ in range(STEPS):
        optimizer.zero_grad()
        preference, supervised, targets = 0, 0, 0
        for row, (chosen0, rejected0) in zip(data, start):
            chosen, count = log_p(reference, row, folder)
            rejected, _ = log_p(reference, worse(row), folder)
            preference = preference - logsigmoid(BETA * ((chosen - chosen0) - (rejected - rejected0))) / len(data)
            supervised, targets = supervised - chosen, targets + count
        (preference + SUPERVISED * supervised / targets).backward()
        torch.nn.utils.clip_grad_norm_(trained.values(), CLIP)
        optimizer.step()
        losses.append(preference.item())
    return {n: p.detach() for n, p in model.named_parameters()}, losses


def run(program, work, name, **settings):
    text = RECIPE.format(init=GOLDEN / "tiny-hf", rows=work / "rows.jsonl", beta=BETA, rate=RATE, epsilon=EPSILON,
                         clip=CLIP, steps=STEPS, **settings)
    (work / f"{name}.toml").write_text(text)
    subprocess.run([program, "run", work / f"{name}.toml", "-o", work / name], check=True, stdout=subprocess.DEVNULL)
    lines = [json.loads(line) for line in (work / name / "metrics.jsonl").read_text().splitlines()]
    weights = load_file(work / name / f"step-{STEPS:08}" / "weights.safetensors")
    return weights, [line for line in lines if "preference_loss" in line]


def main():
    program = pathlib.Path(sys.argv[1]).resolve() / "januspro-train"
    breaches = 0
    with tempfile.TemporaryDirectory() as folder:
        work = pathlib.Path(folder)
        data = pairs(golden())
        write_rows(data, work, 64, 6)
        wanted, losses = reference_run(data, work)
        for micro, accumulate, pack in ((5, 1, "false"), (1, 5, "false"), (5, 1, "true")):
            got, steps = run(program, work, f"all-{micro}-{pack}", supervised=SUPERVISED, rank=0, micro=micro,
                             accumulate=accumulate, pack=pack)
            loss = max(abs(step["preference_loss"] / want - 1) for step, want in zip(steps, losses, strict=True))
            weight = max((got[n] - w).abs().max().item() / (RATE * STEPS) for n, w in wanted.items())
            print(f"{micro} rows x {accumulate} passes, packed {pack}: losses {loss:.1e}, weights {weight:.1e} "
                  f"(loss {losses[0]:.3f} to {losses[-1]:.3f}, preferred {steps[-1]['preferred']:.2f})")
            breaches += not loss <= LOSS or not weight <= WEIGHT
        # B is zero before the first step, so the network is the one before; then it leaves it.
        _, steps = run(program, work, "adapter", supervised=0.0, rank=16, micro=5, accumulate=1, pack="false")
        first, last = steps[0]["preference_loss"], steps[-1]["preference_loss"]
        print(f"adapter: loss {first:.6f} (of no preference: 0.693147) to {last:.3f}")
        breaches += not abs(first - 0.693147) < 1e-5 or not last < 0.65
    print(f"{breaches} breaches")
    return 1 if breaches else 0


if __name__ == "__main__":
    sys.exit(main())
