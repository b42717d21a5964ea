# SPDX-License-Identifier: MIT
"""Small random Janus models made of transformers' own classes, saved in either layout, and every
tap of their passes. A module for the parity scripts; the official rule is used for codes, because
transformers' encode lacks the normalisation."""
import contextlib
import json
import math

import torch
from safetensors.torch import save_file
from transformers import JanusConfig, JanusForConditionalGeneration

torch.set_num_threads(1)


@contextlib.contextmanager
def groups_of(count):
    """transformers fixes 32 groups of every GroupNorm; other counts are an extension of ours."""
    plain = torch.nn.GroupNorm

    class Other(plain):
        def __init__(self, num_groups, **rest):
            super().__init__(count, **rest)

    torch.nn.GroupNorm = Other
    try:
        yield
    finally:
        torch.nn.GroupNorm = plain


def build(recipe, seed):
    """recipe: dict(text=, vision=, vq=) of config keys, groups= -> model in f32, eval mode."""
    width = recipe["text"]["hidden_size"]
    vision = dict(recipe["vision"], projection_dim=width)
    vq = dict(recipe["vq"], projection_dim=width, image_token_embed_dim=width)
    config = JanusConfig(text_config=dict(recipe["text"], model_type="llama"), vision_config=vision,
                         vq_config=vq, tie_word_embeddings=False)
    config._attn_implementation = "eager"
    with torch.random.fork_rng(), groups_of(recipe.get("groups", 32)):
        torch.manual_seed(seed)
        model = JanusForConditionalGeneration(config).float().eval()
        # tie_weights() may have made one matrix of two; the trained models have two.
        model.lm_head.weight = torch.nn.Parameter(torch.empty_like(model.lm_head.weight))
        with torch.no_grad():
            for name, p in model.named_parameters():
                if p.ndim == 1:
                    p.normal_(0, 0.3).add_(0 if name.endswith("bias") else 1)
                elif "embed" in name or "quantize" in name:
                    p.normal_(0, 0.7)
                else:
                    p.normal_(0, 1.2 / math.sqrt(p[0].numel()))
                p.copy_(p.bfloat16().float())  # exact in every type it may be stored as
    model.groups = recipe.get("groups", 32)
    return model


def state(model):
    return {k: v.detach().contiguous().clone() for k, v in model.state_dict().items()}


def save_transformers(model, folder, shards=1):
    folder.mkdir(parents=True)
    tensors = state(model)
    config = model.config.to_dict()
    if model.groups != 32:
        config["vq_config"]["num_groups"] = model.groups
    (folder / "config.json").write_text(json.dumps(config, default=str))
    if shards == 1:
        save_file(tensors, folder / "model.safetensors")
        return
    names, where = sorted(tensors), {}
    for i in range(shards):
        file = f"model-{i + 1:05}-of-{shards:05}.safetensors"
        part = names[i::shards]
        save_file({n: tensors[n] for n in part}, folder / file)
        where.update({n: file for n in part})
    index = {"metadata": {}, "weight_map": where}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))


RENAMES = [  # transformers -> official, first match of each group wins
    ("model.language_model.", "language_model.model."), ("lm_head.", "language_model.lm_head."),
    ("model.vision_model.embeddings.patch_embedding.", "vision_model.vision_tower.patch_embed.proj."),
    ("model.vision_model.embeddings.position_embedding.weight", "vision_model.vision_tower.pos_embed"),
    ("model.vision_model.encoder.layers.", "vision_model.vision_tower.blocks."),
    ("model.vision_model.post_layernorm.", "vision_model.vision_tower.norm."),
    (".layer_norm1.", ".norm1."), (".layer_norm2.", ".norm2."),
    (".self_attn.projection_layer.", ".attn.proj."),
    ("model.aligner.", "aligner."), ("model.generation_aligner.", "gen_aligner."),
    ("model.generation_head.proj_out.", "gen_head.output_mlp_projector."),
    ("model.generation_head.", "gen_head."), ("model.generation_embeddings.", "gen_embed."),
    ("model.vqmodel.", "gen_vision_model."), ("encoder.down.", "encoder.conv_blocks."),
    ("decoder.up.", "decoder.conv_blocks."), (".block.", ".res."),
    (".mid.block_1.", ".mid.0."), (".mid.attn_1.", ".mid.1."), (".mid.block_2.", ".mid.2."),
]


