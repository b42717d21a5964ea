# SPDX-License-Identifier: MIT
"""The works of bench/works.cc by PyTorch: the pieces of transformers' Janus at published 1B sizes, f32, random weights.

    torch_works.py [threads] [float32 | bfloat16]

Same lines in, same lines out, the same four language layers. One work more: `picture`, drawing by the whole model with
guidance, of whose steps a tenth is run and counted for all: the cache is made at its full length before, and each
step passes over all of it, so that they are alike.
"""
import resource
import sys
import time

import torch
from transformers import JanusConfig, JanusVisionConfig, JanusVQVAEConfig, LlamaConfig, LlamaModel, StaticCache
from transformers.initialization import no_init_weights
from transformers.models.janus.modeling_janus import (JanusForConditionalGeneration, JanusVisionAlignerMLP,
                                                      JanusVisionModel, JanusVQVAE)

torch.set_num_threads(int(sys.argv[1]) if len(sys.argv) > 1 else 2)
torch.set_default_dtype(getattr(torch, sys.argv[2]) if len(sys.argv) > 2 else torch.float32)
torch.set_grad_enabled(False)
CODES, PART, WORDS, GUIDANCE = 576, 10, 16, 5.0  # one in PART of a picture's steps is run


def tower(layers):
    return LlamaConfig(hidden_size=2048, num_hidden_layers=layers, num_attention_heads=16, intermediate_size=5632,
                       vocab_size=1024, attn_implementation="sdpa")  # the text head is no part of these works


# Each returns what the work consists of: calls, and how often each counts.
def vision():
    config = JanusVisionConfig(hidden_size=1024, num_hidden_layers=24, num_attention_heads=16, image_size=384,
                               patch_size=16, mlp_ratio=4.0, projection_dim=2048, depth=2)
    eye = JanusVisionModel(config).eval()
    aligner = JanusVisionAlignerMLP(config).eval()
    pixels = torch.zeros(1, 3, 384, 384)
    return [(lambda: aligner(eye(pixels).last_hidden_state), 1)]


def prompt():
    model = LlamaModel(tower(4)).eval()
    ids = torch.arange(600).unsqueeze(0)
    return [(lambda: model(ids, use_cache=True), 1)]


def vq():
    codec = JanusVQVAE(JanusVQVAEConfig(num_patches=24)).eval()
    codes = torch.arange(CODES).unsqueeze(0)
    return [(lambda: codec.decode(codes), 1)]


def filled(make):
    """A large model, its matrices of one random piece: to draw every number apart takes longer than the work."""
    with no_init_weights():
        model = make()
    piece = torch.randn(1 << 20) * 0.02
    for name, values in model.named_parameters():
        if values.dim() == 1:
            values.fill_(not name.endswith("bias"))
            continue
        for part in values.view(-1).split(len(piece)):
            part.copy_(piece[:len(part)])
    return model.eval()


def picture():
    config = JanusConfig(text_config=tower(24), vision_config=JanusVisionConfig(), vq_config=JanusVQVAEConfig())
    janus = filled(lambda: JanusForConditionalGeneration(config))
    language = janus.model.language_model
    cache = StaticCache(config=config.text_config, max_cache_len=WORDS + CODES)
    hidden = torch.zeros(2, 1, 2048)

    def begin():
        nonlocal hidden
        cache.reset()
        ids = torch.arange(WORDS).repeat(2, 1)  # a prompt, and its unguided twin
        hidden = language(ids, past_key_values=cache, use_cache=True).last_hidden_state

    def steps():
        nonlocal hidden
        for _ in range(CODES // PART):
            guided, unguided = janus.model.generation_head(hidden[:, -1])
            law = torch.softmax(unguided + GUIDANCE * (guided - unguided), dim=-1)
            code = torch.multinomial(law, 1).repeat(2, 1)
            inputs = janus.prepare_embeddings_for_image_generation(code)
            hidden = language(inputs_embeds=inputs, past_key_values=cache, use_cache=True).last_hidden_state

    begin()  # what libraries prepare at a first call is no part of it
    codes = torch.arange(CODES).unsqueeze(0)
    return [(begin, 1), (steps, CODES / (CODES // PART)), (lambda: janus.decode_image_tokens(codes), 1)]


def timed(call):
    """-> wall and processor time"""
    before, wall = resource.getrusage(resource.RUSAGE_SELF), time.monotonic()
    call()
    wall, after = time.monotonic() - wall, resource.getrusage(resource.RUSAGE_SELF)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main():
    works = {}
    for line in sys.stdin:
        name = line.strip()
        if name not in works:
            works[name] = {"siglip": vision, "prompt": prompt, "vq": vq, "picture": picture}[name]()
        times = [(timed(call), count) for call, count in works[name]]
        wall, processor = (sum(both[clock] * count for both, count in times) for clock in (0, 1))
        print(name, wall, processor, flush=True)


main()
