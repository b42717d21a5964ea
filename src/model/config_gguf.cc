// See config_gguf.h. Keys that other models have as well are called as ggml's documentation does
// (docs/gguf.md). SPDX-License-Identifier: MIT
#include "model/config_gguf.h"

#include <algorithm>

#include "model/config_check.h"
#include "model/config_json.h"
#include "model/stranger.h"

namespace janus {
namespace {

constexpr int kConvention = 1;  // version of the keys and names of docs/formats.md

constexpr LlamaKeys kLlamaKeys = {.width = "embedding_length",
                                  .heads = "attention.head_count",
                                  .kv_heads = "attention.head_count_kv",
                                  .context = "context_length"};
constexpr VqKeys kVqKeys = {.encoder = "encoder_channel_multipliers",
                            .decoder = "decoder_channel_multipliers",
                            .groups = "group_count"};

Section section_of(const GgufFile& file, const std::string& prefix) {
  return Section(file.section(prefix), file.name(), prefix);
}

int required(const Section& section, const std::string& key, int high) {
  check(section.has(key), Code::bad_checkpoint, section.file(), ": ", section.name(key),
        " is missing; is the file complete?");
  return section.whole(key, 0, 1, high);
}

// The keys that every language model of the format has. `vocabulary`: rows of the embeddings.
LlamaConfig parse_language(const Section& section, int vocabulary) {
  const Section attention = section.child("attention");
  const Section rope = section.child("rope");
  LlamaConfig c;
  c.vocabulary = vocabulary;
  c.context = required(section, "context_length", kMaxContext);
  c.width = required(section, "embedding_length", kMaxWidth);
  c.layers = required(section, "block_count", kMaxLayers);
  c.mlp_width = required(section, "feed_forward_length", kMaxMlpWidth);
  c.heads = required(attention, "head_count", kMaxHeads);
  c.kv_heads = attention.whole("head_count_kv", c.heads, 1, kMaxHeads);
  check(attention.has("key_length") || c.width % c.heads == 0, Code::bad_checkpoint, section.file(),
        ": ", section.name("embedding_length"), " ", c.width, " is not a multiple of ",
        attention.name("head_count"), " ", c.heads, " and ", attention.name("key_length"),
        " is not given");
  c.head_width = attention.whole("key_length", c.width / c.heads, 1, kMaxWidth);
  require_size(attention, "value_length", c.head_width, c.head_width, attention.name("key_length"));
  require_size(rope, "dimension_count", c.head_width, c.head_width, attention.name("key_length"));
  c.rms_eps = static_cast<float>(attention.number("layer_norm_rms_epsilon", 1e-6, 0, 1));
  c.rope_theta = rope.number("freq_base", c.rope_theta, 1, 1e12);
  require_text(rope.child("scaling"), "type", "none");
  if (section.whole("expert_count", 0, 0, kMaxIds) != 0) {
    refuse(section, "expert_count", "above 0", "a model without experts");
  }
  check_llama(c, section, kLlamaKeys);
  return c;
}

void add_language(GgufMetadata& metadata, const LlamaConfig& c) {
  metadata.whole("janus.vocab_size", c.vocabulary);
  metadata.whole("janus.context_length", c.context);
  metadata.whole("janus.embedding_length", c.width);
  metadata.whole("janus.block_count", c.layers);
  metadata.whole("janus.feed_forward_length", c.mlp_width);
  metadata.whole("janus.attention.head_count", c.heads);
  metadata.whole("janus.attention.head_count_kv", c.kv_heads);
  metadata.whole("janus.attention.key_length", c.head_width);
  metadata.whole("janus.attention.value_length", c.head_width);
  metadata.number("janus.attention.layer_norm_rms_epsilon", c.rms_eps);
  metadata.whole("janus.rope.dimension_count", c.head_width);
  metadata.number("janus.rope.freq_base", c.rope_theta);
}

// The same keys in a file made here and in llama.cpp's vision file.
VisionConfig parse_vision(const Section& section) {
  const Section attention = section.child("attention");
  VisionConfig c;
  c.image = required(section, "image_size", kMaxImage);
  c.patch = required(section, "patch_size", kMaxImage);
  c.width = required(section, "embedding_length", kMaxWidth);
  c.layers = required(section, "block_count", kMaxLayers);
  c.heads = required(attention, "head_count", kMaxHeads);
  c.mlp_width = required(section, "feed_forward_length", kMaxMlpWidth);
  c.eps = static_cast<float>(attention.number("layer_norm_epsilon", 1e-6, 0, 1));
  check_vision(c, section);
  return c;
}

// What is not stated is as published.
Preprocessing parse_preprocessing(const Section& section) {
  Preprocessing rule;
  const std::vector<double> mean = section.numbers("image_mean", {0.5, 0.5, 0.5}, 0, 1);
  const std::vector<double> deviation = section.numbers("image_std", {0.5, 0.5, 0.5}, 1e-6, 1e6);
  std::vector<double> fill;
  for (const double value : mean) fill.push_back(static_cast<int>(value * 255));
  fill = section.numbers("image_fill", fill, 0, 255);
  for (size_t c = 0; c < rule.mean.size(); ++c) {
    rule.mean[c] = static_cast<float>(mean[c]);
    rule.deviation[c] = static_cast<float>(deviation[c]);
    rule.fill[c] = static_cast<uint8_t>(fill[c]);
  }
  rule.rescale = section.number("image_scale", rule.rescale, 0, 1);
  rule.min_side = section.whole("image_min_size", rule.min_side, 1, 1'000'000);
  return rule;
}

void add_vision(GgufMetadata& metadata, const Config& config) {
  const VisionConfig& c = config.vision;
  const Preprocessing& rule = config.preprocessing;
  metadata.whole("janus.vision.image_size", c.image);
  metadata.whole("janus.vision.patch_size", c.patch);
  metadata.whole("janus.vision.embedding_length", c.width);
  metadata.whole("janus.vision.block_count", c.layers);
  metadata.whole("janus.vision.feed_forward_length", c.mlp_width);
  metadata.whole("janus.vision.attention.head_count", c.heads);
  metadata.number("janus.vision.attention.layer_norm_epsilon", c.eps);
  metadata.numbers("janus.vision.image_mean", rule.mean);
  metadata.numbers("janus.vision.image_std", rule.deviation);
  const std::vector<int> fill(rule.fill.begin(), rule.fill.end());
  metadata.wholes("janus.vision.image_fill", fill);
  metadata.number("janus.vision.image_scale", rule.rescale);
  metadata.whole("janus.vision.image_min_size", rule.min_side);
  metadata.whole("janus.aligner.block_count", config.aligner_depth);
}

VqConfig parse_vq(const Section& section) {
  VqConfig c;
  c.codes = required(section, "code_count", kMaxIds);
  c.code_width = required(section, "code_length", kMaxWidth);
  c.latent = required(section, "latent_channels", kMaxChannels);
  c.base = required(section, "base_channels", kMaxChannels);
  c.multipliers = section.list(kVqKeys.encoder, c.multipliers, kMaxLevels, 1, kMaxChannels);
  c.decoder_multipliers = section.list(kVqKeys.decoder, c.multipliers, kMaxLevels, 1, kMaxChannels);
  c.blocks = required(section, "residual_block_count", kMaxBlocks);
  c.groups = section.whole(kVqKeys.groups, c.groups, 1, kMaxChannels);
  c.eps = static_cast<float>(section.number("group_norm_epsilon", c.eps, 0, 1));
  check_vq(c, section, kVqKeys);
  return c;
}

void add_drawing(GgufMetadata& metadata, const Config& config, const ProcessorConfig& processor) {
  const VqConfig& c = config.vq;
  metadata.whole("janus.generation.image_size", config.image);
  metadata.whole("janus.generation.aligner.block_count", config.gen_aligner_depth);
  metadata.whole("janus.generation.head.feed_forward_length", config.gen_head_width);
  if (processor.guidance) metadata.number("janus.generation.guidance_scale", *processor.guidance);
  metadata.whole("janus.vq.code_count", c.codes);
  metadata.whole("janus.vq.code_length", c.code_width);
  metadata.whole("janus.vq.latent_channels", c.latent);
  metadata.whole("janus.vq.base_channels", c.base);
  metadata.wholes("janus.vq.encoder_channel_multipliers", c.multipliers);
  metadata.wholes("janus.vq.decoder_channel_multipliers", c.decoder_multipliers);
  metadata.whole("janus.vq.residual_block_count", c.blocks);
  metadata.whole("janus.vq.group_count", c.groups);
  metadata.number("janus.vq.group_norm_epsilon", c.eps);
}

int rows_of(const GgufFile& file, const std::string& tensor) {
  for (const GgufFile::Entry& entry : file.entries()) {
    if (entry.name != tensor || entry.shape.empty()) continue;
    check(entry.shape[0] <= kMaxIds, Code::bad_checkpoint, file.name(), ": tensor ", tensor,
          " has ", entry.shape[0], " rows, above ", kMaxIds);
    return static_cast<int>(entry.shape[0]);
  }
  fail(Code::bad_checkpoint, file.name(), ": has no tensor ", tensor, "; is the file complete?");
}

}  // namespace

void add_config(GgufMetadata& metadata, const Config& config, const ProcessorConfig& processor) {
  metadata.whole("janus.convention", kConvention);
  add_language(metadata, config.llama);
  add_vision(metadata, config);
  add_drawing(metadata, config, processor);
  if (processor.system_prompt) metadata.text("janus.prompt.system", *processor.system_prompt);
  if (processor.roles) {
    metadata.text("janus.prompt.user", processor.roles->user);
    metadata.text("janus.prompt.assistant", processor.roles->assistant);
  }
  if (processor.edit_layout != EditLayout::none) {
    metadata.text("janus.prompt.edit_layout", std::string(edit_layout_name(processor.edit_layout)));
  }
}

Config load_config(const GgufFile& file) {
  const Section root = section_of(file, kJanusArchitecture);
  const int convention = root.whole("convention", kConvention, 1, INT32_MAX);
  check(convention == kConvention, Code::not_supported, file.name(), ": follows version ",
        convention, " of the convention for Janus, this program knows version ", kConvention,
        "; take a newer januspro");
  Config c;
  c.layout = Layout::gguf;
  c.llama = parse_language(root, required(root, "vocab_size", kMaxIds));
  c.vision = parse_vision(root.child("vision"));
  c.preprocessing = parse_preprocessing(root.child("vision"));
  c.vq = parse_vq(root.child("vq"));
  c.aligner_depth = root.child("aligner").whole("block_count", c.aligner_depth, 1, kMaxDepth);
  const Section generation = root.child("generation");
  c.gen_aligner_depth =
      generation.child("aligner").whole("block_count", c.gen_aligner_depth, 1, kMaxDepth);
  c.gen_head_width =
      generation.child("head").whole("feed_forward_length", c.llama.width, 1, kMaxWidth);
  set_picture_size(c, file.name());
  require_size(generation, "image_size", c.image, c.image,
               "the number of codes a side times the pixels of a code");
  return c;
}

ProcessorConfig load_processor_config(const GgufFile& file) {
  const Section root = section_of(file, kJanusArchitecture);
  const Section prompt = root.child("prompt");
  ProcessorConfig config;
  if (prompt.has("system")) config.system_prompt = prompt.text("system", "");
  if (prompt.has("user") || prompt.has("assistant")) {
    config.roles = {prompt.text("user", ""), prompt.text("assistant", "")};
    check(!config.roles->user.empty() && !config.roles->assistant.empty(), Code::bad_checkpoint,
          file.name(), ": ", prompt.name("user"), " and ", prompt.name("assistant"),
          " must both be given and not empty");
  }
  const std::string layout = prompt.text("edit_layout", "none");
  const std::optional<EditLayout> known = find_edit_layout(layout);
  check(known.has_value(), Code::bad_checkpoint, file.name(), ": ", prompt.name("edit_layout"),
        " is \"", layout, "\"; it must be \"und+gen\", \"janus4o\" or \"none\"");
  config.edit_layout = *known;
  const Section generation = root.child("generation");
  if (generation.has("guidance_scale")) {
    config.guidance = static_cast<float>(generation.number("guidance_scale", 0, -1e6, 1e6));
  }
  return config;
}

Config load_config(const GgufFile& language, const GgufFile& vision) {
  const Section clip = section_of(vision, "clip");
  const std::string projector =
      clip.text("projector_type", clip.child("vision").text("projector_type", ""));
  if (projector != "janus_pro") {
    refuse_stranger(vision.name(), projector,
                    "its projector is \"" + projector.substr(0, 60) + "\"");
  }
  require_flag(clip, "use_gelu", true);
  Config c;
  c.layout = Layout::llama_cpp;
  c.llama = parse_language(section_of(language, "llama"), rows_of(language, "token_embd.weight"));
  c.vision = parse_vision(clip.child("vision"));
  c.preprocessing = parse_preprocessing(clip.child("vision"));
  require_size(clip.child("vision"), "projection_dim", c.llama.width, c.llama.width,
               "the width of the language model");
  const auto is_layer = [](const GgufFile::Entry& entry) {
    return entry.name.starts_with("mm.") && entry.name.ends_with(".weight");
  };
  const auto layers = std::ranges::count_if(vision.entries(), is_layer);
  c.aligner_depth = static_cast<int>(std::clamp<ptrdiff_t>(layers, 1, kMaxDepth));
  c.gen_head_width = c.llama.width;
  set_picture_size(c, vision.name());
  return c;
}

}  // namespace janus
