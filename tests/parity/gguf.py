#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Files of `januspro convert` against the `gguf` package, both ways: `gguf.py FOLDER_OF_PROGRAMS`.

1 what we write opens in GGUFReader; its values are those of the checkpoint, and the bytes of every
  type those of gguf.quants.quantize, also for numbers at the edges;
2 what GGUFWriter writes is read: the convention of docs/formats.md with the tokenizer as lists, and
  llama.cpp's pair, with the rows of q and k exchanged as its converter does: every tap of a trace is
  equal bit by bit, and drawing with a pair is refused;
3 what is packed for a processor opens as well, its numbers where docs/formats.md says, and comes
  apart into the same bytes;
4 a directory made of a .gguf loads in transformers with the weights of the first.
Prints one line a check; exits 1 if one fails.
"""
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile
import warnings

sys.path.pop(0)  # this folder holds a file of the package's name: this one
import gguf
import numpy
import torch
from gguf import GGMLQuantizationType as Type
from gguf.quants import dequantize, quantize
from safetensors.numpy import load_file, save_file
from transformers import JanusConfig, JanusForConditionalGeneration

GOLDEN = pathlib.Path(__file__).resolve().parent.parent / "golden"
TINY = GOLDEN / "tiny-hf"
PREFIXES = {"model.language_model.": "lm.", "model.vision_model.": "vision.", "model.aligner.": "aligner.",
            "model.generation_embeddings.": "gen_embed.", "model.generation_aligner.": "gen_aligner.",
            "model.generation_head.": "gen_head.", "model.vqmodel.": "vq."}
RUNS = {"q4_k": Type.Q4_K, "q6_k": Type.Q6_K}
TYPES = {"f32": Type.F32, "f16": Type.F16, "bf16": Type.BF16, "q8_0": Type.Q8_0, "q4_0": Type.Q4_0}
LANGUAGE = {"input_layernorm": "attn_norm", "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k",
            "self_attn.v_proj": "attn_v", "self_attn.o_proj": "attn_output", "post_attention_layernorm": "ffn_norm",
            "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down"}
VISION = {"layer_norm1": "ln1", "layer_norm2": "ln2", "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k",
          "self_attn.v_proj": "attn_v", "self_attn.projection_layer": "attn_out", "mlp.fc1": "ffn_up", "mlp.fc2": "ffn_down"}


def run(programs, *arguments, code=0):
    done = subprocess.run([programs / "januspro", *map(str, arguments)], capture_output=True, text=True)
    assert done.returncode == code, f"{arguments}: exit code {done.returncode}: {done.stderr}"
    return done


def short(name):
    for long, new in PREFIXES.items():
        if name.startswith(long):
            return new + name[len(long):]
    return name


def bits(array):
    return numpy.ascontiguousarray(array).tobytes()


EIGHT = ("model.vision_model.", "model.aligner.", "model.generation_aligner.", "lm_head.")  # beside q4_0


def kept_wide(name, shape):
    """f32 whatever is asked: vectors, position embeddings, the book of codes."""
    return len(shape) == 1 or name.endswith(("position_embedding.weight", "quantize.embedding.weight"))


def quantised(name, shape):
    """What types of blocks hold: matrices of towers, adaptors and text head with rows of whole blocks."""
    other = ("model.generation_head.", "model.generation_embeddings.", "model.vqmodel.")
    return len(shape) == 2 and shape[1] % 32 == 0 and not name.startswith(other) and "embed_tokens" not in name


def check_file(path, values, kind):
    """Names, shapes, types, bytes and values of a file that we wrote from `values`."""
    reader = gguf.GGUFReader(path)
    tensors = {t.name: t for t in reader.tensors}
    tensors.pop("preview.weight", None)
    assert set(tensors) == {short(n) for n in values}, "other names"
    assert max(map(len, tensors)) <= 63, "a name is too long"
    for name, value in values.items():
        tensor = tensors[short(name)]
        wanted = TYPES[kind]
        if kept_wide(name, value.shape):
            wanted = Type.F32
        elif kind in ("q8_0", "q4_0") and not quantised(name, value.shape):
            wanted = Type.BF16
        elif kind == "q4_0" and name.startswith(EIGHT):
            wanted = Type.Q8_0
        assert tensor.tensor_type == wanted, f"{name} is {tensor.tensor_type.name}"
        assert list(tensor.shape) == list(reversed(value.shape)), f"{name} is {tensor.shape}"
        assert tensor.data_offset % 32 == 0, name
        assert bits(tensor.data) == bits(quantize(value, wanted)), f"{name}: other bytes than the package's"
        back = dequantize(tensor.data, tensor.tensor_type).reshape(value.shape)
        if wanted == Type.F32:
            assert bits(back) == bits(value), name
    return reader


def check_metadata(reader):
    config = json.loads((TINY / "config.json").read_text())
    value = lambda key: reader.fields[key].contents()
    assert value("general.architecture") == "janus"
    for key, wanted in {"embedding_length": config["text_config"]["hidden_size"],
                        "block_count": config["text_config"]["num_hidden_layers"],
                        "vision.image_size": config["vision_config"]["image_size"],
                        "vq.code_count": config["vq_config"]["num_embeddings"]}.items():
        assert value(f"janus.{key}") == wanted, key
    table = json.loads((TINY / "tokenizer.json").read_text())
    assert json.loads(value("tokenizer.huggingface.json")) == table
    tokens, types = value("tokenizer.ggml.tokens"), value("tokenizer.ggml.token_type")
    assert len(tokens) == len(types) == config["text_config"]["vocab_size"]
    for token, at in table["model"]["vocab"].items():
        assert tokens[at] == token and types[at] == gguf.TokenType.NORMAL
    for token in table["added_tokens"]:
        assert tokens[token["id"]] == token["content"] and types[token["id"]] == gguf.TokenType.CONTROL
    assert value("tokenizer.ggml.merges") == [" ".join(m) if isinstance(m, list) else m for m in table["model"]["merges"]]


def edges(values, largest):
    """The same tensors with numbers that rounding finds hard: halves of a step, zeros, huge and tiny ones."""
    rng, hard = numpy.random.default_rng(5), {}
    for name, value in values.items():
        value = (value * numpy.exp2(rng.integers(-12, 6, value.shape))).astype(numpy.float32)
        if quantised(name, value.shape):
            blocks = value.reshape(-1, 32)
            blocks[0] = 0
            blocks[1] = numpy.float32(1e-42)
            blocks[2] = rng.integers(-127, 127, 32) + 0.5
            blocks[2, 0] = 127
            blocks[3] *= numpy.float32(1e-9)
            blocks[4] = numpy.nextafter(blocks[2], numpy.float32(0))
            blocks[5] *= largest / abs(blocks[5]).max()
        hard[name] = value
    return hard


def add_language(writer, text):
    """Sizes of the language tower, whose keys both kinds of file share."""
    writer.add_vocab_size(text["vocab_size"])
    writer.add_context_length(text["max_position_embeddings"])
    writer.add_embedding_length(text["hidden_size"])
    writer.add_block_count(text["num_hidden_layers"])
    writer.add_feed_forward_length(text["intermediate_size"])
    writer.add_head_count(text["num_attention_heads"])
    writer.add_layer_norm_rms_eps(text["rms_norm_eps"])
    writer.add_rope_freq_base(10000.0)


def write_ours(path, values, with_lists_only):
    """The convention of docs/formats.md by the package's own writer, q8_0 where it may be."""
    writer = gguf.GGUFWriter(path, "janus")
    text, vision, vq = (json.loads((TINY / "config.json").read_text())[k] for k in ("text_config", "vision_config", "vq_config"))
    add_language(writer, text)
    for key, number in {"vision.image_size": vision["image_size"], "vision.patch_size": vision["patch_size"],
                        "vision.embedding_length": vision["hidden_size"], "vision.block_count": vision["num_hidden_layers"],
                        "vision.feed_forward_length": int(vision["hidden_size"] * vision["mlp_ratio"]),
                        "vision.attention.head_count": vision["num_attention_heads"],
                        "vq.code_count": vq["num_embeddings"], "vq.code_length": vq["embed_dim"],
                        "vq.latent_channels": vq["latent_channels"], "vq.base_channels": vq["base_channels"],
                        "vq.residual_block_count": vq["num_res_blocks"]}.items():
        writer.add_uint32(f"janus.{key}", number)
    writer.add_array("janus.vq.encoder_channel_multipliers", vq["channel_multiplier"])
    add_tokens(writer, text["vocab_size"], with_lists_only)
    for name, value in values.items():
        writer.add_tensor(short(name), value)
    finish(writer)


