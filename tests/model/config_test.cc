// config.json of both layouts: the published sizes, the reference's defaults for what is absent,
// and a refusal by name for everything that would change the numbers.
// SPDX-License-Identifier: MIT
#include "model/config.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "model/support.h"

namespace janus {
namespace {

using janus::testing::golden;
using nlohmann::json;

// As the published 7B file is: sizes that equal a default of LlamaConfig are not stated.
json official_7b() {
  return json::parse(R"({
    "model_type": "multi_modality",
    "aligner_config": {"cls": "MlpProjector", "params":
      {"depth": 2, "input_dim": 1024, "n_embed": 4096, "projector_type": "mlp_gelu"}},
    "gen_aligner_config": {"cls": "MlpProjector", "params":
      {"depth": 2, "input_dim": 8, "n_embed": 4096, "projector_type": "mlp_gelu"}},
    "gen_head_config": {"cls": "vision_head", "params":
      {"image_token_embed": 4096, "image_token_size": 16384, "n_embed": 4096}},
    "gen_vision_config": {"cls": "VQ-16", "params": {"image_token_size": 16384, "n_embed": 8}},
    "language_config": {"max_position_embeddings": 16384, "model_type": "llama",
      "num_hidden_layers": 30, "torch_dtype": "bfloat16", "vocab_size": 102400},
    "vision_config": {"cls": "CLIPVisionTower", "params": {"image_size": 384,
      "model_name": "siglip_large_patch16_384", "select_feature": "same", "select_layer": -1}}})");
}

json transformers_1b() {
  return json::parse(R"({
    "model_type": "janus", "image_token_id": 100581,
    "text_config": {"hidden_size": 2048, "intermediate_size": 5632, "num_attention_heads": 16,
      "num_hidden_layers": 24, "vocab_size": 102400, "max_position_embeddings": 16384},
    "vision_config": {}, "vq_config": {}})");
}

Config parse(const json& text) { return parse_config(text.dump(), "config.json"); }

void expect_published_towers(const Config& c) {
  EXPECT_EQ(c.vision.image, 384);
  EXPECT_EQ(c.vision.patch, 16);
  EXPECT_EQ(c.vision.width, 1024);
  EXPECT_EQ(c.vision.layers, 24);
  EXPECT_EQ(c.vision.heads, 16);
  EXPECT_EQ(c.vision.mlp_width, 4096);
  EXPECT_EQ(c.vision.tokens(), 576);
  EXPECT_EQ(c.vq.codes, 16384);
  EXPECT_EQ(c.vq.code_width, 8);
  EXPECT_EQ(c.vq.latent, 256);
  EXPECT_EQ(c.vq.base, 128);
  EXPECT_EQ(c.vq.multipliers, (std::vector<int>{1, 1, 2, 2, 4}));
  EXPECT_EQ(c.vq.decoder_multipliers, c.vq.multipliers);
  EXPECT_EQ(c.vq.blocks, 2);
  EXPECT_EQ(c.vq.groups, 32);
  EXPECT_EQ(c.image, 384);
  EXPECT_EQ(c.image_tokens(), 576);
  EXPECT_EQ(c.aligner_depth, 2);
  EXPECT_EQ(c.gen_aligner_depth, 2);
}

TEST(Config, AbsentLanguageKeysAreLlamaConfigsDefaults) {
  const Config c = parse(official_7b());
  EXPECT_EQ(c.layout, Layout::official);
  EXPECT_EQ(c.llama.width, 4096);
  EXPECT_EQ(c.llama.layers, 30);
  EXPECT_EQ(c.llama.heads, 32);
  EXPECT_EQ(c.llama.kv_heads, 32);
  EXPECT_EQ(c.llama.head_width, 128);
  EXPECT_EQ(c.llama.mlp_width, 11008);
  EXPECT_EQ(c.llama.vocabulary, 102400);
  EXPECT_EQ(c.llama.context, 16384);
  EXPECT_FLOAT_EQ(c.llama.rms_eps, 1e-6f);
  EXPECT_EQ(c.llama.rope_theta, 10000);
  EXPECT_EQ(c.gen_head_width, 4096);
  expect_published_towers(c);
  json bare = official_7b();
  bare.erase("language_config");
  bare["aligner_config"]["params"].erase("n_embed");
  EXPECT_EQ(parse(bare).llama.vocabulary, 32000);
  EXPECT_EQ(parse(bare).llama.layers, 32);
  EXPECT_EQ(parse(bare).llama.context, 2048);
}

TEST(Config, TransformersLayout) {
  json text = transformers_1b();
  for (const char* key : {"projection_dim", "image_token_embed_dim"}) {
    text["vq_config"][key] = 2048;
  }
  text["text_config"]["rope_parameters"] = {{"rope_type", "default"}, {"rope_theta", 50000.0}};
  const Config c = parse(text);
  EXPECT_EQ(c.layout, Layout::transformers);
  EXPECT_EQ(c.llama.kv_heads, 16);
  EXPECT_EQ(c.llama.head_width, 128);
  EXPECT_EQ(c.llama.rope_theta, 50000);
  EXPECT_EQ(c.gen_head_width, 2048);
  expect_published_towers(c);
}