def official_name(name):
    for old, new in RENAMES:
        if old in name:
            name = name.replace(old, new, 1)
    if name.startswith(("aligner.", "gen_aligner.")):
        part = name.split(".")
        at = 0 if part[1] == "fc1" else 2 * (int(part[2]) + 1)
        name = f"{part[0]}.layers.{at}.{part[-1]}"
    return name


def official_state(model):
    tensors, fused = {}, {}
    for name, value in state(model).items():
        if "vision_model" in name and ("q_proj" in name or "k_proj" in name or "v_proj" in name):
            base, kind = name.split(".self_attn.")
            which, end = kind.split(".")
            fused.setdefault((base, end), {})[which] = value
            continue
        if "position_embedding" in name:
            value = value[None]
        tensors[official_name(name)] = value
    for (base, end), parts in fused.items():
        tensors[official_name(base + ".") + f"attn.qkv.{end}"] = torch.cat(
            [parts["q_proj"], parts["k_proj"], parts["v_proj"]])
    tensors["gen_vision_model.quantize.codebook_used"] = torch.zeros(65536)
    tensors["vision_model.vision_tower.attn_pool.latent"] = torch.zeros(1, 1, 4)
    return tensors


def official_config(model):
    text, vision, vq = model.config.text_config, model.config.vision_config, model.config.vq_config
    projector = lambda inputs, depth: {"cls": "MlpProjector", "params": {
        "projector_type": "mlp_gelu", "depth": depth, "input_dim": inputs, "n_embed": text.hidden_size}}
    keys = ["hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads",
            "num_key_value_heads", "vocab_size", "max_position_embeddings", "rms_norm_eps", "head_dim"]
    language = {k: getattr(text, k) for k in keys}
    language["rope_theta"] = text.rope_parameters["rope_theta"]
    return {
        "model_type": "multi_modality", "language_config": language,
        "vision_config": {"cls": "CLIPVisionTower", "params": {
            "model_name": "siglip_large_patch16_384", "select_layer": -1,
            "image_size": vision.image_size, "patch_size": vision.patch_size,
            "width": vision.hidden_size, "layers": vision.num_hidden_layers,
            "heads": vision.num_attention_heads, "mlp_ratio": vision.mlp_ratio}},
        "aligner_config": projector(vision.hidden_size, vision.depth),
        "gen_aligner_config": projector(vq.embed_dim, vq.num_hidden_layers),
        "gen_head_config": {"cls": "vision_head", "params": {
            "n_embed": text.hidden_size, "image_token_embed": text.hidden_size,
            "image_token_size": vq.num_embeddings}},
        "gen_vision_config": {"cls": "VQ-16", "params": {
            "image_token_size": vq.num_embeddings, "n_embed": vq.embed_dim,
            "ch": vq.base_channels, "encoder_ch_mult": list(vq.channel_multiplier),
            "decoder_ch_mult": list(vq.channel_multiplier), "num_res_blocks": vq.num_res_blocks,
            "z_channels": vq.latent_channels, "num_groups": model.groups}}}


def save_official(model, folder, dtype=torch.float32):
    folder.mkdir(parents=True)
    tensors = {k: v.to(dtype) for k, v in official_state(model).items()}
    (folder / "config.json").write_text(json.dumps(official_config(model)))
    torch.save(tensors, folder / "pytorch_model.bin")


