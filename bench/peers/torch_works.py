# SPDX-License-Identifier: MIT
"""The works of bench/works.cc by PyTorch: the pieces of transformers' Janus at published 1B sizes, f32, random weights.

    torch_works.py [threads]

Same lines in, same lines out, the same four language layers.
"""
import resource
import sys
import time

import torch
from transformers import JanusVisionConfig, JanusVQVAEConfig, LlamaConfig, LlamaModel
from transformers.models.janus.modeling_janus import JanusVisionAlignerMLP, JanusVisionModel, JanusVQVAE

torch.set_num_threads(int(sys.argv[1]) if len(sys.argv) > 1 else 2)
torch.set_grad_enabled(False)


def vision():
    config = JanusVisionConfig(hidden_size=1024, num_hidden_layers=24, num_attention_heads=16, image_size=384,
                               patch_size=16, mlp_ratio=4.0, projection_dim=2048, depth=2)
    tower = JanusVisionModel(config).eval()
    aligner = JanusVisionAlignerMLP(config).eval()
    pixels = torch.zeros(1, 3, 384, 384)
    return lambda: aligner(tower(pixels).last_hidden_state)


def prompt():
    config = LlamaConfig(hidden_size=2048, num_hidden_layers=4, num_attention_heads=16, intermediate_size=5632,
                         vocab_size=1024)
    tower = LlamaModel(config).eval()
    ids = torch.arange(600).unsqueeze(0)
    return lambda: tower(ids, use_cache=True)


def vq():
    codec = JanusVQVAE(JanusVQVAEConfig(num_patches=24)).eval()
    codes = torch.arange(576).unsqueeze(0)
    return lambda: codec.decode(codes)


def main():
    works = {}
    for line in sys.stdin:
        name = line.strip()
        if name not in works:
            works[name] = {"siglip": vision, "prompt": prompt, "vq": vq}[name]()
        usage, wall = resource.getrusage(resource.RUSAGE_SELF), time.monotonic()
        works[name]()
        wall, after = time.monotonic() - wall, resource.getrusage(resource.RUSAGE_SELF)
        processor = after.ru_utime + after.ru_stime - usage.ru_utime - usage.ru_stime
        print(name, wall, processor, flush=True)


main()
