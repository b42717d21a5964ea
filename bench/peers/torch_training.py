#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The steps of bench/training.cc by PyTorch: transformers' modules on the same rows, as a good loop in Python has
them. Samples are packed, attention is scaled_dot_product_attention, heads compute at supervised places alone, AdamW
is fused; rows are tensors before the first step. f32.

    torch_training.py make SHAPE DIR           writes rows and recipe.toml, for both
    torch_training.py run SHAPE DIR STEPS [threads]

SHAPE is `toyland`, the model that ships (drawing, and reading with its vision tower), or `slice`, two layers of the
published 1B sizes (drawing, and turns of text). Same lines in, same lines out; the loss of the first step goes to
stderr, and of `toyland` it is januspro-train's, too.
"""
import json
import pathlib
import random
import resource
import sys
import time

import numpy
import torch
from PIL import Image
from safetensors.torch import load_file
from tokenizers import Tokenizer
from torch import nn
from torch.nn.functional import cross_entropy
from transformers import JanusVisionConfig, LlamaConfig, LlamaModel
from transformers.models.janus.modeling_janus import JanusVisionAlignerMLP, JanusVisionModel

ROOT = pathlib.Path(__file__).resolve().parents[2]
MODEL = ROOT / "models/toyland"
SIDE, PATCHES, CODES = 96, 144, 1024
SHAPES = {
    "toyland": dict(width=192, layers=6, heads=6, mlp_width=512, vocabulary=1024, draws=10, reads=10, talks=0,
                    max_len=320, sizes=f'init = "{MODEL}"'),
    "slice": dict(width=2048, layers=2, heads=16, mlp_width=5632, vocabulary=1024, draws=2, reads=0, talks=6,
                  max_len=320, sizes=f"""tokenizer = "{MODEL}/tokenizer.json"
