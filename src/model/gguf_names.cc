// See gguf_names.h. llama.cpp's names: ggml-org/llama.cpp, gguf-py/gguf/constants.py and
// conversion/janus_pro.py. SPDX-License-Identifier: MIT
#include "model/gguf_names.h"

#include <span>

#include "base/error.h"

namespace janus {
namespace {

struct Rename {
  std::string_view from, to;
};

// The first beginning that fits is replaced.
constexpr Rename kPrefixes[] = {
    {"model.language_model.", "lm."},
    {"model.vision_model.", "vision."},
    {"model.aligner.", "aligner."},
    {"model.generation_embeddings.", "gen_embed."},
    {"model.generation_aligner.", "gen_aligner."},
    {"model.generation_head.", "gen_head."},
    {"model.vqmodel.", "vq."},
};

constexpr Rename kLlamaWhole[] = {
    {"lm_head", "output"},
    {"model.language_model.embed_tokens", "token_embd"},
    {"model.language_model.norm", "output_norm"},
    {"model.vision_model.embeddings.patch_embedding", "v.patch_embd"},
    {"model.vision_model.embeddings.position_embedding", "v.position_embd"},
    {"model.vision_model.post_layernorm", "v.post_ln"},
    {"model.aligner.fc1", "mm.0"},
};

constexpr std::string_view kLanguageBlock = "model.language_model.layers.";
constexpr Rename kLanguageParts[] = {
    {"input_layernorm", "attn_norm"},    {"self_attn.q_proj", "attn_q"},
    {"self_attn.k_proj", "attn_k"},      {"self_attn.v_proj", "attn_v"},
    {"self_attn.o_proj", "attn_output"}, Rename{"post_attention_layernorm", "ffn_norm"},
    {"mlp.gate_proj", "ffn_gate"},       {"mlp.up_proj", "ffn_up"},
    {"mlp.down_proj", "ffn_down"},
};

constexpr std::string_view kVisionBlock = "model.vision_model.encoder.layers.";
constexpr Rename kVisionParts[] = {
    {"layer_norm1", "ln1"},
    {"self_attn.q_proj", "attn_q"},
    {"self_attn.k_proj", "attn_k"},
    {"self_attn.v_proj", "attn_v"},
    {"self_attn.projection_layer", "attn_out"},
    {"layer_norm2", "ln2"},
    {"mlp.fc1", "ffn_up"},
    {"mlp.fc2", "ffn_down"},
};

constexpr std::string_view kAlignerLayer = "model.aligner.hidden_layers.";

std::string_view renamed(std::span<const Rename> table, std::string_view name) {
  for (const Rename& row : table) {
    if (row.from == name) return row.to;
  }
  return {};
}

// "N.part" -> "begin.N.renamed part"; empty where the table lacks the part.
std::string block_name(std::string_view begin, std::string_view rest,
                       std::span<const Rename> table) {
  const size_t dot = rest.find('.');
  const std::string_view part = renamed(table, rest.substr(dot + 1));
  if (part.empty()) return {};
  return std::string(begin) + "." + std::string(rest.substr(0, dot)) + "." + std::string(part);
}

// Without ".weight" or ".bias".
std::string llama_cpp_stem(std::string_view stem) {
  const auto after = [&](std::string_view begin) { return stem.substr(begin.size()); };
  if (stem.starts_with(kLanguageBlock)) {
    return block_name("blk", after(kLanguageBlock), kLanguageParts);
  }
  if (stem.starts_with(kVisionBlock)) {
    return block_name("v.blk", after(kVisionBlock), kVisionParts);
  }
  if (stem.starts_with(kAlignerLayer)) {
    return "mm." + std::to_string(std::stoi(std::string(after(kAlignerLayer))) + 1);
  }
  return std::string(renamed(kLlamaWhole, stem));
}

}  // namespace

std::string gguf_name(std::string_view transformers) {
  for (const Rename& row : kPrefixes) {
    if (transformers.starts_with(row.from)) {
      return std::string(row.to) + std::string(transformers.substr(row.from.size()));
    }
  }
  return std::string(transformers);  // lm_head.weight
}

std::string llama_cpp_name(std::string_view transformers) {
  const size_t dot = transformers.rfind('.');
  check(dot != std::string_view::npos, Code::bug, "a tensor is named ", transformers);
  const std::string stem = llama_cpp_stem(transformers.substr(0, dot));
  return stem.empty() ? stem : stem + std::string(transformers.substr(dot));
}

std::string_view tensor_group(std::string_view transformers) {
  const auto in = [&](std::string_view begin) { return transformers.starts_with(begin); };
  if (in("model.language_model.embed_tokens.") || in("model.generation_embeddings.")) {
    return "embeddings";
  }
  if (in("lm_head.") || in("model.generation_head.")) return "heads";
  if (in("model.aligner.") || in("model.generation_aligner.")) return "adaptors";
  if (in("model.vision_model.")) return "vision";
  if (in("model.vqmodel.")) return "codec";
  return "language";
}

}  // namespace janus
