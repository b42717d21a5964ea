# SPDX-License-Identifier: MIT
"""`januspro-train loss` against transformers' Janus classes: losses and every gradient.

    loss.py BIN_DIR           BIN_DIR holds januspro-train

The golden tiny model in both layouts, and a random one with grouped heads and odd widths, on rows
that draw given codes and pictures, read none, one and two pictures, in one turn and two. Sums agree
within 1e-5 of themselves, gradients within 1e-4 of their norm, and what one side does not reach the
other does not either. A gradient below a thousandth of the whole's norm is held to 1e-4 of that: biases
of keys in attention have none but rounding, as they raise all scores alike. Prints the largest error of
each and exits 1 on a breach.
"""
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile

import numpy
import torch
from PIL import Image
from safetensors.torch import load_file
from transformers import JanusForConditionalGeneration

from _reference import Reference

import _janus

LOSS, GRADIENT = 1e-5, 1e-4
GOLDEN = pathlib.Path(__file__).resolve().parents[1] / "golden"

GROUPED = dict(
    text=dict(hidden_size=54, intermediate_size=77, num_hidden_layers=2, num_attention_heads=6,
              num_key_value_heads=2, head_dim=10, vocab_size=640, max_position_embeddings=1024,
              rms_norm_eps=1e-5, rope_parameters={"rope_type": "default", "rope_theta": 500.0}),
    vision=dict(hidden_size=51, num_hidden_layers=2, num_attention_heads=3, image_size=32, patch_size=8,
                mlp_ratio=2.55, depth=3),
    vq=dict(embed_dim=5, num_embeddings=77, latent_channels=13, base_channels=32,
            channel_multiplier=[1, 2, 1, 1], num_res_blocks=1, num_hidden_layers=1))


def rows(model, seed):
    g = numpy.random.default_rng(seed)
    config = model.config
    grid = config.vision_config.image_size // 2 ** (len(config.vq_config.channel_multiplier) - 1)
    codes = g.integers(0, config.vq_config.num_embeddings, grid * grid).tolist()
    talk = lambda *texts: [{"role": ("user", "assistant")[i % 2], "content": t} for i, t in enumerate(texts)]
    return [
        {"prompt": "a red apple on a blue table", "target_codes": codes},
        {"prompt": "é, 3 trees", "image": "a.png"},
        {"messages": talk("<image>\nWhat is in the picture?", "A red apple, and (perhaps) 2 pears!"),
         "images": ["a.png"]},
        {"messages": talk("Is <image> like <image>?", "No.", "Why not?", "They differ in colour."),
         "images": ["a.png", "b.png"], "system": "Be brief."},
        {"messages": talk("How are you?", "...fine, thank you"), "id": "text"},
    ]


def write_rows(data, folder, side, seed):
    g = numpy.random.default_rng(seed)
    for name in ("a.png", "b.png"):
        Image.fromarray(g.integers(0, 256, (side, side, 3), numpy.uint8)).save(folder / name)
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in data))


def compare(title, program, checkpoint, model, work):
    reference = Reference(model, checkpoint)
    data = rows(model, 5)
    write_rows(data, work, reference.side, 6)
    out = subprocess.run([program, "loss", "-m", checkpoint, work / "rows.jsonl", "--json", "--gradients",
                          work / "gradients.safetensors"], check=True, stdout=subprocess.PIPE, text=True).stdout
    got = [json.loads(line) for line in out.splitlines()]
    breaches, worst = [], 0
    assert len(got) == len(data), out
    model.zero_grad()
    for row, found in zip(data, got):
        loss, targets = reference.loss(row, work)
        loss.backward()
        error = abs(found["loss_sum"] / loss.item() - 1)
        worst = max(worst, error)
        if found["targets"] != targets or not error <= LOSS:
            breaches.append(f"row {found['row']}: {found}, wanted {targets} targets, {loss.item()}")
    gradients, steepest = load_file(work / "gradients.safetensors"), 0
    wanted = {n: p for n, p in model.named_parameters() if "vqmodel" not in n}
    if set(gradients) != set(wanted):
        breaches.append(f"names differ: {sorted(set(gradients) ^ set(wanted))}")
    whole = torch.stack([p.grad.norm() for p in wanted.values() if p.grad is not None]).norm().item()
    for name in sorted(set(gradients) & set(wanted)):
        grad = wanted[name].grad
        grad = torch.zeros_like(wanted[name]) if grad is None else grad
        error = (gradients[name] - grad).norm().item() / max(grad.norm().item(), 1e-3 * whole)
        steepest = max(steepest, error)
        if not error <= GRADIENT:
            breaches.append(f"gradient of {name}: {error:.1e}")
    print(f"{title}: losses {worst:.1e} gradients {steepest:.1e} ({len(wanted)} tensors)")
    for breach in breaches:
        print(f"  BREACH {breach}")
    return len(breaches)


def main():
    program = pathlib.Path(sys.argv[1]).resolve() / "januspro-train"
    breaches = 0
    golden = JanusForConditionalGeneration.from_pretrained(
        GOLDEN / "tiny-hf", dtype=torch.float32, attn_implementation="eager").eval()
    grouped = _janus.build(GROUPED, 3)
    grouped.config.image_token_id = 611  # of the golden tokenizer, which it is given
    with tempfile.TemporaryDirectory() as folder:
        work = pathlib.Path(folder)
        for layout in ("tiny-hf", "tiny-official"):
            breaches += compare(layout, program, GOLDEN / layout, golden, work)
        for save in (_janus.save_transformers, _janus.save_official):
            checkpoint = work / save.__name__
            save(grouped, checkpoint)
            shutil.copy(GOLDEN / "tiny-hf" / "tokenizer.json", checkpoint)
            breaches += compare(f"grouped heads, {save.__name__[5:]}", program, checkpoint, grouped, work)
    print(f"{breaches} breaches")
    return 1 if breaches else 0


if __name__ == "__main__":
    sys.exit(main())
