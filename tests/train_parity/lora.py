# SPDX-License-Identifier: MIT
"""An adapter that `januspro-train` made, through the `peft` package and through `januspro convert
--merge`: both give the same losses, and those are not the base model's.

    lora.py BIN_DIR           BIN_DIR holds januspro-train and januspro

Trained for five steps on every kind of linear layer there is, loaded by peft onto transformers'
classes; merged into both layouts and into a .gguf; and one that peft made, merged. Prints the
largest relative error of a row's loss for each and exits 1 above 1e-4.
"""
import json
import pathlib
import subprocess
import sys
import tempfile

import torch
from peft import LoraConfig, PeftModel, get_peft_model

from _reference import Reference
from loss import GOLDEN, rows, write_rows
from steps import golden

BOUND = 1e-4

RECIPE = """
seed = 3
condition_drop = 0.0
[model]
init = "{init}"
[lora]
rank = 4
alpha = 10.0
targets = ["*_proj", "*.projection_layer", "*.fc1", "*.fc2", "*.hidden_layers.*",
           "model.generation_head.*", "lm_head"]
[[data]]
path = "{rows}"
format = "jsonl"
[optim]
lr = 1e-2
[schedule]
steps = 5
[batch]
micro = 5
max_len = 600
"""


def losses(program, model, work):
    out = subprocess.run([program / "januspro-train", "loss", "-m", model, work / "rows.jsonl", "--json"],
                         check=True, stdout=subprocess.PIPE, text=True).stdout
    return [json.loads(line)["loss_sum"] for line in out.splitlines()]


@torch.no_grad()
def reference_losses(model, data, work):
    reference = Reference(model, GOLDEN / "tiny-hf")
    return [reference.loss(row, work)[0].item() for row in data]


def merge(program, adapter, target, base="tiny-hf", *more):
    subprocess.run([program / "januspro", "convert", GOLDEN / base, target, "--merge", adapter, "--quiet",
                    *more], check=True, stdout=subprocess.DEVNULL)
    return target


def by_peft(folder):
    """Random factors of peft's own saving, rank-stabilised."""
    torch.manual_seed(8)
    model = get_peft_model(golden(), LoraConfig(r=3, lora_alpha=5, use_rslora=True,
                                                target_modules=["q_proj", "v_proj", "vision_head"]))
    with torch.no_grad():
        for name, p in model.named_parameters():
            if "lora_B" in name:
                p.normal_(0, 0.2)
    model.save_pretrained(folder)
    return folder


def main():
    program = pathlib.Path(sys.argv[1]).resolve()
    with tempfile.TemporaryDirectory() as folder:
        work = pathlib.Path(folder)
        data = rows(golden(), 5)
        write_rows(data, work, 64, 6)
        (work / "recipe.toml").write_text(RECIPE.format(init=GOLDEN / "tiny-hf", rows=work / "rows.jsonl"))
        run = lambda *a: subprocess.run([program / "januspro-train", *a], check=True, stdout=subprocess.DEVNULL)
        run("run", work / "recipe.toml", "-o", work / "run")
        run("export", work / "run", work / "adapter")
        base = reference_losses(golden(), data, work)
        breaches = 0
        for title, adapter in (("trained here", work / "adapter"), ("made by peft", by_peft(work / "peft"))):
            loaded = PeftModel.from_pretrained(golden(), adapter).eval()
            wanted = reference_losses(loaded.base_model.model, data, work)
            moved = min(abs(w / b - 1) for w, b in zip(wanted, base))
            found = {
                "merged, transformers": merge(program, adapter, work / f"{adapter.name}-hf"),
                "merged, official": merge(program, adapter, work / f"{adapter.name}-official", "tiny-official",
                                          "--layout", "official", "--type", "f32"),
                "merged, gguf": merge(program, adapter, work / f"{adapter.name}.gguf"),
            }
            for name, model in found.items():
                error = max(abs(g / w - 1) for g, w in zip(losses(program, model, work), wanted))
                print(f"{title}, {name}: {error:.1e} (the adapter moves every loss by {moved:.1e} or more)")
                breaches += not error <= BOUND or not moved > 10 * BOUND
    print(f"{breaches} breaches")
    return 1 if breaches else 0


if __name__ == "__main__":
    sys.exit(main())
