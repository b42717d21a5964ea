// A tokenizer in a .gguf: the whole text comes back, and the lists that other programs read and
// write give the same ids. SPDX-License-Identifier: MIT
#include "io/gguf_tokenizer.h"

#include <gtest/gtest.h>

#include "io/temp_dir.h"
#include "io/tokenizer_golden.h"

namespace janus {
namespace {

constexpr int64_t kRows = 102400;

std::string text_of(const std::string& kind) {
  return (kind == "tiny" ? golden::read_json("tiny.json") : golden::janus_json(kind)).dump();
}

GgufFile written(const TempDir& dir, const GgufMetadata& metadata) {
  write_gguf(dir / "t.gguf", metadata, {});
  return GgufFile(dir / "t.gguf");
}

// The same keys without the whole text, as other programs write them.
GgufFile lists_alone(const TempDir& dir, const GgufFile& file) {
  GgufMetadata metadata;
  for (const char* key : {"tokenizer.ggml.model", "tokenizer.ggml.pre"}) {
    metadata.text(key, *file.text(key));
  }
  const auto tokens = file.texts("tokenizer.ggml.tokens");
  metadata.texts("tokenizer.ggml.tokens", std::vector<std::string>(tokens.begin(), tokens.end()));
  const auto merges = file.texts("tokenizer.ggml.merges");
  metadata.texts("tokenizer.ggml.merges", std::vector<std::string>(merges.begin(), merges.end()));
  const auto types = file.wholes("tokenizer.ggml.token_type");
  metadata.wholes("tokenizer.ggml.token_type", std::vector<int>(types.begin(), types.end()));
  return written(dir, metadata);
}

class GgufTokenizer : public testing::TestWithParam<const char*> {};

INSTANTIATE_TEST_SUITE_P(Tables, GgufTokenizer, testing::Values("1b", "7b", "tiny"));

TEST_P(GgufTokenizer, BothFormsGiveTheIdsOfTheText) {
  const TempDir dir;
  const std::string text = text_of(GetParam());
  const Tokenizer table = Tokenizer::parse(text, "t.json");
  GgufMetadata metadata;
  add_tokenizer(metadata, text, "t.json", kRows);
  const GgufFile file = written(dir, metadata);
  EXPECT_EQ(tokenizer_json(file), text);
  EXPECT_EQ(file.text("tokenizer.ggml.pre"), "deepseek-llm");
  EXPECT_EQ(file.whole("tokenizer.ggml.bos_token_id"), table.find(kBosToken));
  EXPECT_EQ(file.whole("tokenizer.ggml.padding_token_id"), table.find(kPadToken));
  EXPECT_EQ(std::ssize(file.texts("tokenizer.ggml.tokens")), kRows);
  EXPECT_TRUE(lists_token(file, kImageToken));
  EXPECT_FALSE(lists_token(file, "<|nobody|>"));

  const Tokenizer lists = Tokenizer::parse(tokenizer_json(lists_alone(dir, file)), "lists");
  EXPECT_EQ(lists.vocabulary(), table.vocabulary());
  for (const auto& kind : golden::read_json("vectors.json")) {
    for (const auto& row : kind) {
      const std::string sample = row["text"].get<std::string>() + "<|User|>ü <image_placeholder>";
      const std::vector<int32_t> ids = table.encode(sample);
      ASSERT_EQ(lists.encode(sample), ids) << sample;
      ASSERT_EQ(lists.decode(ids, true), table.decode(ids, true)) << sample;
      ASSERT_EQ(lists.decode(ids, false), table.decode(ids, false)) << sample;
    }
  }
}

class Lists : public testing::Test {
 protected:
  std::string refusal(Code code) {
    return error_of(code, [&] { Tokenizer::parse(tokenizer_json(written(dir_, metadata_)), "t"); });
  }
  void add(const std::vector<std::string>& tokens, const std::vector<int>& types,
           const std::vector<std::string>& merges = {}) {
    metadata_.text("tokenizer.ggml.model", "gpt2");
    metadata_.text("tokenizer.ggml.pre", "deepseek-llm");
    metadata_.texts("tokenizer.ggml.tokens", tokens);
    metadata_.wholes("tokenizer.ggml.token_type", types);
    metadata_.texts("tokenizer.ggml.merges", merges);
  }
  TempDir dir_;
  GgufMetadata metadata_;
};

TEST_F(Lists, OfOtherKindsAreRefusedByName) {
  expect_has(refusal(Code::bad_checkpoint), "has no tokenizer");
  metadata_.text("tokenizer.ggml.model", "llama");
  expect_has(refusal(Code::not_supported), "tokenizer.ggml.model is \"llama\"");
}

TEST_F(Lists, WithAnotherPretokenizer) {
  metadata_.text("tokenizer.ggml.model", "gpt2");
  metadata_.text("tokenizer.ggml.pre", "llama-bpe");
  expect_has(refusal(Code::not_supported), "tokenizer.ggml.pre is \"llama-bpe\"");
}

TEST_F(Lists, OfDifferentLengths) {
  add({"a", "b"}, {1});
  expect_has(refusal(Code::bad_checkpoint), "1 entries for 2 tokens");
}

TEST_F(Lists, WithBrokenText) {
  add({"a", "\xff"}, {1, 1});
  expect_has(refusal(Code::bad_checkpoint), "not UTF-8");
}

TEST_F(Lists, WithATokenTwice) {
  add({"a", "a"}, {1, 1});
  expect_has(refusal(Code::bad_checkpoint), "twice");
}

// llama.cpp's converter may turn several added letters into the same replacement character.
TEST_F(Lists, WithAnAddedTokenTwice) {
  add({"a", "b", "\xef\xbf\xbd", "\xef\xbf\xbd", "[PAD4]"}, {1, 1, 4, 4, 5});
  const Tokenizer table = Tokenizer::parse(tokenizer_json(written(dir_, metadata_)), "t");
  EXPECT_EQ(table.encode("ab\xef\xbf\xbd"), (std::vector<int32_t>{0, 1, 2}));
  EXPECT_EQ(table.vocabulary(), 3);
}

TEST(GgufTokenizerErrors, MoreIdsThanTheModelHas) {
  GgufMetadata metadata;
  expect_has(error_of(Code::bad_checkpoint,
                      [&] { add_tokenizer(metadata, text_of("tiny"), "tiny.json", 600); }),
             "tiny.json: has ids up to");
}

}  // namespace
}  // namespace janus
