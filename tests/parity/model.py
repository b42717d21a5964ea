# SPDX-License-Identifier: MIT
"""The engine's model against transformers' Janus classes, tap by tap.

    model.py BIN_DIR          BIN_DIR holds model_trace

Small random models of several recipes (grouped key/value heads, odd widths, other patch and picture
sizes, depths of the adaptors, levels of the codec), in both layouts, on every backend. Bounds on
max |a - b| / rms(reference): `ref` in f32 2e-4, `cpu` in f32 1e-3; ids equal. With bf16 weights and
cache the bound of a tap is what the reference itself, run in bf16, is away from its f32 run, and
never below a floor. Prints the error of every tap and exits 1 on a breach.
"""
import pathlib
import subprocess
import sys
import tempfile

import torch
from safetensors.torch import load_file, save_file

import _janus

BOUNDS = {"ref": 2e-4, "cpu": 1e-3}
FLOOR = 1e-3  # of bf16 bounds: where the reference happens to be exact

TEXT = dict(hidden_size=64, intermediate_size=160, num_hidden_layers=2, num_attention_heads=4,
            num_key_value_heads=4, vocab_size=300, max_position_embeddings=1024)
VISION = dict(hidden_size=64, num_hidden_layers=2, num_attention_heads=4, image_size=32, patch_size=8,
              mlp_ratio=2.0)
VQ = dict(embed_dim=8, num_embeddings=128, latent_channels=32, base_channels=32,
          channel_multiplier=[1, 2, 1], num_res_blocks=1)
RECIPES = {
    "plain": dict(text=TEXT, vision=VISION, vq=VQ),
    "grouped heads, odd widths": dict(
        text=dict(TEXT, hidden_size=54, num_attention_heads=6, num_key_value_heads=2, head_dim=10,
                  intermediate_size=77, vocab_size=211, rms_norm_eps=1e-5),
        vision=dict(VISION, hidden_size=51, num_attention_heads=3, mlp_ratio=2.55),
        vq=dict(VQ, embed_dim=5, num_embeddings=77, latent_channels=13)),
    "one key/value head, other frequencies": dict(
        text=dict(TEXT, num_key_value_heads=1, num_hidden_layers=3,
                  rope_parameters={"rope_type": "default", "rope_theta": 500.0}),
        vision=dict(VISION, image_size=50, patch_size=12, depth=3),
        vq=dict(VQ, num_hidden_layers=3, channel_multiplier=[2, 1])),
    "shallow adaptors, deep codec": dict(
        text=dict(TEXT, hidden_size=96, num_attention_heads=3, num_key_value_heads=3),
        vision=dict(VISION, depth=1, num_hidden_layers=1, image_size=21, patch_size=7),
        vq=dict(VQ, num_hidden_layers=1, channel_multiplier=[1, 1, 3, 2], num_res_blocks=2)),
    "other groups": dict(
        text=dict(TEXT, num_hidden_layers=1), vision=dict(VISION, num_hidden_layers=1), groups=6,
        vq=dict(VQ, base_channels=18, channel_multiplier=[1, 2])),
    "one level of the codec": dict(
        text=dict(TEXT, num_hidden_layers=1), vision=dict(VISION, image_size=40, patch_size=4),
        vq=dict(VQ, channel_multiplier=[2], base_channels=64, embed_dim=16)),
}


def trace(bin_dir, checkpoint, backend, dtype, work):
    out = work / "trace.safetensors"
    subprocess.run([bin_dir / "model_trace", checkpoint, backend, dtype, work / "inputs.safetensors", out],
                   check=True)
    return load_file(out)


def judge(title, errors, bound_of, ids_equal):
    """Prints one line; returns the number of breaches."""
    breaches = []
    for name, error in errors.items():
        if error is None:
            continue
        if isinstance(error, int):
            if ids_equal:
                breaches.append(f"{name}: {error} ids differ")
        elif not error <= bound_of(name):
            breaches.append(f"{name}: {error:.2e} > {bound_of(name):.2e}")
    shown = " ".join(f"{n} {e:.1e}" for n, e in errors.items() if isinstance(e, float))
    print(f"{title}: {shown}")
    for breach in breaches:
        print(f"  BREACH {breach}")
    return len(breaches)


def available(bin_dir, checkpoint, work):
    found = []
    for backend in BOUNDS:
        done = subprocess.run([bin_dir / "model_trace", checkpoint, backend, "f32",
                               work / "inputs.safetensors", work / "trace.safetensors"],
                              capture_output=True, text=True)
        if done.returncode == 0:
            found.append(backend)
        elif "not in this build" not in done.stderr:
            raise SystemExit(done.stderr)
    return found


def main():
    bin_dir = pathlib.Path(sys.argv[1]).resolve()
    breaches = 0
    for seed, (title, recipe) in enumerate(RECIPES.items(), 1):
        with tempfile.TemporaryDirectory() as folder:
            work = pathlib.Path(folder)
            model = _janus.build(recipe, seed)
            inputs = _janus.make_inputs(model, seed)
            save_file(inputs, work / "inputs.safetensors")
            _janus.save_transformers(model, work / "transformers", shards=1 + seed % 3)
            _janus.save_official(model, work / "official",
                                 torch.bfloat16 if seed % 2 else torch.float32)
            wanted = _janus.reference(model, inputs)
            rounded = _janus.errors(_janus.reference(model.bfloat16(), inputs), wanted)
            for backend in available(bin_dir, work / "transformers", work):
                for layout in ("transformers", "official"):
                    got = trace(bin_dir, work / layout, backend, "f32", work)
                    breaches += judge(f"{title}, {layout}, {backend} f32", _janus.errors(got, wanted),
                                      lambda name: BOUNDS[backend], True)
                got = trace(bin_dir, work / "transformers", backend, "bf16", work)
                breaches += judge(f"{title}, {backend} bf16", _janus.errors(got, wanted),
                                  lambda name: max(rounded[name], FLOOR), False)
            judge(f"{title}, reference bf16", rounded, lambda name: 1e9, False)
    print(f"{breaches} breaches")
    return 1 if breaches else 0


if __name__ == "__main__":
    sys.exit(main())
