// What a tokenizer.json holds, checked and in the form that encoding needs. Only the tokenizer's
// own files include this.
// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "io/added_tokens.h"
#include "io/bpe.h"
#include "io/pretokenizer.h"
#include "io/tokenizer.h"

namespace janus {

struct Tokenizer::Table {
  struct Entry {
    std::string bytes;     // what the id stands for
    bool special = false;  // an added token marked so
  };
  std::vector<Entry> entries;                        // by id
  std::unordered_map<std::string, int32_t> by_name;  // spelling in the file -> id
  std::unordered_map<std::string, int32_t> base;     // the same of the base table alone
  std::array<int32_t, 256> byte_ids{};               // -1: the table lacks the byte
  MergeTable merges;
  bool ignore_merges = false;  // a piece that is an entry becomes it, whatever the merges
  Pretokenizer pretokenizer;
  AddedTokens added;
};

// Throws as Tokenizer::parse does.
Tokenizer::Table parse_tokenizer_table(std::string_view text, const std::string& name);

}  // namespace janus
