// What goes wrong with downloaded models, each with the message that a user sees: what is wrong,
// with which file, and what to do. SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>

#include "program.h"

namespace janus {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

class Accidents : public ::testing::Test {
 protected:
  // A copy of a golden checkpoint, to be spoilt.
  fs::path copy_of(const std::string& name) const {
    fs::copy(golden(name), folder_.path() / name);
    return folder_.path() / name;
  }
  // The tiny model in another form, by the program itself.
  std::string converted(const std::string& name,
                        const std::vector<std::string>& options = {}) const {
    std::vector<std::string> arguments{"convert", golden("tiny-hf"), folder_.file(name), "--quiet"};
    arguments.insert(arguments.end(), options.begin(), options.end());
    const Outcome outcome = run_program(arguments);
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    return folder_.file(name);
  }
  static void write(const fs::path& path, const std::string& bytes) {
    std::ofstream(path, std::ios::binary) << bytes;
  }
  static Json json_of(const fs::path& path) { return Json::parse(read_file(path.string())); }

  // Loads the model; the message has all the words.
  static void expect_refused(const fs::path& model, const std::vector<std::string>& words) {
    const Outcome outcome = run_program({"ask", "hi", "-m", model.string(), "--max-tokens", "1"});
    EXPECT_EQ(outcome.code, 1) << outcome.err;
    EXPECT_EQ(outcome.out, "");
    for (const std::string& word : words) {
      EXPECT_NE(outcome.err.find(word), std::string::npos)
          << '"' << word << "\" is not in: " << outcome.err;
    }
  }
  static std::string warnings(const fs::path& model) {
    const Outcome outcome = run_program({"ask", "hi", "-m", model.string(), "--max-tokens", "1"});
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    return outcome.err;
  }

