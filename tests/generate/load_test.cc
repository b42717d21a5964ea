// Which words a checkpoint's prompts use: by its processor_config.json, or by what its tokenizer
// and sizes show. SPDX-License-Identifier: MIT
#include "generate/load.h"

#include <gtest/gtest.h>

#include <fstream>

#include "io/temp_dir.h"
#include "io/tokenizer_golden.h"

namespace janus {
namespace {

std::filesystem::path checkpoint(const std::string& name) {
  return std::filesystem::path(JANUSPRO_SOURCE_DIR) / "tests" / "golden" / name;
}

class Roles : public testing::Test {
 protected:
  Roles() {
    for (const char* name : {"config.json", "tokenizer.json", "processor_config.json"}) {
      std::filesystem::copy_file(checkpoint("tiny-hf") / name, dir_ / name);
    }
  }
  nlohmann::json read(const char* name) const {
    std::ifstream file(dir_ / name);
    return nlohmann::json::parse(file);
  }
  ChatRoles roles() {
    warnings_.clear();
    const Checkpoint opened(dir_.path());
    return load_prompts(opened, [&](const std::string& line) { warnings_ += line; }).roles();
  }
  // Sizes of the 24-layer tower, whose tables differ between Janus-Pro-1B and Janus-1.3B.
  void use_24_layers(const std::string& table) {
    nlohmann::json config = read("config.json");
    config["text_config"].update({{"hidden_size", 2048},
                                  {"num_hidden_layers", 24},
                                  {"num_attention_heads", 16},
                                  {"num_key_value_heads", 16},
                                  {"head_dim", 128},
                                  {"vocab_size", 102400}});
    config.erase("image_token_id");
    for (const char* part : {"vision_config", "vq_config"}) config[part]["projection_dim"] = 2048;
    config["vq_config"]["image_token_embed_dim"] = 2048;
    dir_.write("config.json", config.dump());
    dir_.write("tokenizer.json", golden::janus_json(table).dump());
  }
  TempDir dir_;
  std::string warnings_;
};

TEST_F(Roles, OfJanusPro) {
  EXPECT_EQ(roles(), janus_pro_roles());
  use_24_layers("1b");
  EXPECT_EQ(roles(), janus_pro_roles());
  EXPECT_EQ(warnings_, "");
}

TEST_F(Roles, OfJanus13BByItsTable) {
  use_24_layers("7b");
  EXPECT_EQ(roles(), janus_1_3b_roles());
  expect_has(warnings_, "Janus-1.3B");
}

TEST_F(Roles, OfATableWithoutTokensForThem) {
  nlohmann::json table = read("tokenizer.json");
  for (nlohmann::json& added : table["added_tokens"]) {
    if (added["content"] == kUserToken) added["content"] = "<|left|>";
    if (added["content"] == kAssistantToken) added["content"] = "<|right|>";
  }
  dir_.write("tokenizer.json", table.dump());
  EXPECT_EQ(roles(), janus_1_3b_roles());
  expect_has(warnings_, "no token <|User|>");
  table["added_tokens"].back()["content"] = kUserToken;
  dir_.write("tokenizer.json", table.dump());
  expect_has(error_of(Code::bad_checkpoint, [&] { roles(); }), "<|Assistant|>");
}

TEST_F(Roles, AsTheFileSays) {
  nlohmann::json processor = read("processor_config.json");
  processor["sft_format"] = "deepseek_old";
  dir_.write("processor_config.json", processor.dump());
  EXPECT_EQ(roles(), janus_1_3b_roles());
  EXPECT_EQ(warnings_, "");
  processor["roles"] = {{"user", "Q"}, {"assistant", "A"}};
  dir_.write("processor_config.json", processor.dump());
  EXPECT_EQ(roles(), (ChatRoles{"Q", "A"}));
  processor["roles"] = {{"user", "Q"}};
  dir_.write("processor_config.json", processor.dump());
  expect_has(error_of(Code::bad_checkpoint, [&] { roles(); }), "roles.assistant");
}

TEST_F(Roles, HowInstructionsAreFollowedAsTheFileSaysOrTheCaller) {
  const auto layout = [&](const std::string& asked) {
    return load_prompts(Checkpoint(dir_.path()), {}, asked).edits();
  };
  EXPECT_EQ(layout("auto"), EditLayout::none);
  nlohmann::json processor = read("processor_config.json");
  processor["edit_layout"] = "und+gen";
  dir_.write("processor_config.json", processor.dump());
  EXPECT_EQ(layout("auto"), EditLayout::und_gen);
  EXPECT_EQ(layout("janus4o"), EditLayout::janus_4o);
  EXPECT_EQ(layout("none"), EditLayout::none);
  expect_has(error_of(Code::bad_input, [&] { layout("janus"); }), "is not one of auto, und+gen");
}

// --- tables of other models --------------------------------------------------------------------

TEST_F(Roles, IdsThatTheCheckpointStatesAreThoseOfTheTable) {
  nlohmann::json config = read("config.json");
  config["image_token_id"] = 610;
  dir_.write("config.json", config.dump());
  expect_has(error_of(Code::bad_checkpoint, [&] { roles(); }),
             "<image_placeholder> has the id 611, image_token_id of config.json says 610");
  config.erase("image_token_id");
  dir_.write("config.json", config.dump());
  EXPECT_EQ(roles(), janus_pro_roles());
  dir_.write("generation_config.json", R"({"generation_kwargs": {"boi_token_id": 604}})");
  expect_has(error_of(Code::bad_checkpoint, [&] { roles(); }), "generation_config.json says 604");
}

TEST_F(Roles, ATableMuchSmallerThanTheModelIsSaid) {
  nlohmann::json config = read("config.json");
  config["text_config"]["vocab_size"] = 102400;
  dir_.write("config.json", config.dump());
  EXPECT_EQ(roles(), janus_pro_roles());
  EXPECT_EQ(warnings_, "");  // the checkpoint states this table's ids
  config.erase("image_token_id");
  dir_.write("config.json", config.dump());
  roles();
  expect_has(warnings_, "ids and the model 102400 rows of text");
}

TEST_F(Roles, TheTableOf1BBesideTheSizesOf7B) {
  use_24_layers("1b");
  nlohmann::json config = read("config.json");
  config["text_config"].update({{"hidden_size", 4096},
                                {"num_hidden_layers", 30},
                                {"num_attention_heads", 32},
                                {"num_key_value_heads", 32}});
  for (const char* part : {"vision_config", "vq_config"}) config[part]["projection_dim"] = 4096;
  config["vq_config"]["image_token_embed_dim"] = 4096;
  dir_.write("config.json", config.dump());
  EXPECT_EQ(roles(), janus_pro_roles());
  expect_has(warnings_, "laid out as that of Janus-Pro-1B");
  dir_.write("tokenizer.json", golden::janus_json("7b").dump());
  roles();
  EXPECT_EQ(warnings_, "");
}

// Tensors of one dimension by type, without numbers.
class Sizes : public TensorSource {
 public:
  std::map<std::string, std::pair<Dtype, int64_t>> tensors;

