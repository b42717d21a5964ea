// Ids as published (llama.cpp's vectors for DeepSeek-LLM, public samples of Janus) or as the
// `tokenizers` package gives them (vectors.json), and the ways back to text.
// SPDX-License-Identifier: MIT
#include "io/tokenizer.h"

#include <algorithm>
#include <chrono>

#include "base/error.h"
#include "base/sha256.h"
#include "io/tokenizer_golden.h"
#include "io/utf8.h"

namespace janus {
namespace {

using Ids = std::vector<int32_t>;

class TokenizerVectors : public testing::TestWithParam<const char*> {};

TEST_P(TokenizerVectors, EncodeAndDecode) {
  const Tokenizer tokenizer = golden::table(GetParam());
  const nlohmann::json rows = golden::read_json("vectors.json").at(GetParam());
  ASSERT_GE(rows.size(), 5u);
  for (const nlohmann::json& row : rows) {
    const std::string text = row.at("text");
    const Ids ids = row.at("ids");
    EXPECT_EQ(tokenizer.encode(text), ids) << text;
    EXPECT_EQ(tokenizer.decode(ids, true), text);
  }
}

INSTANTIATE_TEST_SUITE_P(Golden, TokenizerVectors, testing::Values("llm", "1b", "7b", "tiny"));

TEST(Tokenizer, PublishedCheckText) {
  const Tokenizer tokenizer = golden::table("llm");
  const nlohmann::json rows = golden::read_json("vectors.json").at("llm");
  const auto longest = std::max_element(rows.begin(), rows.end(), [](const auto& a, const auto& b) {
    return a.at("text").size() < b.at("text").size() || a.at("ids").size() < b.at("ids").size();
  });
  const Ids ids = tokenizer.encode(longest->at("text").get<std::string>());
  ASSERT_EQ(ids.size(), 212u);
  std::string list = "[100000";
  for (const int32_t id : ids) list += ", " + std::to_string(id);
  EXPECT_EQ(sha256_hex(list + "]"),
            "049ecf7629871e3041641907f3de7c733e4dbfdc736f57d882ba0b0845599754");
}

TEST(Tokenizer, OfficialProcessorOutput) {
  EXPECT_EQ(golden::table("7b").encode(
                "User: A close-up high-contrast photo of a doomed cityscape, with dark blue skies "
                "and high-rise buildings standing in the distance.\n\nAssistant:<begin_of_image>"),
            (Ids{5726,  25,   338,   3415, 12,   394,  1461, 12,    64548, 8072, 280,   245,
                 49983, 3787, 10404, 11,   366,  4426, 5501, 36837, 285,   1461, 12,    22927,
                 12404, 8898, 279,   254,  5013, 13,   185,  185,   77398, 25,   100016}));
}

TEST(Tokenizer, AddedLettersKeepTheirText) {
  const Tokenizer with = golden::table("7b"), without = golden::table("1b");
  EXPECT_EQ(with.encode("Führer"), (Ids{37, 100014, 71, 6245}));
  EXPECT_EQ(without.encode("Führer"), (Ids{37, 2874, 71, 6245}));
  EXPECT_EQ(with.decode(Ids{37, 100014, 71, 6245}, false), "Führer");
}

TEST(Tokenizer, SpecialTokensByStringAndOnDecode) {
  const Tokenizer one = golden::table("1b"), seven = golden::table("7b");
  EXPECT_EQ(one.find(kPadToken), 100002);
  EXPECT_EQ(seven.find(kPadToken), 100015);
  EXPECT_EQ(one.find(kImageToken), 100581);
  EXPECT_EQ(seven.find(kImageToken), 100594);
  EXPECT_EQ(one.find("\xC4\xA0Hello"), 37727);  // G with dot above stands for the space
  EXPECT_EQ(one.find("<|Nobody|>"), std::nullopt);
  EXPECT_EQ(one.vocabulary(), 100584);
  EXPECT_TRUE(one.is_special(100582));
  EXPECT_FALSE(seven.is_special(100014));
  const Ids ids = one.encode("<|User|>: a b<｜end▁of▁sentence｜>");
  EXPECT_EQ(one.decode(ids, false), ": a b");
  EXPECT_EQ(one.decode(ids, true), "<|User|>: a b<｜end▁of▁sentence｜>");
}

TEST(Tokenizer, IdsWithoutEntryGiveNothing) {
  const Tokenizer tokenizer = golden::table("tiny");
  const Ids hello = tokenizer.encode("apple");
  Ids mixed = {-1, INT32_MIN, 639, INT32_MAX};
  mixed.insert(mixed.begin() + 2, hello.begin(), hello.end());
  EXPECT_EQ(tokenizer.decode(mixed, true), "apple");
  EXPECT_TRUE(tokenizer.bytes(639).empty());
}

TEST(Tokenizer, InvalidUtf8IsRefusedWithItsPlace) {
  const Tokenizer tokenizer = golden::table("tiny");
  for (const char* bad :
       {"ab\xFF", "ab\xC3", "ab\xED\xA0\x80", "ab\xC0\x80", "ab\xF4\x90\x80\x80"}) {
    try {
      tokenizer.encode(bad);
      FAIL() << "accepted";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), Code::bad_input);
      EXPECT_NE(std::string(error.what()).find("byte 2"), std::string::npos) << error.what();
    }
  }
}

// A megabyte of one letter is one piece; a merge that rescans it would take hours.
TEST(Tokenizer, LongPieceIsNotQuadratic) {
  const Tokenizer tokenizer = golden::table("llm");
  const auto seconds = [&](size_t size) {
    const std::string text(size, 'a');
    const auto start = std::chrono::steady_clock::now();
    EXPECT_EQ(tokenizer.decode(tokenizer.encode(text), false), text);
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  };
  EXPECT_LT(seconds(1 << 20), 20);
}

// Id by id gives the same text as at once, also for bytes that never become a character.
TEST(TextStream, WholeCharactersOnly) {
  const Tokenizer tokenizer = golden::table("llm");
  Ids ids = tokenizer.encode("ied ½ 日本語 🦙🚀 ខ្មែរ");
  const Ids fragments = {155, 240, 10044, 99, 13, 155, 71374, 100001, 209};
  ids.insert(ids.end(), fragments.begin(), fragments.end());
  for (const bool keep_special : {false, true}) {
    TextStream stream(tokenizer, keep_special);
    std::string joined;
    for (const int32_t id : ids) {
      const std::string piece = stream.push(id);
      EXPECT_EQ(valid_utf8_prefix(piece), piece.size());
      joined += piece;
    }
    joined += stream.finish();
    EXPECT_EQ(joined, tokenizer.decode(ids, keep_special));
    EXPECT_EQ(stream.finish(), "");
  }
}

TEST(TextStream, HoldsBackACutCharacter) {
  const Tokenizer tokenizer = golden::table("llm");
  const Ids rocket = tokenizer.encode("🦙");  // F0 9F A6 99 in three tokens
  ASSERT_GE(rocket.size(), 2u);
  TextStream stream(tokenizer, false);
  for (size_t i = 0; i + 1 < rocket.size(); ++i) EXPECT_EQ(stream.push(rocket[i]), "");
  EXPECT_EQ(stream.push(rocket.back()), "🦙");
  stream.push(rocket.front());
  EXPECT_EQ(stream.finish(), "\uFFFD");
}

}  // namespace
}  // namespace janus
