// See config_files.h. Keys as deepseek-ai/Janus and transformers' JanusConfig write them; sizes
// that the official files leave to a name are written out. SPDX-License-Identifier: MIT
#include "model/config_files.h"

#include <array>
#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/error.h"
#include "io/special_tokens.h"

namespace janus {

namespace {

using Json = nlohmann::ordered_json;

const char* torch_name(Dtype type) {
  return type == Dtype::f32 ? "float32" : type == Dtype::f16 ? "float16" : "bfloat16";
}

std::optional<int32_t> id_of(const Tokenizer* tokenizer, std::string_view token) {
  return tokenizer ? tokenizer->find(token) : std::nullopt;
}

Json language_json(const LlamaConfig& llama) {
  return {{"model_type", "llama"},
          {"hidden_size", llama.width},
          {"intermediate_size", llama.mlp_width},
          {"num_hidden_layers", llama.layers},
          {"num_attention_heads", llama.heads},
          {"num_key_value_heads", llama.kv_heads},
          {"head_dim", llama.head_width},
          {"vocab_size", llama.vocabulary},
          {"max_position_embeddings", llama.context},
          {"rms_norm_eps", llama.rms_eps},
          {"rope_theta", llama.rope_theta},
          {"hidden_act", "silu"},
          {"tie_word_embeddings", false}};
}

// Both layouts give the MLP's width as int(width · ratio).
double mlp_ratio(const VisionConfig& vision) {
  double ratio = static_cast<double>(vision.mlp_width) / vision.width;
  if (static_cast<int>(vision.width * ratio) < vision.mlp_width) ratio = std::nextafter(ratio, 64);
  return ratio;
}

void check_statable(bool fits, Layout layout, const std::string& what) {
  check(fits, Code::not_supported, "the ", layout_name(layout), " layout cannot state that ", what,
        "; write a .gguf instead");
}

Json transformers_config(const Config& config, const Tokenizer* tokenizer, Dtype type) {
  const VisionConfig& vision = config.vision;
  const VqConfig& vq = config.vq;
  check_statable(vq.multipliers == vq.decoder_multipliers, Layout::transformers,
                 "the codec's decoder has other channels than its encoder");
  check_statable(config.gen_head_width == config.llama.width, Layout::transformers,
                 "the image head is wider or narrower than the language tower");
  Json json{{"architectures", {"JanusForConditionalGeneration"}},
            {"model_type", "janus"},
            {"dtype", torch_name(type)},
            {"tie_word_embeddings", false},
            {"text_config", language_json(config.llama)},
            {"vision_config",
             {{"model_type", "janus_vision_model"},
              {"image_size", vision.image},
              {"patch_size", vision.patch},
              {"num_image_tokens", vision.tokens()},
              {"hidden_size", vision.width},
              {"num_hidden_layers", vision.layers},
              {"num_attention_heads", vision.heads},
              {"mlp_ratio", mlp_ratio(vision)},
              {"layer_norm_eps", vision.eps},
              {"projection_dim", config.llama.width},
              {"depth", config.aligner_depth}}},
            {"vq_config",
             {{"model_type", "janus_vqgan"},
              {"embed_dim", vq.code_width},
              {"num_embeddings", vq.codes},
              {"latent_channels", vq.latent},
              {"base_channels", vq.base},
              {"channel_multiplier", vq.multipliers},
              {"num_res_blocks", vq.blocks},
              {"num_patches", config.grid()},
              {"num_hidden_layers", config.gen_aligner_depth},
              {"projection_dim", config.llama.width},
              {"image_token_embed_dim", config.llama.width}}}};
  if (vq.groups != VqConfig{}.groups) json["vq_config"]["num_groups"] = vq.groups;
  if (const auto id = id_of(tokenizer, kImageToken)) json["image_token_id"] = *id;
  return json;
}

Json projector(const char* name, int depth, int inputs, int width) {
  return {{"cls", "MlpProjector"},
          {"model_type", name},
          {"params",
           {{"depth", depth},
            {"input_dim", inputs},
            {"n_embed", width},
            {"projector_type", "mlp_gelu"}}}};
}

Json official_config(const Config& config, Dtype type) {
  const VisionConfig& vision = config.vision;
  const VqConfig& vq = config.vq;
  const int width = config.llama.width;
  check_statable(vision.eps == VisionConfig{}.eps, Layout::official,
                 "the vision tower's norms have another epsilon");
  Json json{{"architectures", {"MultiModalityCausalLM"}},
            {"model_type", "multi_modality"},
            {"torch_dtype", torch_name(type)},
            {"language_config", language_json(config.llama)}};
  json["vision_config"] = {{"cls", "CLIPVisionTower"},
                           {"model_type", "vision"},
                           {"params",
                            {{"image_size", vision.image},
                             {"model_name", "siglip_large_patch16_384"},
                             {"select_feature", "same"},
                             {"select_layer", -1},
                             {"width", vision.width},
                             {"layers", vision.layers},
                             {"heads", vision.heads},
                             {"patch_size", vision.patch},
                             {"mlp_ratio", mlp_ratio(vision)}}}};
  json["gen_vision_config"] = {{"cls", "VQ-16"},
                               {"model_type", "gen_vision"},
                               {"params",
                                {{"image_token_size", vq.codes},
                                 {"n_embed", vq.code_width},
                                 {"ch", vq.base},
                                 {"encoder_ch_mult", vq.multipliers},
                                 {"decoder_ch_mult", vq.decoder_multipliers},
                                 {"num_res_blocks", vq.blocks},
                                 {"z_channels", vq.latent}}}};
  if (vq.groups != VqConfig{}.groups) {
    json["gen_vision_config"]["params"]["num_groups"] = vq.groups;
  }
  json["aligner_config"] = projector("aligner", config.aligner_depth, vision.width, width);
  json["gen_aligner_config"] =
      projector("gen_aligner", config.gen_aligner_depth, vq.code_width, width);
  json["gen_head_config"] = {{"cls", "vision_head"},
                             {"model_type", "gen_head"},
                             {"params",
                              {{"image_token_embed", config.gen_head_width},
                               {"image_token_size", vq.codes},
                               {"n_embed", width}}}};
  return json;
}

// A rule that does not normalise has a mean of 0 and a deviation of 1, and says so by its flag; the
// mean it states is then that of the fill alone.
Json preprocessor(const Config& config, Layout layout) {
  const Preprocessing& rule = config.preprocessing;
  const bool plain =
      rule.mean == std::array<float, 3>{0, 0, 0} && rule.deviation == std::array<float, 3>{1, 1, 1};
  Json mean = Json::array(), deviation = Json::array();
  for (size_t c = 0; c < rule.mean.size(); ++c) {
    mean.push_back(plain ? (rule.fill[c] + 0.5) / 255 : double{rule.mean[c]});
    deviation.push_back(rule.deviation[c]);
  }
  Json json{{"background_color", rule.fill},
            {"do_normalize", !plain},
            {"image_mean", mean},
            {"image_std", deviation},
            {"min_size", rule.min_side},
            {"rescale_factor", rule.rescale}};
  const int side = config.vision.image;
  if (layout == Layout::official) {
    json["image_processor_type"] = "VLMImageProcessor";
    json["processor_class"] = "VLChatProcessor";
    json["image_size"] = side;
  } else {
    json["image_processor_type"] = "JanusImageProcessor";
    json["processor_class"] = "JanusProcessor";
    json["size"] = {{"height", side}, {"width", side}};
  }
  return json;
}

Json processor_json(const Config& config, Layout layout, const ProcessorConfig& processor) {
  Json json{{"num_image_tokens", config.vision.tokens()}};
  if (layout == Layout::official) {
    json["processor_class"] = "VLChatProcessor";
    json["image_tag"] = kImageToken;
    json["sft_format"] = "deepseek";
  } else {
    json["processor_class"] = "JanusProcessor";
  }
  if (processor.system_prompt) json["system_prompt"] = *processor.system_prompt;
  const bool bare = processor.system_prompt && processor.system_prompt->empty();
  if (layout == Layout::transformers) json["use_default_system_prompt"] = !bare;
  if (processor.roles) {
    json["roles"] = {{"user", processor.roles->user}, {"assistant", processor.roles->assistant}};
  }
  if (processor.edit_layout != EditLayout::none) {
    json["edit_layout"] = edit_layout_name(processor.edit_layout);
  }
  return json;
}

Json generation_json(const ProcessorConfig& processor, const Tokenizer* tokenizer) {
  Json json = Json::object();
  for (const auto& [key, token] : {std::pair{"bos_token_id", kBosToken},
                                   {"eos_token_id", kEosToken},
                                   {"pad_token_id", kPadToken}}) {
    if (const auto id = id_of(tokenizer, token)) json[key] = *id;
  }
  if (const auto id = id_of(tokenizer, kBeginImageToken)) {
    json["generation_kwargs"] = {{"boi_token_id", *id}};
  }
  json["guidance_scale"] = processor.guidance.value_or(5.0f);
  json["temperature"] = 1;
  return json;
}

}  // namespace

std::map<std::string, std::string> config_files(const Config& config, Layout layout,
                                                const ProcessorConfig& processor,
                                                const Tokenizer* tokenizer, Dtype type) {
  const bool official = layout == Layout::official;
  std::map<std::string, Json> files{
      {"config.json",
       official ? official_config(config, type) : transformers_config(config, tokenizer, type)},
      {"preprocessor_config.json", preprocessor(config, layout)},
      {"processor_config.json", processor_json(config, layout, processor)}};
  // The official layout has no such file, but what is not as published must stand somewhere.
  if (!official || processor.guidance) {
    files["generation_config.json"] = generation_json(processor, tokenizer);
  }
  std::map<std::string, std::string> texts;
  for (const auto& [name, json] : files) texts[name] = json.dump(2) + "\n";
  return texts;
}

}  // namespace janus
