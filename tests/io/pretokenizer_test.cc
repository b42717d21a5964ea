// The steps one by one: what each form cuts, checked against the `tokenizers` package by
// tests/parity/tokenizer.py on many more.
// SPDX-License-Identifier: MIT
#include "io/pretokenizer.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace janus {
namespace {

using nlohmann::json;
using Pieces = std::vector<std::string_view>;

Pretokenizer one_step(const json& step) {
  const json byte_level = {
      {"type", "ByteLevel"}, {"add_prefix_space", false}, {"use_regex", false}};
  return Pretokenizer::parse({{"type", "Sequence"}, {"pretokenizers", {step, byte_level}}}, "test");
}

Pretokenizer split_by(const char* kind, const char* pattern) {
  return one_step({{"type", "Split"}, {"behavior", "Isolated"}, {"pattern", {{kind, pattern}}}});
}

TEST(Pretokenizer, DeepseekSequence) {
  const Pretokenizer deepseek = Pretokenizer::parse(json::parse(deepseek_pretokenizer()), "test");
  EXPECT_EQ(deepseek.split("naïve"), (Pieces{"na", "ï", "ve"}));
  EXPECT_EQ(deepseek.split("a red  bus, 42!\r\n  "),
            (Pieces{"a", " red", " ", " bus", ",", " ", "4", "2", "!", "\r", "\n", "  "}));
  EXPECT_EQ(deepseek.split("你好，世界"), (Pieces{"你好", "，", "世界"}));
  EXPECT_EQ(deepseek.split("½²Ⅷ"), (Pieces{"½", "²", "Ⅷ"}));
  EXPECT_EQ(deepseek.split(""), Pieces{});
}

TEST(Pretokenizer, Sets) {
  EXPECT_EQ(split_by("Regex", "[ab]").split("aabcab"), (Pieces{"a", "a", "b", "c", "a", "b"}));
  EXPECT_EQ(split_by("Regex", "[ab]+").split("aabcab"), (Pieces{"aab", "c", "ab"}));
  EXPECT_EQ(split_by("Regex", "[\\-\\]x-z]+").split("a-]yb"), (Pieces{"a", "-]y", "b"}));
  EXPECT_EQ(split_by("Regex", "[é-ü]+").split("aéöz"), (Pieces{"a", "éö", "z"}));
}

// U+3000 is white space and, in DeepSeek's files, punctuation as well.
TEST(Pretokenizer, SpacedRuns) {
  const Pretokenizer runs = split_by("Regex", "\\s?[a\u3000]+");
  EXPECT_EQ(runs.split("x  aa b"), (Pieces{"x ", " aa", " b"}));
  EXPECT_EQ(runs.split("x\u3000\u3000aa"), (Pieces{"x", "\u3000\u3000aa"}));
  EXPECT_EQ(runs.split(" \u3000x"), (Pieces{" \u3000", "x"}));
  EXPECT_EQ(runs.split("x "), (Pieces{"x "}));
}

TEST(Pretokenizer, TrailingSpaceAndLineFeeds) {
  const Pretokenizer trailing = split_by("Regex", "\\s+$");
  EXPECT_EQ(trailing.split(" a  b \u2003"), (Pieces{" a  b", " \u2003"}));
  EXPECT_EQ(trailing.split("a \n \n b"), (Pieces{"a", " \n ", "\n b"}));
  EXPECT_EQ(trailing.split("a\n b"), (Pieces{"a\n b"}));
  EXPECT_EQ(trailing.split(" \n"), (Pieces{" \n"}));
}

TEST(Pretokenizer, LiteralsAndDigits) {
  EXPECT_EQ(split_by("String", "ab").split("aababb"), (Pieces{"a", "ab", "ab", "b"}));
  EXPECT_EQ(one_step({{"type", "Digits"}, {"individual_digits", false}}).split("a12½b"),
            (Pieces{"a", "12½", "b"}));
  EXPECT_EQ(one_step({{"type", "Digits"}, {"individual_digits", true}}).split("a1²"),
            (Pieces{"a", "1", "²"}));
}

TEST(Pretokenizer, ByteLevelAloneCutsNothing) {
  const json alone = {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"use_regex", false}};
  EXPECT_EQ(Pretokenizer::parse(alone, "test").split("a b 1"), (Pieces{"a b 1"}));
}

}  // namespace
}  // namespace janus
