// See model_files.h. Keys as deepseek-ai/Janus and transformers' JanusConfig write them; sizes that
// the official files leave to a name are written out. SPDX-License-Identifier: MIT
#include "apps/model_files.h"

#include <nlohmann/json.hpp>

namespace janus {

namespace {

using Json = nlohmann::ordered_json;

const char* torch_name(Dtype type) {
  return type == Dtype::f32 ? "float32" : type == Dtype::f16 ? "float16" : "bfloat16";
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

double mlp_ratio(const VisionConfig& vision) {
  return static_cast<double>(vision.mlp_width) / vision.width;
}

Json transformers_config(const Config& config, Dtype type) {
  const VisionConfig& vision = config.vision;
  const VqConfig& vq = config.vq;
  return {{"architectures", {"JanusForConditionalGeneration"}},
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

Json preprocessor(const Config& config) {
  Json json{{"background_color", {127, 127, 127}},
            {"do_normalize", true},
            {"image_mean", {0.5, 0.5, 0.5}},
            {"image_std", {0.5, 0.5, 0.5}},
            {"min_size", 14},
            {"rescale_factor", 1.0 / 255}};
  const int side = config.vision.image;
  if (config.layout == Layout::official) {
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

Json processor(const Config& config) {
  Json json{{"num_image_tokens", config.vision.tokens()}};
  if (config.layout == Layout::official) {
    json["processor_class"] = "VLChatProcessor";
    json["image_tag"] = "<image_placeholder>";
    json["sft_format"] = "deepseek";
  } else {
    json["processor_class"] = "JanusProcessor";
    json["use_default_system_prompt"] = true;
  }
  return json;
}

}  // namespace

std::map<std::string, std::string> model_files(const Config& config, Dtype type) {
  const bool official = config.layout == Layout::official;
  std::map<std::string, Json> files{
      {"config.json", official ? official_config(config, type) : transformers_config(config, type)},
      {"preprocessor_config.json", preprocessor(config)},
      {"processor_config.json", processor(config)}};
  if (!official) files["generation_config.json"] = {{"guidance_scale", 5}, {"temperature", 1}};
  std::map<std::string, std::string> texts;
  for (const auto& [name, json] : files) texts[name] = json.dump(2) + "\n";
  return texts;
}

}  // namespace janus