TEST(Config, OtherSizes) {
  json text = transformers_1b();
  text["text_config"].update({{"num_key_value_heads", 4}, {"head_dim", 64}});
  text["vision_config"].update({{"image_size", 96},
                                {"patch_size", 12},
                                {"hidden_size", 60},
                                {"num_attention_heads", 5},
                                {"mlp_ratio", 2.55},
                                {"depth", 3},
                                {"layer_norm_eps", 1e-5}});
  text["vq_config"].update({{"channel_multiplier", {1, 3, 2}},
                            {"base_channels", 24},
                            {"num_groups", 8},
                            {"num_hidden_layers", 1}});
  const Config c = parse(text);
  EXPECT_EQ(c.llama.kv_heads, 4);
  EXPECT_EQ(c.llama.head_width, 64);
  EXPECT_EQ(c.vision.mlp_width, 153);  // int(60 · 2.55)
  EXPECT_EQ(c.vision.grid(), 8);
  EXPECT_FLOAT_EQ(c.vision.eps, 1e-5f);
  EXPECT_EQ(c.aligner_depth, 3);
  EXPECT_EQ(c.gen_aligner_depth, 1);
  EXPECT_EQ(c.vq.groups, 8);
  EXPECT_EQ(c.vq.downsample(), 4);
  EXPECT_EQ(c.image, 32);  // 8 codes a side, 4 pixels each
  json official = official_7b();
  official["aligner_config"]["params"].erase("depth");
  official["vision_config"]["params"]["select_layer"] = -3;
  EXPECT_EQ(parse(official).aligner_depth, 1);  // MlpProjector's default
  EXPECT_EQ(parse(official).vision.layers, 22);
}

TEST(Config, GoldenFilesOfBothLayoutsAgree) {
  const Config a = load_config(golden("tiny-hf")), b = load_config(golden("tiny-official"));
  EXPECT_EQ(a.llama.width, b.llama.width);
  EXPECT_EQ(a.llama.head_width, b.llama.head_width);
  EXPECT_EQ(a.vision.mlp_width, b.vision.mlp_width);
  EXPECT_EQ(a.vision.tokens(), b.vision.tokens());
  EXPECT_EQ(a.vq.multipliers, b.vq.multipliers);
  EXPECT_EQ(a.image, 64);
  EXPECT_EQ(b.image, 64);
}

// Code and what the message must name.
void expect_refusal(const json& text, Code code, const std::vector<std::string>& words) {
  try {
    parse(text);
    ADD_FAILURE() << "accepted: " << text.dump();
  } catch (const Error& error) {
    EXPECT_EQ(static_cast<int>(error.code()), static_cast<int>(code)) << error.what();
    for (const std::string& word : words) {
      EXPECT_NE(std::string(error.what()).find(word), std::string::npos)
          << '"' << word << "\" is not in: " << error.what();
    }
  }
}

struct Change {
  const char* section;
  const char* key;
  json value;
  Code code;
  std::vector<std::string> words;
};

TEST(Config, RefusesByNameWhatWouldChangeTheNumbers) {
  const std::vector<Change> changes = {
      {"text_config", "hidden_act", "gelu", Code::not_supported, {"hidden_act", "gelu", "silu"}},
      {"text_config", "attention_bias", true, Code::not_supported, {"attention_bias"}},
      {"text_config", "mlp_bias", true, Code::not_supported, {"mlp_bias"}},
      {"text_config", "model_type", "qwen2", Code::not_supported, {"model_type", "qwen2"}},
      {"text_config",
       "rope_scaling",
       {{"type", "linear"}, {"factor", 2.0}},
       Code::not_supported,
       {"rope_scaling", "linear"}},
      {"text_config",
       "rope_parameters",
       {{"rope_type", "llama3"}},
       Code::not_supported,
       {"rope_parameters", "llama3"}},
      {"text_config", "partial_rotary_factor", 0.5, Code::not_supported, {"partial_rotary"}},
      {"vision_config", "hidden_act", "gelu_pytorch_tanh", Code::not_supported, {"tanh"}},
      {"vision_config", "use_qk_norm", true, Code::not_supported, {"use_qk_norm"}},
      {"vision_config", "attention_bias", false, Code::not_supported, {"attention_bias"}},
      {"vq_config", "double_latent", true, Code::not_supported, {"double_latent"}},
      {"vq_config", "hidden_act", "relu", Code::not_supported, {"vq_config.hidden_act", "relu"}}};
  for (const Change& change : changes) {
    json text = transformers_1b();
    text[change.section][change.key] = change.value;
    expect_refusal(text, change.code, change.words);
  }
}

