// See export.h. Keys and their order as transformers' save_pretrained writes them, plus
// `num_groups` in vq_config where it is not 32 (both references fix 32) and `system_prompt` in
// processor_config.json: our models are trained without one.
// SPDX-License-Identifier: MIT
#include "train/export.h"

#include <nlohmann/json.hpp>
#include <system_error>

#include "base/error.h"
#include "generate/prompt.h"
#include "io/bpe_train.h"
#include "io/file.h"
#include "io/tokenizer.h"
#include "train/checkpoint.h"

namespace janus::train {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

Json text_config(const LlamaConfig& c, const char* dtype) {
  return {{"attention_bias", false},
          {"attention_dropout", 0.0},
          {"dtype", dtype},
          {"head_dim", c.head_width},
          {"hidden_act", "silu"},
          {"hidden_size", c.width},
          {"intermediate_size", c.mlp_width},
          {"max_position_embeddings", c.context},
          {"mlp_bias", false},
          {"model_type", "llama"},
          {"num_attention_heads", c.heads},
          {"num_hidden_layers", c.layers},
          {"num_key_value_heads", c.kv_heads},
          {"rms_norm_eps", 1e-6},
          {"rope_parameters", {{"rope_theta", c.rope_theta}, {"rope_type", "default"}}},
          {"use_cache", true},
          {"vocab_size", c.vocabulary}};
}

Json vision_config(const Config& config) {
  const VisionConfig& c = config.vision;
  return {{"attention_bias", true},
          {"attention_dropout", 0.0},
          {"depth", config.aligner_depth},
          {"hidden_act", "gelu"},
          {"hidden_dropout_rate", 0.0},
          {"hidden_size", c.width},
          {"image_size", c.image},
          {"layer_norm_eps", 1e-6},
          {"mlp_ratio", static_cast<double>(c.mlp_width) / c.width},
          {"model_type", "janus_vision_model"},
          {"num_attention_heads", c.heads},
          {"num_channels", 3},
          {"num_hidden_layers", c.layers},
          {"num_image_tokens", c.tokens()},
          {"patch_size", c.patch},
          {"projection_dim", config.llama.width},
          {"projection_dropout", 0.0},
          {"use_qk_norm", false}};
}

Json vq_config(const Config& config) {
  const VqConfig& c = config.vq;
  Json json = {{"base_channels", c.base},
               {"channel_multiplier", c.multipliers},
               {"double_latent", false},
               {"dropout", 0.0},
               {"embed_dim", c.code_width},
               {"hidden_act", "gelu"},
               {"image_token_embed_dim", config.gen_head_width},
               {"in_channels", 3},
               {"latent_channels", c.latent},
               {"model_type", "janus_vqgan"},
               {"num_embeddings", c.codes},
               {"num_hidden_layers", config.gen_aligner_depth},
               {"num_patches", config.grid()},
               {"num_res_blocks", c.blocks},
               {"out_channels", 3},
               {"projection_dim", config.llama.width}};
  if (c.groups != 32) json["num_groups"] = c.groups;
  return json;
}

void write_json(const fs::path& path, const Json& json) {
  AtomicFile file(path);
  file.write(json.dump(2) + "\n");
  file.commit();
}

void write_processor_files(const fs::path& dir, const Config& config, const SpecialIds& ids,
                           double guidance) {
  write_json(dir / "generation_config.json", {{"bos_token_id", ids.bos},
                                              {"eos_token_id", ids.eos},
                                              {"pad_token_id", ids.pad},
                                              {"generation_kwargs", {{"boi_token_id", ids.boi}}},
                                              {"guidance_scale", guidance},
                                              {"temperature", 1}});
  write_json(dir / "processor_config.json", {{"num_image_tokens", config.vision.tokens()},
                                             {"processor_class", "JanusProcessor"},
                                             {"system_prompt", ""},
                                             {"use_default_system_prompt", false}});
  write_json(dir / "preprocessor_config.json",
             {{"background_color", {127, 127, 127}},
              {"do_convert_rgb", true},
              {"do_normalize", true},
              {"do_rescale", true},
              {"do_resize", true},
              {"image_mean", {0.5, 0.5, 0.5}},
              {"image_processor_type", "JanusImageProcessor"},
              {"image_std", {0.5, 0.5, 0.5}},
              {"min_size", 14},
              {"processor_class", "JanusProcessor"},
              {"resample", 3},
              {"rescale_factor", 1.0 / 255},
              {"size", {{"height", config.image}, {"width", config.image}}}});
}

}  // namespace

void write_checkpoint(const fs::path& dir, const Config& config, const std::string& tokenizer_json,
                      const NamedTensors& weights, double guidance, bool bf16) {
  std::error_code error;
  fs::create_directories(dir, error);
  check(!error, Code::device_failure, dir.string(), ": ", error.message());
  const char* dtype = bf16 ? "bfloat16" : "float32";
  Json json = {{"architectures", {"JanusForConditionalGeneration"}}, {"dtype", dtype}};
  if (!tokenizer_json.empty()) {
    const SpecialIds ids = special_ids(Tokenizer::parse(tokenizer_json, "the run's tokenizer"));
    json["image_token_id"] = ids.image;
    save_tokenizer_files(dir, tokenizer_json, config.llama.context);
    write_processor_files(dir, config, ids, guidance);
  }
  json["model_type"] = "janus";
  json["text_config"] = text_config(config.llama, dtype);
  json["tie_word_embeddings"] = false;
  json["vision_config"] = vision_config(config);
  json["vq_config"] = vq_config(config);
  save_tensors(dir / "model.safetensors", weights, bf16);
  write_json(dir / "config.json", json);  // last: a directory with it is whole
}

}  // namespace janus::train