def make_inputs(model, seed, greedy=8):
    g = torch.Generator().manual_seed(seed)
    config = model.config
    vision, vocabulary = config.vision_config, config.text_config.vocab_size
    patches = (vision.image_size // vision.patch_size) ** 2
    grid = vision.image_size // vision.patch_size
    side = grid * 2 ** (len(config.vq_config.channel_multiplier) - 1)
    ids = lambda n: torch.randint(0, vocabulary, (n,), generator=g)
    rows = torch.cat([torch.arange(5, 5 + patches), torch.arange(9 + patches, 9 + 2 * patches)])
    return {
        "input_ids": ids(2 * patches + 17), "image_rows": rows,
        "pixel_values": torch.rand(2, 3, vision.image_size, vision.image_size, generator=g) * 2 - 1,
        "cond_ids": ids(19), "uncond_ids": ids(11),
        "codes": torch.randint(0, config.vq_config.num_embeddings, (grid * grid,), generator=g),
        "greedy": torch.zeros(greedy, dtype=torch.int64), "guidance": torch.tensor([5.0]),
        "encode_pixels": torch.rand(1, 3, side, side, generator=g) * 2 - 1,
    }


@torch.no_grad()
def reference(model, inputs):
    """Every tap, as f32, whatever type the model computes in."""
    dtype, out = model.lm_head.weight.dtype, {}
    inner, vq = model.model, model.model.vqmodel
    vision, language = inner.vision_model, inner.language_model
    x = vision.embeddings(inputs["pixel_values"].to(dtype))
    out["vision.embed"] = x
    for i, layer in enumerate(vision.encoder.layers):
        x = layer(x, None)
        x = x[0] if isinstance(x, tuple) else x
        out[f"vision.block.{i}"] = x
    out["vision.out"] = vision.post_layernorm(x)
    out["aligner.out"] = inner.aligner(out["vision.out"])

    table = language.embed_tokens
    embeds = table(inputs["input_ids"]).clone()
    embeds[inputs["image_rows"]] = out["aligner.out"].flatten(0, 1).to(embeds.dtype)
    out["lm.embed"] = embeds

    seen = {}
    hooks = [layer.register_forward_hook(
        lambda m, a, o, i=i: seen.__setitem__(i, (o[0] if isinstance(o, tuple) else o)))
        for i, layer in enumerate(language.layers)]
    hidden = language(inputs_embeds=embeds[None], use_cache=False).last_hidden_state[0]
    for hook in hooks:
        hook.remove()
    for i, value in seen.items():
        out[f"lm.block.{i}"] = value.reshape(hidden.shape)
    out["lm.out"] = hidden
    out["logits"] = model.lm_head(hidden)
    greedy = [int(out["logits"][-1].argmax())]
    while len(greedy) < len(inputs["greedy"]):
        embeds = torch.cat([embeds, table(torch.tensor(greedy[-1:]))])
        h = language(inputs_embeds=embeds[None], use_cache=False).last_hidden_state[0, -1]
        greedy.append(int(model.lm_head(h).argmax()))
    out["greedy_ids"] = torch.tensor(greedy)

    codes = inputs["codes"]
    for row in ("cond", "uncond"):
        prompt = table(inputs[f"{row}_ids"])
        fed = model.prepare_embeddings_for_image_generation(codes[:-1])
        h = language(inputs_embeds=torch.cat([prompt, fed])[None], use_cache=False)
        out[f"gen.logits.{row}"] = inner.generation_head(h.last_hidden_state[0, len(prompt) - 1:])
    a, b = out["gen.logits.cond"], out["gen.logits.uncond"]
    out["gen.logits.guided"] = b + inputs["guidance"].to(dtype) * (a - b)
    out["gen.greedy_ids"] = out["gen.logits.guided"].argmax(-1)
    out["vq.codes"] = vq.quantize.get_codebook_entry(codes[None])[0]
    out["vq.pixels"] = vq.decode(codes[None])[0]

    z = vq.quant_conv(vq.encoder(inputs["encode_pixels"].to(dtype)))
    out["vq.latent"] = z[0]
    normal = torch.nn.functional.normalize
    flat = normal(z[0].flatten(1).T.float(), dim=-1)
    book = normal(vq.quantize.embedding.weight.float(), dim=-1)
    distance = (flat ** 2).sum(1, keepdim=True) + (book ** 2).sum(1) - 2 * flat @ book.T
    out["vq.ids"] = distance.argmin(1)
    return {k: v.detach().float() if v.is_floating_point() else v for k, v in out.items()}


def errors(values, wanted):
    """max |a - b| / rms(wanted) of every float tap; None where ids are equal, else how many differ."""
    result = {}
    for name, b in wanted.items():
        a = values[name]
        if tuple(a.shape) != tuple(b.shape):
            result[name] = math.inf
        elif b.is_floating_point():
            result[name] = float((a - b).abs().max() / b.pow(2).mean().sqrt())
            if not math.isfinite(result[name]):
                result[name] = math.inf
        else:
            result[name] = int((a != b).sum()) or None
    return result