  std::string name() const override { return "sizes"; }
  std::map<std::string, std::vector<int64_t>> shapes() const override {
    std::map<std::string, std::vector<int64_t>> result;
    for (const auto& [name, tensor] : tensors) result[name] = {tensor.second};
    return result;
  }
  std::optional<Dtype> stored(const std::string& name) const override {
    return tensors.at(name).first;
  }
  void read(const std::string&, int64_t, std::span<float>) const override {}
  void done(const std::string&, int64_t) const override {}
};

TEST(HeldType, IsThatOfMost) {
  EXPECT_EQ(held_type(*Checkpoint(checkpoint("tiny-hf")).source()), Dtype::f32);
  EXPECT_EQ(held_type(*Checkpoint(checkpoint("tiny-official")).source()), Dtype::bf16);
  Sizes mixed;
  mixed.tensors = {{"a", {Dtype::q8_0, 3200}}, {"b", {Dtype::f32, 256}}};
  EXPECT_EQ(held_type(mixed), Dtype::q8_0);
  mixed.tensors["b"] = {Dtype::q4_0, 3264};
  EXPECT_EQ(held_type(mixed), Dtype::q4_0);
  mixed.tensors = {{"a", {Dtype::q6_k, 2560}}, {"b", {Dtype::q4_k, 3072}}};
  EXPECT_EQ(held_type(mixed), Dtype::q4_k_m);
  mixed.tensors["a"].second = 3328;
  EXPECT_EQ(held_type(mixed), Dtype::q6_k);
  mixed.tensors["a"] = {Dtype::q8_0, 2560};
  EXPECT_EQ(held_type(mixed), Dtype::q4_k);
  mixed.tensors = {{"a", {Dtype::q8_0, 3200}}, {"b", {Dtype::bf16, 3264}}};
  EXPECT_EQ(held_type(mixed), Dtype::bf16);
}

}  // namespace
}  // namespace janus
