// Properties of trained tables; that they equal those of `tokenizers` is tests/parity/bpe_train.py.
// SPDX-License-Identifier: MIT
#include "io/bpe_train.h"

#include <unistd.h>

#include <algorithm>
#include <fstream>

#include "base/error.h"
#include "io/special_tokens.h"
#include "io/tokenizer_golden.h"

namespace janus {
namespace {

using nlohmann::json;

const std::vector<std::string> kLines = {
    "a red apple on a blue table",    "a red star and a blue star",   "How many stars are there?",
    "two red apples and three stars", "is the red star above a bus?", "a naïve 日本語 line"};

std::string train(const std::vector<std::string>& lines, int32_t entries) {
  BpeTrainer trainer;
  for (const std::string& line : lines) trainer.add(line);
  return trainer.train(entries, janus_added_tokens());
}

TEST(BpeTrainer, SizesAndAddedTokens) {
  const Tokenizer tokenizer = Tokenizer::parse(train(kLines, 270), "trained");
  EXPECT_EQ(tokenizer.vocabulary(), 270 + 8);
  EXPECT_EQ(tokenizer.find(kBosToken), 270);
  EXPECT_EQ(tokenizer.find(kAssistantToken), 277);
  EXPECT_TRUE(tokenizer.is_special(273));
}

TEST(BpeTrainer, FrequentWordsBecomeOneToken) {
  const Tokenizer tokenizer = Tokenizer::parse(train(kLines, 320), "trained");
  for (const char* word : {" red", " star", " a"}) {
    EXPECT_EQ(tokenizer.encode(word).size(), 1u) << word;
  }
}

// "ab" is the most frequent pair, then "abc"; what occurs once never merges.
TEST(BpeTrainer, MostFrequentPairFirstUntilNoneOccursTwice) {
  const json table = json::parse(train({"ab", "abc", "abc", "xy"}, 1000));
  EXPECT_EQ(table.at("model").at("merges"), (json::array({{"a", "b"}, {"ab", "c"}})));
  EXPECT_EQ(table.at("model").at("vocab").size(), 258u);
  EXPECT_EQ(table.at("added_tokens").at(0).at("id"), 258);
}

TEST(BpeTrainer, OfEqualPairsTheOneOfLowerIds) {
  const json table = json::parse(train({"xy", "xy", "ab", "ab", "bc", "bc"}, 258));
  EXPECT_EQ(table.at("model").at("merges"), (json::array({{"a", "b"}, {"b", "c"}})));
}

TEST(BpeTrainer, OrderOfLinesDoesNotMatter) {
  std::vector<std::string> reversed(kLines.rbegin(), kLines.rend());
  EXPECT_EQ(train(kLines, 330), train(reversed, 330));
}

TEST(BpeTrainer, AnyTextIsEncodable) {
  const Tokenizer tokenizer = Tokenizer::parse(train(kLines, 300), "trained");
  for (const char* text :
       {"", "unseen words", "Führer ½ 🦙\r\n\t", "<|User|>: x<image_placeholder>"}) {
    EXPECT_EQ(tokenizer.decode(tokenizer.encode(text), true), text);
  }
}

TEST(BpeTrainer, Refusals) {
  EXPECT_THROW(train(kLines, 255), Error);
  BpeTrainer trainer;
  EXPECT_THROW(trainer.add("ab\xFF"), Error);
}

TEST(BpeTrainer, FilesOfACheckpoint) {
  const std::filesystem::path folder =
      std::filesystem::temp_directory_path() / ("bpe_train_test-" + std::to_string(getpid()));
  std::filesystem::create_directory(folder);
  const std::string table = train(kLines, 264);
  save_tokenizer_files(folder, table, 320);
  EXPECT_EQ(Tokenizer::load(folder / "tokenizer.json").vocabulary(), 272);
  const auto read = [&](const char* name) {
    std::ifstream file(folder / name);
    return json::parse(file);
  };
  const json config = read("tokenizer_config.json"), special = read("special_tokens_map.json");
  EXPECT_EQ(config.at("bos_token"), kBosToken);
  EXPECT_EQ(config.at("pad_token"), kPadToken);
  EXPECT_EQ(config.at("model_max_length"), 320);
  EXPECT_EQ(special.at("eos_token"), kEosToken);
  EXPECT_EQ(special.at("additional_special_tokens").size(), 5u);
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace janus