TEST(Config, RefusesSizesThatCannotBe) {
  const auto bad = Code::bad_checkpoint;
  const std::vector<Change> changes = {
      {"text_config", "hidden_size", 0, bad, {"text_config.hidden_size", "0", "1 to"}},
      {"text_config", "hidden_size", -2048, bad, {"hidden_size", "-2048"}},
      {"text_config", "hidden_size", "2048", bad, {"hidden_size", "whole number"}},
      {"text_config", "hidden_size", 2048.5, bad, {"hidden_size", "2048.5"}},
      {"text_config", "hidden_size", uint64_t{1} << 63, bad, {"hidden_size"}},
      {"text_config", "num_hidden_layers", 2000000000, bad, {"num_hidden_layers"}},
      {"text_config", "num_attention_heads", 17, bad, {"2048", "17"}},
      {"text_config", "num_key_value_heads", 5, bad, {"16", "num_key_value_heads", "5"}},
      {"text_config", "head_dim", 7, bad, {"7", "odd"}},
      {"text_config", "rms_norm_eps", "small", bad, {"rms_norm_eps", "number"}},
      {"text_config", "rope_theta", 0, bad, {"rope_theta"}},
      {"vision_config", "patch_size", 400, bad, {"patch_size", "400", "384"}},
      {"vision_config", "patch_size", 1, bad, {"vision_config", "384 patches", "256"}},
      {"vision_config", "num_attention_heads", 15, bad, {"1024", "15"}},
      {"vision_config", "image_size", json::array({384, 384}), bad, {"image_size"}},
      {"vision_config", "projection_dim", 1024, bad, {"projection_dim", "1024", "2048"}},
      {"vision_config", "depth", 0, bad, {"vision_config.depth"}},
      {"vq_config", "base_channels", 40, bad, {"40", "32", "num_groups"}},
      {"vq_config", "channel_multiplier", json::array(), bad, {"channel_multiplier"}},
      {"vq_config", "channel_multiplier", {1, "2"}, bad, {"channel_multiplier"}},
      {"vq_config", "channel_multiplier", {1, 1, 1, 1, 1, 1, 1, 1, 1}, bad, {"list of 1 to 8"}},
      {"vq_config", "image_token_embed_dim", 4096, bad, {"image_token_embed_dim"}}};
  for (const Change& change : changes) {
    json text = transformers_1b();
    text[change.section][change.key] = change.value;
    expect_refusal(text, change.code, change.words);
  }
  json text = transformers_1b();
  text["text_config"]["head_dim"] = 65536;
  text["text_config"]["max_position_embeddings"] = 1 << 20;
  expect_refusal(text, Code::not_supported, {"max_position_embeddings", "table"});
}

TEST(Config, RefusesStrangersByName) {
  expect_refusal({{"model_type", "llava"}}, Code::not_supported, {"llava", "Janus-Pro"});
  expect_refusal(json::object(), Code::bad_checkpoint, {"model_type"});
  expect_refusal({{"model_type", 5}}, Code::bad_checkpoint, {"model_type", "string"});
  expect_refusal({{"model_type", "multi_modality"}, {"vision_und_enc_config", json::object()}},
                 Code::not_supported, {"JanusFlow"});
  expect_refusal({{"model_type", "multi_modality"}}, Code::bad_checkpoint, {"vision_config"});
  json text = official_7b();
  text["gen_vision_config"]["cls"] = "VQ-8";
  expect_refusal(text, Code::not_supported, {"gen_vision_config.cls", "VQ-8"});
  text = official_7b();
  text["vision_config"]["params"]["model_name"] = "siglip_so400m_patch14_384";
  expect_refusal(text, Code::not_supported, {"model_name", "so400m"});
  text = official_7b();
  text["aligner_config"]["params"]["projector_type"] = "linear";
  expect_refusal(text, Code::not_supported, {"aligner_config.params.projector_type", "linear"});
  text = official_7b();
  text["gen_head_config"]["params"]["n_embed"] = 2048;
  expect_refusal(text, Code::bad_checkpoint, {"gen_head_config.params.n_embed", "2048", "4096"});
  text = official_7b();
  text["gen_vision_config"]["params"]["decoder_ch_mult"] = {1, 2};
  expect_refusal(text, Code::not_supported, {"encoder_ch_mult", "decoder_ch_mult"});
}

TEST(Config, RefusesWhatIsNotJson) {
  for (const char* text : {"", "{", "[]", "null", "{\"a\": 1, \"a\": 2}", "\xff\xfe"}) {
    EXPECT_THROW(parse_config(text, "config.json"), Error) << text;
  }
  EXPECT_THROW(load_config("/nonexistent"), Error);
}

TEST(Config, PreprocessingIsReadFromTheFolder) {
  const auto folder = std::filesystem::path(::testing::TempDir()) / "januspro-config-test";
  std::filesystem::create_directories(folder);
  std::filesystem::copy_file(golden("tiny-hf/config.json"), folder / "config.json",
                             std::filesystem::copy_options::overwrite_existing);
  EXPECT_EQ(load_config(folder).preprocessing, Preprocessing{});
  std::ofstream(folder / "preprocessor_config.json") << R"({"min_size": 3})";
  EXPECT_EQ(load_config(folder).preprocessing.min_side, 3);
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace janus