image = {SIDE}
[model.vq]
codes = {CODES}
code_width = 8
latent = 64
base = 16
multipliers = [1, 1, 2, 4]
blocks = 1
groups = 8
[model.language]
width = 2048
layers = 2
heads = 16
mlp_width = 5632
vocabulary = 1024
context = 320
[model.vision]
width = 128
layers = 4
heads = 4
mlp_width = 512
patch = 8"""),
}
RATE = 1e-4
RECIPE = """condition_drop = 0.0
[model]
{sizes}
[[data]]
path = "{rows}"
format = "jsonl"
[optim]
lr = {rate}
[schedule]
steps = 1000000
[batch]
micro = {micro}
max_len = {max_len}
pack = true
[checkpoint]
every = 1000000
[log]
every = 1
tensorboard = false
"""


def make(shape, folder):
    folder.mkdir(parents=True, exist_ok=True)
    g = random.Random(5)
    noise = numpy.random.default_rng(6).integers(0, 256, (SIDE, SIDE, 3), numpy.uint8)
    Image.fromarray(noise).save(folder / "a.png")
    words = "a red ball and the blue star on a green tree is what picture shows here".split()
    text = lambda n: " ".join(g.choice(words) for _ in range(n))
    talk = lambda ask, reply: [{"role": "user", "content": ask}, {"role": "assistant", "content": reply}]
    rows = [{"prompt": text(6), "target_codes": [g.randrange(CODES) for _ in range(PATCHES)]}
            for _ in range(shape["draws"])]
    rows += [{"messages": talk("<image>\n" + text(6), text(8)), "images": ["a.png"]} for _ in range(shape["reads"])]
    rows += [{"messages": talk(text(12), text(36))} for _ in range(shape["talks"])]
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "recipe.toml").write_text(RECIPE.format(sizes=shape["sizes"], rows=folder.resolve() / "rows.jsonl",
                                                      rate=RATE, micro=len(rows), max_len=shape["max_len"]))


def adaptor(inputs, width):
    config = JanusVisionConfig(hidden_size=inputs, projection_dim=width, depth=2)
    return JanusVisionAlignerMLP(config)


class Network(nn.Module):
    """What learns of Janus, under the names of its checkpoint less `model.`."""

    def __init__(self, shape):
        super().__init__()
        width = shape["width"]
        self.language_model = LlamaModel(LlamaConfig(
            hidden_size=width, num_hidden_layers=shape["layers"], num_attention_heads=shape["heads"],
            num_key_value_heads=shape["heads"], intermediate_size=shape["mlp_width"], vocab_size=shape["vocabulary"],
            rms_norm_eps=1e-6, max_position_embeddings=shape["max_len"], attn_implementation="sdpa"))
        vision = JanusVisionConfig(hidden_size=128, num_hidden_layers=4, num_attention_heads=4, image_size=SIDE,
                                   patch_size=8, mlp_ratio=4.0, attn_implementation="sdpa")
        if shape["reads"]:
            self.vision_model, self.aligner = JanusVisionModel(vision), adaptor(128, width)
        self.generation_embeddings, self.generation_aligner = nn.Embedding(CODES, 8), adaptor(8, width)
        self.generation_head = nn.ModuleDict({"proj_out": nn.Linear(width, width),
                                              "vision_head": nn.Linear(width, CODES)})
        self.lm_head = nn.Linear(width, shape["vocabulary"], bias=False)

    def forward(self, batch):
        """-> the mean of all losses"""
        rows = [self.language_model.embed_tokens(batch.ids), self.generation_aligner(self.generation_embeddings(batch.drawn))]
        if batch.pixels is not None:
            rows.append(self.aligner(self.vision_model(pixel_values=batch.pixels).last_hidden_state).flatten(0, 1))
        inputs = torch.cat(rows)[batch.slots].view(*batch.positions.shape, -1)
        hidden = self.language_model(inputs_embeds=inputs, attention_mask=batch.mask, position_ids=batch.positions,
                                     use_cache=False).last_hidden_state.flatten(0, 1)
        drawn = self.generation_head["proj_out"](hidden[batch.code_at])
        codes = self.generation_head["vision_head"](nn.functional.gelu(drawn))
        told = self.lm_head(hidden[batch.token_at])
        losses = cross_entropy(codes, batch.codes, reduction="sum") + cross_entropy(told, batch.tokens, reduction="sum")
        return losses / (len(batch.codes) + len(batch.tokens))


class Batch:
    """All rows in sequences of at most max_len, by first fit: each sees itself alone and begins at position 0."""

    def __init__(self, folder, shape):
        tokenizer = Tokenizer.from_file(str(MODEL / "tokenizer.json"))
        self.id = tokenizer.token_to_id
        self.encode = lambda text: tokenizer.encode(text, add_special_tokens=False).ids
        samples = [self.sample(json.loads(line)) for line in (folder / "rows.jsonl").read_text().splitlines()]
        sequences = []
        for sample in samples:
            room = [s for s in sequences if sum(len(x[0]) for x in s) + len(sample[0]) <= shape["max_len"]]
            room[0].append(sample) if room else sequences.append([sample])
        self.lay_out(sequences)
        pixels = numpy.asarray(Image.open(folder / "a.png"), numpy.float32) / 127.5 - 1
        self.pixels = torch.from_numpy(pixels).permute(2, 0, 1).repeat(shape["reads"], 1, 1, 1) if shape["reads"] else None

    def sample(self, row):
        """-> what goes in, as ("id" | "code" | "patch", value), and which outputs are held to which code or id"""
        if "prompt" in row:
            ids = [self.id("<｜begin▁of▁sentence｜>")] + self.encode(f"<|User|>: {row['prompt']}\n\n<|Assistant|>:")
            ids.append(self.id("<begin_of_image>"))
            codes = row["target_codes"]
            inputs = [("id", i) for i in ids] + [("code", c) for c in codes[:-1]]
            return inputs, [("code", len(ids) - 1 + k, c) for k, c in enumerate(codes)]
        asked, told = (m["content"].replace("<image>", "<image_placeholder>") for m in row["messages"])
        image, ids = self.id("<image_placeholder>"), [("id", self.id("<｜begin▁of▁sentence｜>"))]
        for i in self.encode(f"<|User|>: {asked}\n\n<|Assistant|>: {told}<｜end▁of▁sentence｜>"):
            whole = [("id", self.id("<begin_of_image>")), *[("patch", 0)] * PATCHES, ("id", self.id("<end_of_image>"))]
            ids += whole if i == image else [("id", i)]
        reply = ids.index(("id", self.id("<|Assistant|>"))) + 2
        return ids[:-1], [("id", at - 1, ids[at][1]) for at in range(reply, len(ids))]

    def lay_out(self, sequences):
        length = max(sum(len(inputs) for inputs, _ in s) for s in sequences)
        count = {"id": 1, "code": 0, "patch": 0}  # the first id stands for pads
        values = {"id": [0], "code": []}
        targets = {"code": ([], []), "id": ([], [])}
        slots, self.positions = [], torch.zeros(len(sequences), length, dtype=torch.long)
        seen = torch.eye(length, dtype=torch.bool).repeat(len(sequences), 1, 1)
        for s, sequence in enumerate(sequences):
            row = []
            for inputs, held in sequence:
                for kind, at, value in held:
                    targets[kind][0].append(s * length + len(row) + at)
                    targets[kind][1].append(value)
                here = slice(len(row), len(row) + len(inputs))
                self.positions[s, here] = torch.arange(len(inputs))
                seen[s, here, here] = torch.ones(len(inputs), len(inputs)).tril().bool()
                for kind, value in inputs:
                    row.append((kind, count[kind]))
                    count[kind] += 1
                    values.get(kind, []).append(value)
            slots += row + [("id", 0)] * (length - len(row))
        first = {"id": 0, "code": count["id"], "patch": count["id"] + count["code"]}
        self.slots = torch.tensor([first[kind] + i for kind, i in slots])
        self.ids, self.drawn = torch.tensor(values["id"]), torch.tensor(values["code"])
        self.mask = torch.zeros(seen.shape).masked_fill(~seen, -torch.inf).unsqueeze(1)
        (self.code_at, self.codes), (self.token_at, self.tokens) = (
            tuple(torch.tensor(part) for part in targets[kind]) for kind in ("code", "id"))


def load(network):
    stored = load_file(MODEL / "model.safetensors")
    named = {name.removeprefix("model."): tensor.float() for name, tensor in stored.items()}
    network.load_state_dict({name: named[name] for name in network.state_dict()})


def serve(name, folder, steps, threads):
    torch.set_num_threads(threads)
    network, batch = Network(SHAPES[name]).train(), Batch(folder, SHAPES[name])
    if name == "toyland":
        load(network)
    optimizer = torch.optim.AdamW(network.parameters(), lr=RATE, betas=(0.9, 0.95), weight_decay=0.0, fused=True)
    first = True
    for line in sys.stdin:
        usage, wall = resource.getrusage(resource.RUSAGE_SELF), time.monotonic()
        for _ in range(steps):
            optimizer.zero_grad(set_to_none=True)
            loss = network(batch)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimizer.step()
            if first:
                print(f"loss of the first step {loss.item():.4f}", file=sys.stderr, flush=True)
            first = False
        wall, after = time.monotonic() - wall, resource.getrusage(resource.RUSAGE_SELF)
        processor = after.ru_utime + after.ru_stime - usage.ru_utime - usage.ru_stime
        print(line.strip(), wall, processor, flush=True)


def main():
    verb, name, folder = sys.argv[1], sys.argv[2], pathlib.Path(sys.argv[3])
    if verb == "make":
        make(SHAPES[name], folder)
    else:
        serve(name, folder, int(sys.argv[4]), int(sys.argv[5]) if len(sys.argv) > 5 else 2)


main()
