#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What a type of weights costs in quality, against f32: `quality.py FOLDER_OF_PROGRAMS [MODEL] [--pictures N]`.

For N pictures of each prompt of script/demo-prompts.txt, drawn in f32 with seeds 0 to N - 1:

KL      of the guided law over the next code, f32 against the type, mean and largest over all codes of the pictures,
        which are fed back (guidance 5, temperature 1)
flips   codes whose most likely value under guidance is another one than in f32
PSNR    of pictures drawn anew with the type and the same seed, against those of f32: one other code changes all that
        follow, so this says how far pictures part, not how good they are
same    of these, the ones that come out pixel by pixel as in f32

Guidance multiplies what the two rows differ in, so laws are compared after it. Needs numpy, safetensors and Pillow
(script/python-env).
"""
import argparse
import json
import pathlib
import subprocess
import tempfile

import numpy
from PIL import Image
from safetensors.numpy import load_file

ROOT = pathlib.Path(__file__).resolve().parent.parent
GUIDANCE = 5
KINDS = [("f32", "f32"), ("bf16", "bf16"), ("q8_0", "bf16"), ("q4_0", "bf16")]  # weights, keys and values


def log_law(logits):
    logits = logits.astype(numpy.float64)
    logits -= logits.max(axis=-1, keepdims=True)
    return logits - numpy.log(numpy.exp(logits).sum(axis=-1, keepdims=True))


def guided(trace):
    return GUIDANCE * trace["gen.logits.cond"] - (GUIDANCE - 1) * trace["gen.logits.uncond"]


class Quality:
    def __init__(self, arguments, work):
        self.program, self.model, self.work = arguments.programs / "januspro", arguments.model, work

    def run(self, *words):
        subprocess.run([self.program, *map(str, words), "-m", self.model], check=True, capture_output=True)

    def draw(self, prompt, seed, kind):
        out = self.work / "drawn.png"
        self.run("draw", prompt, "--seed", seed, "--type", kind[0], "--kv", kind[1], "-o", out)
        return numpy.asarray(Image.open(out))

    def codes(self, picture):
        """Those that the codec finds for a picture: near the drawn ones, and the same for every type."""
        Image.fromarray(picture).save(self.work / "picture.png")
        self.run("trace", "encode", "-i", self.work / "picture.png", "-o", self.work / "codes.safetensors")
        ids = load_file(self.work / "codes.safetensors")["vq.ids"]
        (self.work / "codes.json").write_text(json.dumps(ids.tolist()))

    def trace(self, prompt, kind):
        out = self.work / "trace.safetensors"
        self.run("trace", "draw", prompt, "--image-ids", self.work / "codes.json", "--type", kind[0], "--kv", kind[1], "-o", out)
        return load_file(out)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("programs", type=pathlib.Path)
    parser.add_argument("model", nargs="?", type=pathlib.Path, default=ROOT / "models/toyland")
    parser.add_argument("--pictures", type=int, default=2)
    arguments = parser.parse_args()
    prompts = (ROOT / "script/demo-prompts.txt").read_text().split("\n")
    prompts = [line for line in prompts if line.strip() and not line.startswith("#")]
    found = {kind: {"kl": [], "flips": [], "square": [], "same": []} for kind in KINDS}
    with tempfile.TemporaryDirectory() as folder:
        quality = Quality(arguments, pathlib.Path(folder))
        for prompt in prompts:
            for seed in range(arguments.pictures):
                drawn = quality.draw(prompt, seed, KINDS[0])
                quality.codes(drawn)
                law = log_law(guided(quality.trace(prompt, KINDS[0])))
                for kind in KINDS[1:]:
                    trace = quality.trace(prompt, kind)
                    other = log_law(guided(trace))
                    found[kind]["kl"] += (numpy.exp(law) * (law - other)).sum(axis=-1).tolist()
                    found[kind]["flips"] += (law.argmax(axis=-1) != other.argmax(axis=-1)).tolist()
                    apart = quality.draw(prompt, seed, kind).astype(float) - drawn.astype(float)
                    found[kind]["square"].append((apart ** 2).mean())
                    found[kind]["same"].append(not apart.any())
    print("weights, cache   KL mean     largest   flips      PSNR   same")
    for kind in KINDS[1:]:
        one = found[kind]
        flips, same = sum(one["flips"]), sum(one["same"])
        psnr = 10 * numpy.log10(255 ** 2 / numpy.mean(one["square"]))
        print(f"{kind[0]}, {kind[1]:<9} {numpy.mean(one['kl']):9.2e} {max(one['kl']):11.2e}   {flips} of {len(one['flips'])}"
              f"  {psnr:5.1f} dB   {same} of {len(one['same'])}")


if __name__ == "__main__":
    main()
