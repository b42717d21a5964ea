# SPDX-License-Identifier: MIT
"""Ten steps of `januspro-train run` on rows of a file against torch.optim.AdamW on transformers'
classes: the same rows in every step, clipping, decay of matrices alone, no dropped prompts.

    steps.py BIN_DIR          BIN_DIR holds januspro-train

For each way of averaging (loss.norm), and cut into passes and packed as well. The measure is the
largest difference of any weight after ten steps over what ten steps can move one at most, ten times
the learning rate; prints the worst of each run and exits 1 where one is above 1e-3.
"""
import pathlib
import re
import subprocess
import sys
import tempfile

import torch
from safetensors.torch import load_file
from transformers import JanusForConditionalGeneration

from _reference import Reference
from loss import GOLDEN, rows, write_rows

BOUND, STEPS, RATE, DECAY, CLIP = 1e-3, 10, 1e-3, 0.1, 1.0
# Epsilon above the rounding of gradients that are zero by their nature (biases of keys in
# attention): those would take whole steps in the direction of their noise.
EPSILON = 1e-5

RECIPE = """
seed = 3
condition_drop = 0.0
[model]
init = "{init}"
[[data]]
path = "{rows}"
format = "jsonl"
[loss]
norm = "{norm}"
[optim]
lr = {rate}
beta1 = 0.9
beta2 = 0.95
eps = {epsilon}
weight_decay = {decay}
clip = {clip}
[schedule]
kind = "constant"
steps = {steps}
[batch]
micro = {micro}
accumulate = {accumulate}
max_len = 600
pack = {pack}
"""


def kind(row):
    return "generate" if "prompt" in row else "understand" if row.get("images") else "text"


def step_loss(norm, reference, data, folder):
    """One number of a step's rows, as docs/training.md defines loss.norm."""
    sums = [(kind(row), *reference.loss(row, folder)) for row in data]
    if norm == "token":
        return sum(s for _, s, _ in sums) / sum(n for _, _, n in sums)
    if norm == "sample":
        return sum(s / n for _, s, n in sums) / len(sums)
    kinds = sorted({k for k, _, _ in sums})
    return sum(sum(s for k, s, _ in sums if k == one) / sum(n for k, _, n in sums if k == one)
               for one in kinds) / len(kinds)


def golden():
    return JanusForConditionalGeneration.from_pretrained(
        GOLDEN / "tiny-hf", dtype=torch.float32, attn_implementation="eager").eval()


def reference_weights(norm, data, folder):
    model = golden()
    trained = {n: p for n, p in model.named_parameters() if "vqmodel" not in n}
    decayed = lambda n, p: p.ndim > 1 and "embed" not in n
    optimizer = torch.optim.AdamW(
        [{"params": [p for n, p in trained.items() if decayed(n, p)], "weight_decay": DECAY},
         {"params": [p for n, p in trained.items() if not decayed(n, p)], "weight_decay": 0.0}],
        lr=RATE, betas=(0.9, 0.95), eps=EPSILON)
    reference = Reference(model, GOLDEN / "tiny-hf")
    for _ in range(STEPS):
        optimizer.zero_grad()
        step_loss(norm, reference, data, folder).backward()
        torch.nn.utils.clip_grad_norm_(trained.values(), CLIP)
        optimizer.step()
    return {n: p.detach() for n, p in model.named_parameters()}


def trained_weights(program, work, name, **settings):
    text = RECIPE.format(init=GOLDEN / "tiny-hf", rows=work / "rows.jsonl", rate=RATE, epsilon=EPSILON,
                         decay=DECAY, clip=CLIP, steps=STEPS, **settings)
    (work / f"{name}.toml").write_text(text)
    subprocess.run([program, "run", work / f"{name}.toml", "-o", work / name], check=True,
                   stdout=subprocess.DEVNULL)
    return load_file(work / name / f"step-{STEPS:08}" / "weights.safetensors")


def check_auto_precision(program, work):
    """What "auto" came to is in the run's own recipe, so that resuming does not choose anew."""
    told = subprocess.run([program, "run", work / "token-5-true.toml", "--set", "schedule.steps=1", "--set",
                           "precision=auto", "-o", work / "auto"], check=True, capture_output=True, text=True).stderr
    kept = re.search(r"precision = '(f32|bf16)'", (work / "auto/recipe.toml").read_text())
    assert kept and f"precision {kept[1]}: products on one core" in told, (kept, told)


def main():
    program = pathlib.Path(sys.argv[1]).resolve() / "januspro-train"
    breaches = 0
    with tempfile.TemporaryDirectory() as folder:
        work = pathlib.Path(folder)
        model = golden()
        data = rows(model, 5)
        write_rows(data, work, model.config.vision_config.image_size, 6)
        for norm in ("token", "sample", "task"):
            wanted = reference_weights(norm, data, work)
            for micro, accumulate, pack in ((5, 1, "false"), (1, 5, "false"), (5, 1, "true")):
                got = trained_weights(program, work, f"{norm}-{micro}-{pack}", norm=norm, micro=micro,
                                      accumulate=accumulate, pack=pack)
                errors = {n: (got[n] - w).abs().max().item() / (RATE * STEPS) for n, w in wanted.items()}
                worst = max(errors, key=errors.get)
                moved = max((w - model.state_dict()[n]).abs().max().item() for n, w in wanted.items())
                print(f"{norm}, {micro} rows x {accumulate} passes, packed {pack}: "
                      f"{errors[worst]:.1e} at {worst} (moved up to {moved / (RATE * STEPS):.2f})")
                breaches += not errors[worst] <= BOUND
        check_auto_precision(program, work)
    print(f"{breaches} breaches")
    return 1 if breaches else 0


if __name__ == "__main__":
    sys.exit(main())
