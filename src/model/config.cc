// The two layouts of config.json -> Config. Every key that would change the numbers is either read
// or refused by name; sizes are bounded so that no product of them overflows. References:
// deepseek-ai/Janus, janus/models/{modeling_vlm,clip_encoder,projector,vq_model}.py; transformers,
// models/janus/configuration_janus.py and models/llama/configuration_llama.py.
// SPDX-License-Identifier: MIT
#include "model/config.h"

#include <algorithm>

#include "io/file.h"
#include "io/json.h"
#include "model/config_json.h"

namespace janus {
namespace {

// Far above any published size and far below overflow of products in int64_t.
constexpr int kMaxWidth = 1 << 16;
constexpr int kMaxLayers = 1 << 10;
constexpr int kMaxHeads = 1 << 10;
constexpr int kMaxMlpWidth = 1 << 20;
constexpr int kMaxIds = 1 << 22;
constexpr int kMaxContext = 1 << 20;
constexpr int64_t kMaxRopeValues = int64_t{1} << 25;  // context · head width: a table of 128 MiB
constexpr int kMaxImage = 1 << 12;
constexpr int kMaxGrid = 1 << 8;  // patches or codes a side; attention is over their square
constexpr int kMaxChannels = 1 << 16;
constexpr int kMaxLevels = 8;
constexpr int kMaxBlocks = 16;
constexpr int kMaxDepth = 16;
constexpr int64_t kConfigBytes = 16'000'000;

void refuse(const Section& section, const std::string& key, const std::string& value,
            const std::string& supported) {
  fail(Code::not_supported, section.file(), ": ", section.name(key), " is ", value, "; only ",
       supported, " is supported");
}

void require_text(const Section& section, const std::string& key, const std::string& wanted) {
  const std::string value = section.text(key, wanted);
  if (value != wanted) refuse(section, key, "\"" + value + "\"", "\"" + wanted + "\"");
}

void require_flag(const Section& section, const std::string& key, bool wanted) {
  if (section.flag(key, wanted) != wanted) {
    refuse(section, key, wanted ? "false" : "true", wanted ? "true" : "false");
  }
}

// A size that another part of the file (or a default) already fixes.
void require_size(const Section& section, const std::string& key, int fallback, int wanted,
                  const std::string& because) {
  const int value = section.whole(key, fallback, 1, kMaxIds);
  check(value == wanted, Code::bad_checkpoint, section.file(), ": ", section.name(key), " is ",
        value, ", but ", because, " is ", wanted, "; they must be equal");
}

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
  check(c.heads % c.kv_heads == 0, Code::bad_checkpoint, section.file(), ": ",
        section.name("num_attention_heads"), " ", c.heads, " is not a multiple of ",
        section.name("num_key_value_heads"), " ", c.kv_heads);
  check(c.head_width % 2 == 0, Code::bad_checkpoint, section.file(), ": the head width ",
        c.head_width, " of ", section.name("hidden_size"), " is odd; rotary positions need pairs");
  check(int64_t{c.context} * c.head_width <= kMaxRopeValues, Code::not_supported, section.file(),
        ": ", section.name("max_position_embeddings"), " ", c.context, " with heads of ",
        c.head_width, " needs too large a table of rotations");
  return c;
}

void check_vision(const VisionConfig& c, const Section& section) {
  check(c.patch <= c.image, Code::bad_checkpoint, section.file(), ": ", section.name("patch_size"),
        " ", c.patch, " is larger than the image of ", c.image);
  check(c.grid() <= kMaxGrid, Code::bad_checkpoint, section.file(), ": ", section.path(), " has ",
        c.grid(), " patches a side, above ", kMaxGrid);
  check(c.width % c.heads == 0, Code::bad_checkpoint, section.file(), ": the vision width ",
        c.width, " of ", section.path(), " is not a multiple of its ", c.heads, " heads");
}

// int(width · ratio), as both references compute it.
int mlp_width(const Section& section, int width) {
  const double ratio = section.number("mlp_ratio", 4, 0.001, 64);
  return std::max(1, static_cast<int>(width * ratio));
}

void check_vq(const VqConfig& c, const Section& section) {
  check(c.multipliers.size() == c.decoder_multipliers.size(), Code::not_supported, section.file(),
        ": encoder_ch_mult and decoder_ch_mult of ", section.path(),
        " differ in length; the codec needs as many levels up as down");
  std::vector<int> multipliers = c.multipliers;
  multipliers.insert(multipliers.end(), c.decoder_multipliers.begin(), c.decoder_multipliers.end());
  multipliers.push_back(1);
  for (const int multiplier : multipliers) {
    const int64_t channels = int64_t{c.base} * multiplier;
    check(channels <= kMaxChannels, Code::bad_checkpoint, section.file(), ": ", c.base,
          " base channels times ", multiplier, " in ", section.path(), " is above ", kMaxChannels);
    check(channels % c.groups == 0, Code::bad_checkpoint, section.file(), ": ", channels,
          " channels (", c.base, " times ", multiplier, ") do not divide into ", c.groups,
          " normalisation groups; num_groups of ", section.path(), " names another count");
  }
}

// Drawn pictures have as many codes a side as read ones have patches.
// (transformers, JanusConfig.__post_init__; the official script's constants agree)
void set_picture_size(Config& c, const std::string& file) {
  c.image = c.vision.grid() * c.vq.downsample();
  check(c.image <= kMaxImage, Code::bad_checkpoint, file, ": ", c.vision.grid(),
        " codes a side times ", c.vq.downsample(), " pixels a code is above ", kMaxImage);
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
  check_vq(c, params);
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

Config parse_official(const Section& root) {
  for (const char* key : {"vision_und_enc_config", "vision_gen_enc_config"}) {
    check(!root.has(key), Code::not_supported, root.file(),
          ": this is a JanusFlow checkpoint (it has ", key,
          "), another model that draws by rectified flow; Janus-Pro is needed");
  }
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
  check_vq(c, section);
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
  fail(Code::not_supported, name, ": model_type is \"", type.substr(0, 60),
       "\"; only Janus-Pro (multi_modality or janus) is supported");
}

Config load_config(const std::filesystem::path& dir) {
  const std::filesystem::path path = dir / "config.json";
  std::error_code ignored;
  check(std::filesystem::exists(path, ignored), Code::bad_checkpoint, path.string(),
        ": no such file; a checkpoint is a directory with config.json and its weights");
  Config config = parse_config(read_text(path, kConfigBytes), path.string());
  config.preprocessing = load_preprocessing(dir);
  return config;
}

}  // namespace janus