def add_tokens(writer, rows, lists_only=True):
    table = json.loads((TINY / "tokenizer.json").read_text())
    tokens, types = [f"[PAD{i}]" for i in range(rows)], [gguf.TokenType.UNUSED] * rows
    for token, at in table["model"]["vocab"].items():
        tokens[at], types[at] = token, gguf.TokenType.NORMAL
    for token in table["added_tokens"]:
        tokens[token["id"]], types[token["id"]] = token["content"], gguf.TokenType.CONTROL
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("deepseek-llm")
    writer.add_token_list(tokens)
    writer.add_token_types(types)
    writer.add_token_merges(table["model"]["merges"])
    if not lists_only:
        writer.add_string("tokenizer.huggingface.json", (TINY / "tokenizer.json").read_text())


def finish(writer):
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def permute(weights, heads):
    """ggml-org/llama.cpp, conversion/llama.py, LlamaModel.permute."""
    shape = weights.shape
    return weights.reshape(heads, 2, shape[0] // heads // 2, *shape[1:]).swapaxes(1, 2).reshape(shape)


def llama_cpp_name(name):
    stem, end = name.rsplit(".", 1)
    fixed = {"lm_head": "output", "model.language_model.embed_tokens": "token_embd", "model.language_model.norm": "output_norm",
             "model.vision_model.embeddings.patch_embedding": "v.patch_embd", "model.aligner.fc1": "mm.0",
             "model.vision_model.embeddings.position_embedding": "v.position_embd",
             "model.vision_model.post_layernorm": "v.post_ln", "model.aligner.hidden_layers.0": "mm.1"}
    for begin, to, parts in (("model.language_model.layers.", "blk", LANGUAGE), ("model.vision_model.encoder.layers.", "v.blk", VISION)):
        if stem.startswith(begin):
            block, part = stem[len(begin):].split(".", 1)
            return f"{to}.{block}.{parts[part]}.{end}"
    return f"{fixed[stem]}.{end}" if stem in fixed else None


def write_pair(folder, values, kind):
    """Both files as llama.cpp's convert_hf_to_gguf.py writes them."""
    config = json.loads((TINY / "config.json").read_text())
    text, vision = config["text_config"], config["vision_config"]
    language = gguf.GGUFWriter(folder / "tiny.gguf", "llama")
    add_language(language, text)
    language.add_head_count_kv(text["num_key_value_heads"])
    language.add_rope_dimension_count(text["head_dim"])
    language.add_key_length(text["head_dim"])
    language.add_value_length(text["head_dim"])
    add_tokens(language, text["vocab_size"])
    eyes = gguf.GGUFWriter(folder / "mmproj-tiny.gguf", "clip")
    eyes.add_type(gguf.GGUFType.MMPROJ)
    eyes.add_clip_has_vision_encoder(True)
    eyes.add_clip_projector_type("janus_pro")
    eyes.add_vision_projection_dim(text["hidden_size"])
    eyes.add_vision_image_size(vision["image_size"])
    eyes.add_vision_patch_size(vision["patch_size"])
    eyes.add_vision_embedding_length(vision["hidden_size"])
    eyes.add_vision_feed_forward_length(int(round(vision["hidden_size"] * vision["mlp_ratio"])))
    eyes.add_vision_block_count(vision["num_hidden_layers"])
    eyes.add_vision_head_count(vision["num_attention_heads"])
    eyes.add_vision_image_mean([0.5, 0.5, 0.5])
    eyes.add_vision_image_std([0.5, 0.5, 0.5])
    eyes.add_vision_attention_layernorm_eps(vision["layer_norm_eps"])
    eyes.add_vision_use_gelu(True)
    for name, value in values.items():
        new = llama_cpp_name(name)
        if new is None:
            continue
        if "language_model" in name and "q_proj" in name:
            value = permute(value, text["num_attention_heads"])
        if "language_model" in name and "k_proj" in name:
            value = permute(value, text["num_key_value_heads"])
        matrix = value.ndim == 2 and "position" not in name
        wanted = TYPES[kind] if matrix else Type.F32
        writer = eyes if new.startswith(("v.", "mm.")) else language
        writer.add_tensor(new, quantize(value, wanted), raw_dtype=wanted)
    finish(language)
    finish(eyes)


def traces(programs, model, work, kinds=("ask", "draw", "encode")):
    arguments = {"ask": ["-i", GOLDEN / "images/coffee-portrait.png", "--tokens", "8", "What is shown in this image?"],
                 "draw": ["--image-ids", GOLDEN / "codes.json", "a red apple on a blue table"],
                 "encode": ["-i", GOLDEN / "images/astronaut-64.png"]}
    result = {}
    for kind in kinds:
        out = work / "trace.safetensors"
        run(programs, "trace", kind, "-m", model, "-o", out, *arguments[kind])
        result.update({f"{kind}.{k}": bits(v) for k, v in load_file(out).items()})
    return result


def equal(a, b):
    assert a.keys() == b.keys() and all(a[k] == b[k] for k in a), [k for k in a if a[k] != b.get(k)]


def of_ours(programs, work, values):
    for kind in TYPES:
        path = work / f"{kind}.gguf"
        run(programs, "convert", TINY, path, "--type", kind)
        check_metadata(check_file(path, values, kind))
        yield f"{kind}: {len(values)} tensors open in the package with its bytes"
    shutil.copytree(TINY, work / "hard")
    for kind in ("q8_0", "q4_0", "bf16", "f32"):
        hard = edges(values, 5e5 if kind == "q4_0" else 7e6)  # near the type's end
        save_file(hard, work / "hard/model.safetensors", {"format": "pt"})
        run(programs, "convert", work / "hard", work / "hard.gguf", "--type", kind, "--no-preview", "--force")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the package divides by zero for the tiniest blocks
            check_file(work / "hard.gguf", hard, kind)
        yield f"{kind}: the package's bytes for numbers at the edges too"


def of_runs(programs, work):
    """What the package makes of our q4_k and q6_k is what we make of it, to the bit; and both are near the numbers."""
    shutil.copytree(TINY, work / "wide")  # but with rows of whole blocks
    config = JanusConfig.from_pretrained(TINY)
    config.text_config.update({"hidden_size": 256, "intermediate_size": 512, "head_dim": 64})
    config.vision_config.projection_dim = 256
    config.vq_config.update({"projection_dim": 256, "image_token_embed_dim": 256})
    torch.manual_seed(5)
    JanusForConditionalGeneration(config).save_pretrained(work / "wide")
    wide = load_file(work / "wide/model.safetensors")
    wide["lm_head.weight"] = wide["model.language_model.embed_tokens.weight"]  # which it leaves out, as tied
    save_file(wide, work / "wide/model.safetensors", {"format": "pt"})
    for kind, near in (("q4_k", .08), ("q6_k", .02), ("q4_k_m", .08)):
        run(programs, "convert", work / "wide", work / "wide.gguf", "--type", kind, "--no-preview", "--quiet", "--force")
        run(programs, "convert", work / "wide.gguf", work / "decoded", "--type", "f32", "--quiet", "--force")
        decoded = load_file(work / "decoded/model.safetensors")
        names = {short(name): name for name in decoded}
        tensors = [t for t in gguf.GGUFReader(work / "wide.gguf").tensors if t.tensor_type in RUNS.values()]
        assert {t.tensor_type for t in tensors} == (set(RUNS.values()) if kind == "q4_k_m" else {RUNS[kind]})
        for tensor in tensors:
            name = names[tensor.name]
            theirs = dequantize(tensor.data, tensor.tensor_type).reshape(decoded[name].shape)
            assert bits(theirs) == bits(decoded[name]), f"{name}: other numbers than the package's"
            off = numpy.linalg.norm(theirs - wide[name]) / numpy.linalg.norm(wide[name])
            assert off < near, f"{name}: {off}"
        yield f"{kind}: the package decodes {len(tensors)} tensors to our bits"


def unpacked(data, outputs, inputs):
    """Panels of 16 rows of q8_0, pairs of blocks: scales [2][16], then codes + 128 [2][8][16][4]."""
    pairs = (inputs // 32 + 1) // 2
    panels = data.view(numpy.uint8).reshape(-1, pairs, 1088)
    scales = numpy.ascontiguousarray(panels[:, :, :64]).view(numpy.float16).reshape(-1, pairs, 2, 16)
    codes = panels[:, :, 64:].astype(numpy.float32).reshape(-1, pairs, 2, 8, 16, 4) - 128
    values = codes * scales.astype(numpy.float32)[:, :, :, None, :, None]
    return values.transpose(0, 4, 1, 2, 3, 5).reshape(-1, pairs * 64)[:outputs, :inputs]


def of_packed(programs, work, values):
    path = work / "packed.gguf"
    run(programs, "convert", TINY, path, "--type", "q8_0", "--layout", "native")
    reader = gguf.GGUFReader(path)
    tensors = {t.name: t for t in reader.tensors}
    packed, types = (reader.fields[f"janus.packing.{key}"].contents() for key in ("tensors", "types"))
    assert reader.fields["janus.packing.name"].contents() == "panels16"
    for name, kind in zip(packed, types, strict=True):
        assert tensors[name].tensor_type == Type.I8 and tensors[name].data_offset % 64 == 0, name
        assert kind in ("q8_0", "bf16"), kind
    up, gate = (values[f"model.language_model.layers.1.mlp.{part}_proj.weight"] for part in ("up", "gate"))
    both = numpy.concatenate([gate, up])
    wanted = dequantize(quantize(both, Type.Q8_0), Type.Q8_0)
    got = unpacked(tensors["lm.layers.1.mlp.gate_proj.packed"].data, *both.shape)
    assert bits(got.astype(numpy.float32)) == bits(wanted), "other values in the panels"
    assert tensors["packing.fingerprint"].tensor_type == Type.I64
    yield f"native: {len(packed)} packed tensors open in the package, values as the page says"
    run(programs, "convert", path, work / "unpacked.gguf")
    check_metadata(check_file(work / "unpacked.gguf", values, "q8_0"))
    yield "native and back: the package's bytes"


def of_the_package(programs, work, values):
    wanted = traces(programs, TINY, work)
    for lists_only in (True, False):
        write_ours(work / "theirs.gguf", values, lists_only)
        equal(traces(programs, work / "theirs.gguf", work), wanted)
        yield f"the convention by GGUFWriter, tokenizer {'as lists' if lists_only else 'whole'}: equal traces"
    pair = work / "pair"
    pair.mkdir()
    asked = {k: v for k, v in wanted.items() if k.startswith("ask.")}
    for kind in ("f32", "bf16"):  # the golden values are exact in bf16
        write_pair(pair, values, kind)
        equal(traces(programs, pair / "tiny.gguf", work, ["ask"]), asked)
        yield f"llama.cpp's pair in {kind}: equal traces of reading"
    for kind in ("f16", "q8_0", "q4_0"):
        write_pair(pair, values, kind)
        answer = run(programs, "ask", "-m", pair / "tiny.gguf", "--mmproj", pair / "mmproj-tiny.gguf", "--max-tokens", "4",
                     "-i", GOLDEN / "images/rocket.jpg", "--json", "What is it?")
        assert json.loads(answer.stdout)["answer_tokens"] >= 1
        yield f"llama.cpp's pair in {kind}: answers"
    for verb in (["draw", "x", "-o", work / "x.png"], ["convert", pair / "tiny.gguf", work / "x.gguf"]):
        model = ["-m", pair / "tiny.gguf"] if verb[0] == "draw" else []
        refused = run(programs, *verb, *model, code=1)
        assert "the half that reads" in refused.stderr, refused.stderr
    yield "llama.cpp's pair does not draw, and says why"


def of_transformers(programs, work):
    model = JanusForConditionalGeneration.from_pretrained(TINY, dtype=torch.float32).state_dict()
    run(programs, "convert", GOLDEN / "tiny-official", work / "official.gguf", "--no-preview")
    run(programs, "convert", work / "official.gguf", work / "back")
    back = JanusForConditionalGeneration.from_pretrained(work / "back", dtype=torch.float32).state_dict()
    assert model.keys() == back.keys() and all(torch.equal(model[k], back[k]) for k in model)
    yield "official -> .gguf -> transformers: equal weights there"


def main():
    programs = pathlib.Path(sys.argv[1]).resolve()
    values = load_file(TINY / "model.safetensors")
    with tempfile.TemporaryDirectory() as folder:
        work = pathlib.Path(folder)
        for checks in (of_ours(programs, work, values), of_packed(programs, work, values), of_runs(programs, work),
                       of_the_package(programs, work, values), of_transformers(programs, work)):
            for line in checks:
                print(f"gguf parity: {line}")


if __name__ == "__main__":
    main()
