// What a tokenizer.json may say: the forms that are followed, those that are refused, and damage.
// SPDX-License-Identifier: MIT
#include "io/tokenizer_table.h"

#include <functional>

#include "base/error.h"
#include "io/tokenizer_golden.h"

namespace janus {
namespace {

using nlohmann::json;
using Ids = std::vector<int32_t>;

// All bytes, two merges, two added tokens.
json small_table() {
  json vocab;
  for (int b = 0; b < 256; ++b) vocab[spell_bytes(std::string(1, static_cast<char>(b)))] = b;
  vocab["ab"] = 256;
  vocab["abc"] = 257;
  return {{"added_tokens",
           {{{"id", 258}, {"content", "<x>"}, {"special", true}},
            {{"id", 259}, {"content", "<y>"}, {"special", false}}}},
          {"normalizer", nullptr},
          {"pre_tokenizer", json::parse(deepseek_pretokenizer())},
          {"decoder", {{"type", "ByteLevel"}}},
          {"model",
           {{"type", "BPE"}, {"vocab", vocab}, {"merges", {"a b", json::array({"ab", "c"})}}}}};
}

Ids encode(const json& table, std::string_view text) {
  return Tokenizer::parse(table.dump(), "small.json").encode(text);
}

TEST(TokenizerTable, BothFormsOfMerges) {
  EXPECT_EQ(encode(small_table(), "abcab<x>a"), (Ids{257, 256, 258, 'a'}));
}

TEST(TokenizerTable, WholePieceFirstWhenMergesAreIgnored) {
  json table = small_table();
  table["model"]["merges"] = {"a b"};
  EXPECT_EQ(encode(table, "abc"), (Ids{256, 'c'}));
  table["model"]["ignore_merges"] = true;
  EXPECT_EQ(encode(table, "abc"), (Ids{257}));
}

TEST(TokenizerTable, MissingBytesAreLeftOut) {
  json table = small_table();
  table["model"]["vocab"].erase("z");
  EXPECT_EQ(encode(table, "xzx"), (Ids{'x', 'x'}));
}

TEST(TokenizerTable, AddedTokenFlags) {
  json table = small_table();
  const auto with = [&](const char* flag) {
    json changed = table;
    changed["added_tokens"][0][flag] = true;
    return changed;
  };
  EXPECT_EQ(encode(table, "a <x> b"), (Ids{'a', ' ', 258, ' ', 'b'}));
  EXPECT_EQ(encode(with("lstrip"), "a <x> b"), (Ids{'a', 258, ' ', 'b'}));
  EXPECT_EQ(encode(with("rstrip"), "a <x> b"), (Ids{'a', ' ', 258, 'b'}));
  EXPECT_EQ(encode(with("single_word"), "é<x> <x>"), (Ids{0xC3, 0xA9, '<', 'x', '>', ' ', 258}));
  // Tokens that are not normalized are looked for first, whatever the order of the text.
  json overlap = table;
  overlap["added_tokens"][0]["content"] = "ab";
  overlap["added_tokens"][1]["content"] = "bc";
  overlap["model"]["merges"] = json::array();
  overlap["model"]["vocab"].erase("ab");
  overlap["model"]["vocab"].erase("abc");
  EXPECT_EQ(encode(overlap, "abc"), (Ids{258, 'c'}));
  overlap["added_tokens"][0]["normalized"] = true;
  EXPECT_EQ(encode(overlap, "abc"), (Ids{'a', 259}));
}

TEST(TokenizerTable, LongestAddedTokenFirst) {
  json table = small_table();
  table["added_tokens"][1]["content"] = "<x>!";
  EXPECT_EQ(encode(table, "<x>!<x>"), (Ids{259, 258}));
}

struct Change {
  const char* what;
  Code code;
  const char* says;  // part of the message
  std::function<void(json&)> apply;
};

const json kSplit = {{"type", "Split"}, {"behavior", "Isolated"}, {"invert", false}};

json split_by(const char* regex) {
  json step = kSplit;
  step["pattern"] = {{"Regex", regex}};
  return step;
}

std::vector<Change> damaged_entries() {
  return {
      {"no model", Code::bad_checkpoint, "model is missing", [](json& t) { t.erase("model"); }},
      {"no vocab", Code::bad_checkpoint, "model.vocab", [](json& t) { t["model"].erase("vocab"); }},
      {"no merges", Code::bad_checkpoint, "model.merges",
       [](json& t) { t["model"].erase("merges"); }},
      {"unknown part", Code::bad_checkpoint, "merges[2] needs \"qq\"",
       [](json& t) { t["model"]["merges"].push_back("q q"); }},
      {"one part", Code::bad_checkpoint, "merges[2]",
       [](json& t) { t["model"]["merges"].push_back("ab"); }},
      {"three parts", Code::bad_checkpoint, "merges[2]",
       [](json& t) { t["model"]["merges"].push_back("a b c"); }},
      {"merge of numbers", Code::bad_checkpoint, "type must be string",
       [](json& t) {
         t["model"]["merges"].push_back({1, 2});
       }},
      {"id twice", Code::bad_checkpoint, "used twice",
       [](json& t) { t["model"]["vocab"]["abc"] = 1; }},
      {"negative id", Code::bad_checkpoint, "out of range",
       [](json& t) { t["model"]["vocab"]["abc"] = -1; }},
      {"huge id", Code::bad_checkpoint, "out of range",
       [](json& t) { t["model"]["vocab"]["abc"] = 18446744073709551615u; }},
      {"fractional id", Code::bad_checkpoint, "not an integer",
       [](json& t) { t["model"]["vocab"]["abc"] = 2.5; }},
      {"added id out of range", Code::bad_checkpoint, "added_tokens[0]",
       [](json& t) { t["added_tokens"][0]["id"] = 1 << 30; }},
      {"added id of another", Code::bad_checkpoint, "used twice",
       [](json& t) { t["added_tokens"][0]["id"] = 257; }},
      {"added token twice", Code::bad_checkpoint, "listed twice",
       [](json& t) { t["added_tokens"][1]["content"] = "<x>"; }},
      {"added token without text", Code::bad_checkpoint, "empty",
       [](json& t) { t["added_tokens"][1]["content"] = ""; }},
      {"added against vocab", Code::bad_checkpoint, "in model.vocab",
       [](json& t) { t["added_tokens"][1]["content"] = "ab"; }},
  };
}

std::vector<Change> unknown_kinds() {
  return {
      {"no pre_tokenizer", Code::not_supported, "pre_tokenizer",
       [](json& t) { t["pre_tokenizer"] = nullptr; }},
      {"Metaspace", Code::not_supported, "Metaspace",
       [](json& t) {
         t["pre_tokenizer"] = {{"type", "Metaspace"}};
       }},
      {"prefix space", Code::not_supported, "prefix space",
       [](json& t) { t["pre_tokenizer"]["pretokenizers"][6]["add_prefix_space"] = true; }},
      {"own regex", Code::not_supported, "own regex",
       [](json& t) { t["pre_tokenizer"]["pretokenizers"][6]["use_regex"] = true; }},
      {"no ByteLevel", Code::not_supported, "does not end with",
       [](json& t) { t["pre_tokenizer"]["pretokenizers"].erase(6); }},
      {"after ByteLevel", Code::not_supported, "after ByteLevel",
       [](json& t) {
         t["pre_tokenizer"]["pretokenizers"].push_back({{"type", "Digits"}});
       }},
      {"merged behaviour", Code::not_supported, "MergedWithNext",
       [](json& t) { t["pre_tokenizer"]["pretokenizers"][0]["behavior"] = "MergedWithNext"; }},
      {"inverted", Code::not_supported, "inverted",
       [](json& t) { t["pre_tokenizer"]["pretokenizers"][0]["invert"] = true; }},
      {"a step without a type", Code::bad_checkpoint, "pre_tokenizer",
       [](json& t) { t["pre_tokenizer"]["pretokenizers"][0].erase("type"); }},
      {"normalizer", Code::not_supported, "normalizer",
       [](json& t) {
         t["normalizer"] = {{"type", "NFC"}};
       }},
      {"decoder", Code::not_supported, "decoder", [](json& t) { t["decoder"]["type"] = "Fuse"; }},
      {"model type", Code::not_supported, "Unigram",
       [](json& t) { t["model"]["type"] = "Unigram"; }},
      {"dropout", Code::not_supported, "dropout", [](json& t) { t["model"]["dropout"] = 0.1; }},
      {"suffix", Code::not_supported, "end_of_word_suffix",
       [](json& t) { t["model"]["end_of_word_suffix"] = "</w>"; }},
      {"unknown token", Code::not_supported, "unknown token",
       [](json& t) {
         t["model"]["vocab"].erase("z");
         t["model"]["unk_token"] = "a";
       }},
  };
}

TEST(TokenizerTable, RefusesWithPlaceAndCure) {
  std::vector<Change> changes = damaged_entries();
  for (Change& change : unknown_kinds()) changes.push_back(std::move(change));
  for (const Change& change : changes) {
    json table = small_table();
    change.apply(table);
    try {
      Tokenizer::parse(table.dump(), "small.json");
      ADD_FAILURE() << change.what << ": accepted";
    } catch (const Error& error) {
      const std::string text = error.what();
      EXPECT_EQ(error.code(), change.code) << change.what << ": " << text;
      EXPECT_TRUE(text.starts_with("small.json")) << text;
      EXPECT_NE(text.find(change.says), std::string::npos) << change.what << ": " << text;
    }
  }
}

TEST(TokenizerTable, RefusesOtherPatterns) {
  for (const char* regex :
       {"",     "[",        "[]",    "[]+",    "a",           "[a",        "a+",    "[^a]",
        "[a-]", "[-a]",     "[b-a]", "[a&&b]", "[[:alpha:]]", "[\\p{L}]+", "[\\s]", "\\s?[a]",
        "\\s+", "\\s*[a]+", "[a]*",  "[a]+$",  "(?i)[a]+",    "[a][b]",    "'s|'t", "[a\\"}) {
    json table = small_table();
    table["pre_tokenizer"]["pretokenizers"][1] = split_by(regex);
    try {
      Tokenizer::parse(table.dump(), "small.json");
      ADD_FAILURE() << regex << ": accepted";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), Code::not_supported) << error.what();
      EXPECT_NE(std::string(error.what()).find("pretokenizers[1]"), std::string::npos);
    }
  }
}

TEST(TokenizerTable, DamagedJson) {
  const std::string whole = small_table().dump();
  for (const std::string& text :
       {std::string(), std::string("[]"), std::string("null"), whole.substr(0, whole.size() / 2),
        std::string(100000, '['), std::string("{\"model\": \"\xFF\"}"),
        std::string("{\"model\": 1, \"model\": 2}")}) {
    try {
      Tokenizer::parse(text, "small.json");
      ADD_FAILURE() << "accepted: " << text.substr(0, 40);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), Code::bad_checkpoint) << error.what();
    }
  }
}

TEST(TokenizerTable, FilesThatAreNotThere) {
  EXPECT_THROW(Tokenizer::load(golden::path("absent.json")), Error);
  EXPECT_EQ(Tokenizer::load(golden::path("tiny.json")).vocabulary(), 616);
}

}  // namespace
}  // namespace janus
