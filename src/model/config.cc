// The two layouts of config.json -> Config. Every key that would change the numbers is either read
// or refused by name; sizes are bounded so that no product of them overflows. References:
// deepseek-ai/Janus, janus/models/{modeling_vlm,clip_encoder,projector,vq_model}.py; transformers,
// models/janus/configuration_janus.py and models/llama/configuration_llama.py.
// SPDX-License-Identifier: MIT
#include "model/config.h"

#include <algorithm>

#include "io/file.h"
#include "io/json.h"
#include "io/mishap.h"
#include "model/config_check.h"
#include "model/config_json.h"
#include "model/stranger.h"

namespace janus {
namespace {

constexpr int64_t kConfigBytes = 16'000'000;

// rope_scaling (transformers 4) and rope_parameters (5): only the plain kind; returns theta.
double rope_theta(const Section& section) {
  double theta = section.number("rope_theta", LlamaConfig{}.rope_theta, 1, 1e12);
  for (const char* key : {"rope_scaling", "rope_parameters"}) {
    const Section rope = section.child(key);
    const std::string old_kind = rope.text("type", "default");
    const std::string kind = rope.text("rope_type", old_kind);
    if (kind != "default") refuse(rope, "rope_type", "\"" + kind + "\"", "\"default\"");
    theta = rope.number("rope_theta", theta, 1, 1e12);
    if (rope.number("partial_rotary_factor", 1, 0, 1) != 1) {
      refuse(rope, "partial_rotary_factor", "below 1", "1");
    }
  }
  if (section.number("partial_rotary_factor", 1, 0, 1) != 1) {
    refuse(section, "partial_rotary_factor", "below 1", "1");
  }
  return theta;
}

LlamaConfig parse_llama(const Section& section) {
  require_text(section, "model_type", "llama");
  require_text(section, "hidden_act", "silu");
  require_flag(section, "attention_bias", false);
  require_flag(section, "mlp_bias", false);
  LlamaConfig c;
  c.width = section.whole("hidden_size", c.width, 1, kMaxWidth);
  c.layers = section.whole("num_hidden_layers", c.layers, 1, kMaxLayers);
  c.heads = section.whole("num_attention_heads", c.heads, 1, kMaxHeads);
  c.kv_heads = section.whole("num_key_value_heads", c.heads, 1, kMaxHeads);
  check(section.has("head_dim") || c.width % c.heads == 0, Code::bad_checkpoint, section.file(),
        ": ", section.name("hidden_size"), " ", c.width, " is not a multiple of ",
        section.name("num_attention_heads"), " ", c.heads, " and head_dim is not given");
  c.head_width = section.whole("head_dim", c.width / c.heads, 1, kMaxWidth);
  c.mlp_width = section.whole("intermediate_size", c.mlp_width, 1, kMaxMlpWidth);
  c.vocabulary = section.whole("vocab_size", c.vocabulary, 1, kMaxIds);
  c.context = section.whole("max_position_embeddings", c.context, 1, kMaxContext);
  c.rms_eps = static_cast<float>(section.number("rms_norm_eps", 1e-6, 0, 1));
  c.rope_theta = rope_theta(section);
  check_llama(c, section, {});
  return c;
}

// int(width · ratio), as both references compute it.
int mlp_width(const Section& section, int width) {
  const double ratio = section.number("mlp_ratio", 4, 0.001, 64);
  return std::max(1, static_cast<int>(width * ratio));
}

// --- official ----------------------------------------------------------------------------------

void require_class(const Section& section, const std::string& wanted) {
  const std::string value = section.text("cls", wanted);
  if (value.find(wanted) == std::string::npos) {
    refuse(section, "cls", "\"" + value + "\"", "\"" + wanted + "\"");
  }
}

VisionConfig parse_official_vision(const Section& section) {
  require_class(section, "CLIPVisionTower");
  const Section params = section.child("params");
  require_text(params, "model_name", "siglip_large_patch16_384");
  if (params.has("pixel_mean") && params.has("pixel_std")) {
    refuse(params, "pixel_mean", "given", "a tower without a normalisation of its own");
  }
  VisionConfig c;
  c.image = params.whole("image_size", c.image, 1, kMaxImage);
  c.patch = params.whole("patch_size", c.patch, 1, kMaxImage);
  c.width = params.whole("width", c.width, 1, kMaxWidth);
  c.heads = params.whole("heads", c.heads, 1, kMaxHeads);
  c.layers = params.whole("layers", c.layers, 1, kMaxLayers);
  // The tower ends after the selected block. (siglip_vit.py, create_siglip_vit)
  const int select = params.whole("select_layer", -1, -kMaxLayers, kMaxLayers);
  c.layers = std::min(c.layers, select <= 0 ? c.layers + select + 1 : select);
  check(c.layers >= 1, Code::bad_checkpoint, params.file(), ": ", params.name("select_layer"), " ",
        select, " leaves no block of the vision tower");
  c.mlp_width = mlp_width(params, c.width);
  check_vision(c, params);
  return c;
}

VqConfig parse_official_vq(const Section& section) {
  require_class(section, "VQ-16");
  const Section params = section.child("params");
  VqConfig c;
  c.codes = params.whole("image_token_size", c.codes, 1, kMaxIds);
  c.code_width = params.whole("n_embed", c.code_width, 1, kMaxWidth);
  c.latent = params.whole("z_channels", c.latent, 1, kMaxChannels);
  c.base = params.whole("ch", c.base, 1, kMaxChannels);
  c.multipliers = params.list("encoder_ch_mult", c.multipliers, kMaxLevels, 1, kMaxChannels);
  c.decoder_multipliers =
      params.list("decoder_ch_mult", c.decoder_multipliers, kMaxLevels, 1, kMaxChannels);
  c.blocks = params.whole("num_res_blocks", c.blocks, 1, kMaxBlocks);
  c.groups = params.whole("num_groups", c.groups, 1, kMaxChannels);
  check_vq(c, params, {});
  return c;
}

// Depth of one projector whose ends are fixed by the towers. (projector.py, MlpProjector)
int parse_projector(const Section& section, int inputs, const std::string& inputs_are, int width) {
  require_class(section, "MlpProjector");
  const Section params = section.child("params");
  require_text(params, "projector_type", "mlp_gelu");
  require_size(params, "input_dim", inputs, inputs, inputs_are);
  require_size(params, "n_embed", width, width, "language_config.hidden_size");
  return params.whole("depth", 1, 1, kMaxDepth);
}

// Of the other models of this model_type. (deepseek-ai/Janus, janus/janusflow; DeepSeek-VL)
void refuse_relatives(const Section& root) {
  for (const char* key : {"vision_und_enc_config", "vision_gen_enc_config"}) {
    if (root.has(key)) refuse_stranger(root.file(), "janusflow", std::string("it has ") + key);
  }
  const bool draws = root.has("gen_vision_config") || root.has("gen_head_config");
  if (!draws && root.has("vision_config") && root.has("aligner_config")) {
    refuse_stranger(root.file(), "deepseek_vl", "it has no gen_vision_config");
  }
}

Config parse_official(const Section& root) {
  refuse_relatives(root);
  Config c;
  c.layout = Layout::official;
  c.llama = parse_llama(root.child("language_config"));
  c.vision = parse_official_vision(root.required_child("vision_config"));
  c.vq = parse_official_vq(root.required_child("gen_vision_config"));
  c.aligner_depth = parse_projector(root.required_child("aligner_config"), c.vision.width,
                                    "the vision tower's width", c.llama.width);
  c.gen_aligner_depth = parse_projector(root.required_child("gen_aligner_config"), c.vq.code_width,
                                        "gen_vision_config.params.n_embed", c.llama.width);
  const Section head = root.required_child("gen_head_config");
  require_class(head, "vision_head");
  const Section params = head.child("params");
  require_size(params, "n_embed", c.llama.width, c.llama.width, "language_config.hidden_size");
  require_size(params, "image_token_size", c.vq.codes, c.vq.codes,
               "gen_vision_config.params.image_token_size");
  c.gen_head_width = params.whole("image_token_embed", c.llama.width, 1, kMaxWidth);
  set_picture_size(c, root.file());
  return c;
}

// --- transformers ------------------------------------------------------------------------------

VisionConfig parse_vision(const Section& section) {
  require_text(section, "hidden_act", "gelu");
  require_flag(section, "attention_bias", true);
  require_flag(section, "use_qk_norm", false);
  require_size(section, "num_channels", 3, 3, "the number of colours");
  VisionConfig c;
  c.image = section.whole("image_size", c.image, 1, kMaxImage);
  c.patch = section.whole("patch_size", c.patch, 1, kMaxImage);
  c.width = section.whole("hidden_size", c.width, 1, kMaxWidth);
  c.layers = section.whole("num_hidden_layers", c.layers, 1, kMaxLayers);
  c.heads = section.whole("num_attention_heads", c.heads, 1, kMaxHeads);
  c.eps = static_cast<float>(section.number("layer_norm_eps", 1e-6, 0, 1));
  c.mlp_width = mlp_width(section, c.width);
  check_vision(c, section);
  return c;
}

VqConfig parse_vq(const Section& section) {
  require_text(section, "hidden_act", "gelu");
  require_flag(section, "double_latent", false);
  require_size(section, "in_channels", 3, 3, "the number of colours");
  require_size(section, "out_channels", 3, 3, "the number of colours");
  VqConfig c;
  c.codes = section.whole("num_embeddings", c.codes, 1, kMaxIds);
  c.code_width = section.whole("embed_dim", c.code_width, 1, kMaxWidth);
  c.latent = section.whole("latent_channels", c.latent, 1, kMaxChannels);
  c.base = section.whole("base_channels", c.base, 1, kMaxChannels);
  c.multipliers = section.list("channel_multiplier", c.multipliers, kMaxLevels, 1, kMaxChannels);
  c.decoder_multipliers = c.multipliers;
  c.blocks = section.whole("num_res_blocks", c.blocks, 1, kMaxBlocks);
  c.groups = section.whole("num_groups", c.groups, 1, kMaxChannels);
  check_vq(c, section, {});
  return c;
}

Config parse_transformers(const Section& root) {
  const Section vision = root.child("vision_config");
  const Section vq = root.child("vq_config");
  const std::string width = "text_config.hidden_size";
  Config c;
  c.layout = Layout::transformers;
  c.llama = parse_llama(root.child("text_config"));
  c.vision = parse_vision(vision);
  c.vq = parse_vq(vq);
  c.aligner_depth = vision.whole("depth", 2, 1, kMaxDepth);
  c.gen_aligner_depth = vq.whole("num_hidden_layers", 2, 1, kMaxDepth);
  constexpr int kProjection = 2048;  // JanusVisionConfig, JanusVQVAEConfig
  require_size(vision, "projection_dim", kProjection, c.llama.width, width);
  require_size(vq, "projection_dim", kProjection, c.llama.width, width);
  require_size(vq, "image_token_embed_dim", kProjection, c.llama.width, width);
  c.gen_head_width = c.llama.width;
  set_picture_size(c, root.file());
  return c;
}

}  // namespace

Config parse_config(std::string_view json, const std::string& name) {
  const Section root(parse_json(std::string(json), name), name, "");
  const bool official_keys = root.has("language_config") && root.has("gen_vision_config");
  const bool transformers_keys = root.has("text_config") && root.has("vq_config");
  const std::string type = root.text("model_type", official_keys       ? "multi_modality"
                                                   : transformers_keys ? "janus"
                                                                       : "");
  if (type == "multi_modality") return parse_official(root);
  if (type == "janus") return parse_transformers(root);
  check(!type.empty(), Code::bad_checkpoint, name,
        ": no model_type; is this the config.json of a Janus checkpoint?");
  refuse_stranger(name, type, "its model_type is \"" + type.substr(0, 60) + "\"");
}

std::string_view layout_name(Layout layout) {
  switch (layout) {
    case Layout::official:
      return "official";
    case Layout::transformers:
      return "transformers";
    case Layout::gguf:
      return "gguf";
    case Layout::llama_cpp:
      return "llama.cpp";
  }
  return "?";
}

Config load_config(const std::filesystem::path& dir) {
  const std::filesystem::path path = dir / "config.json";
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored)) {
    refuse_strange_folder(dir);
    fail(
        Code::bad_checkpoint, path.string(),
        ": no such file; a checkpoint is a directory with config.json and its weights, or a .gguf");
  }
  const std::string text = read_text(path, kConfigBytes);
  refuse_mishap(path, text);
  Config config = parse_config(text, path.string());
  config.preprocessing = load_preprocessing(dir);
  return config;
}

}  // namespace janus