  const Folder folder_;
};

TEST_F(Accidents, HalfDownloadedFiles) {
  const fs::path hf = copy_of("tiny-hf"), official = copy_of("tiny-official");
  const uintmax_t whole = fs::file_size(hf / "model.safetensors");
  fs::resize_file(hf / "model.safetensors", whole / 2);
  expect_refused(hf,
                 {"model.safetensors", "was cut short", "are not whole", "download or copy it"});
  fs::resize_file(hf / "model.safetensors", 4000);
  expect_refused(hf, {"model.safetensors", "was cut short: its header alone takes", "4000"});
  fs::resize_file(hf / "model.safetensors", 0);
  expect_refused(hf, {"model.safetensors", "is empty; download it again"});
  fs::resize_file(hf / "model.safetensors", whole);
  expect_refused(hf, {"model.safetensors", "begins with zeros alone", "download it again"});
  fs::resize_file(official / "pytorch_model.bin", 1'000'000);
  expect_refused(official,
                 {"pytorch_model.bin", "cut short or damaged: download or copy it again"});
  const std::string gguf = converted("a.gguf");
  fs::resize_file(gguf, fs::file_size(gguf) / 2);
  expect_refused(gguf, {"a.gguf", "was cut short, download or copy it again"});
  fs::resize_file(gguf, 3000);
  expect_refused(gguf, {"a.gguf", "was cut short: download, copy or make it again"});
}

TEST_F(Accidents, SomethingElseInPlaceOfAFile) {
  const std::vector<std::pair<std::string, std::vector<std::string>>> kinds = {
      {"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 4180000000\n",
       {"Git LFS pointer", "git lfs pull"}},
      {"\n<!DOCTYPE html>\n<html><title>Log in</title></html>", {"web page", "licence"}},
      {"<?xml version=\"1.0\"?><Error><Code>AccessDenied</Code></Error>", {"web page"}}};
  for (const auto& [bytes, words] : kinds) {
    for (const char* name : {"model.safetensors", "config.json", "tokenizer.json"}) {
      fs::remove_all(folder_.path() / "tiny-hf");
      const fs::path model = copy_of("tiny-hf");
      write(model / name, bytes);
      expect_refused(model, words);
      expect_refused(model, {name});
    }
    write(folder_.path() / "b.gguf", bytes);
    expect_refused(folder_.path() / "b.gguf", words);
  }
  const fs::path model = folder_.path() / "tiny-hf";
  fs::copy_file(golden("tiny-hf/tokenizer.json"), model / "tokenizer.json",
                fs::copy_options::overwrite_existing);
  for (const char* answer : {"Entry not found", "{\"error\":\"Invalid credentials\"}"}) {
    write(model / "model.safetensors", answer);
    expect_refused(model, {"model.safetensors", answer, "download it again"});
  }
  write(model / "config.json", "{\"model_type\": \"jan");
  expect_refused(model, {"config.json", "not valid JSON", "download it again"});
}

// An index, two shards that it names, and the tensors as the tiny model has them.
TEST_F(Accidents, AnIndexWithoutItsShards) {
  const fs::path model = copy_of("tiny-hf");
  const std::string one = "model-00001-of-00002.safetensors";
  const std::string two = "model-00002-of-00002.safetensors";
  fs::rename(model / "model.safetensors", model / one);
  expect_refused(model, {one, "but not model.safetensors.index.json", "download it"});
  write(model / "model.safetensors.index.json",
        Json{{"weight_map", {{"lm_head.weight", one}, {"model.aligner.fc1.bias", two}}}}.dump());
  expect_refused(model, {"lacks " + two, "download or copy these files"});
  write(model / (two + ".incomplete"), "x");
  expect_refused(model, {"unfinished in the same folder: " + two + ".incomplete"});
  write(model / two, read_file(golden("tiny-hf/model.safetensors")).substr(0, 100'000));
  expect_refused(model, {two, "was cut short"});
  fs::remove(model / one);
  fs::remove(model / two);
  fs::remove(model / "model.safetensors.index.json");
  write(model / "model.safetensors.crdownload", "x");
  expect_refused(model, {"holds no weights", "model.safetensors.crdownload"});
}

TEST_F(Accidents, TheTokenizerOfAnotherModel) {
  const fs::path model = copy_of("tiny-hf");
  Json config = json_of(model / "config.json");
  const Json table = json_of(model / "tokenizer.json");
  // Another table of the same kind: every added token one id further on.
  Json other = table;
  for (Json& token : other["added_tokens"]) token["id"] = token["id"].get<int>() + 1;
  const std::string first = "one more";
  Json plain = table["added_tokens"][0];
  plain["content"] = first;
  plain["id"] = table["added_tokens"][0]["id"];
  other["added_tokens"].insert(other["added_tokens"].begin(), plain);
  write(model / "tokenizer.json", other.dump());
  expect_refused(model, {"tokenizer.json", "image_token_id of config.json says 611",
                         "take the tokenizer.json that belongs to the weights"});
  config.erase("image_token_id");
  write(model / "config.json", config.dump());
  expect_refused(model, {"boi_token_id of generation_config.json says 603"});
  write(model / "tokenizer.json", table.dump());
  EXPECT_EQ(warnings(model), "");
  // A larger table than the model has rows for.
  Json large = table;
  for (int id = table["added_tokens"].back()["id"].get<int>() + 1; id <= 640; ++id) {
    plain["id"] = id;
    plain["content"] = first + std::to_string(id);
    large["added_tokens"].push_back(plain);
  }
  write(model / "tokenizer.json", large.dump());
  expect_refused(model, {"has ids up to 640, the model has 640 rows of text", "belongs to"});
}

TEST_F(Accidents, TheConfigOfAnotherSize) {
  const fs::path model = copy_of("tiny-hf");
  Json config = json_of(model / "config.json");
  config["text_config"].update({{"hidden_size", 4096},
                                {"num_hidden_layers", 30},
                                {"num_attention_heads", 32},
                                {"num_key_value_heads", 32},
                                {"head_dim", 128},
                                {"intermediate_size", 11008}});
  for (const char* part : {"vision_config", "vq_config"}) config[part]["projection_dim"] = 4096;
  config["vq_config"]["image_token_embed_dim"] = 4096;
  write(model / "config.json", config.dump());
  expect_refused(model, {"the weights are those of a model of width 64, 2 layers",
                         "config.json describes Janus-Pro-7B (width 4096, 30 layers)",
                         "take the config.json that belongs to the weights"});
}

// A file in f16 in which two numbers of one tensor became infinite.
TEST_F(Accidents, NumbersThatOverflewInF16) {
  const fs::path model = converted("f16", {"--type", "f16"});
  std::string bytes = read_file((model / "model.safetensors").string());
  uint64_t header = 0;
  std::memcpy(&header, bytes.data(), sizeof header);
  const Json tensors = Json::parse(bytes.substr(8, header));
  const std::string name = "model.language_model.layers.1.mlp.down_proj.weight";
  const size_t at = 8 + header + tensors[name]["data_offsets"][0].get<size_t>();
  for (const size_t element : {size_t{5}, size_t{700}}) {
    bytes[at + 2 * element] = 0;
    bytes[at + 2 * element + 1] = '\x7c';  // infinity
  }
  write(model / "model.safetensors", bytes);
  const std::vector<std::string> words = {name, "2 infinite numbers", "inf, is element 5",
                                          "stored as f16, which ends at 65504",
                                          "Take the model as bf16 or f32"};
  expect_refused(model, words);
  const Outcome outcome = run_program({"convert", model.string(), folder_.file("b.gguf")});
  EXPECT_EQ(outcome.code, 1);
  for (const std::string& word : {std::string("2 infinite numbers"), words[3]}) {
    EXPECT_NE(outcome.err.find(word), std::string::npos) << outcome.err;
  }
  EXPECT_FALSE(fs::exists(folder_.file("b.gguf")));
}

}  // namespace
}  // namespace janus
