// Trains a byte-level BPE table on text and writes it as the tokenizer files of a checkpoint
// (tokenizer.json, tokenizer_config.json, special_tokens_map.json). The order of the texts does
// not matter: ties are broken by ids alone. Pre-tokeniser: the DeepSeek sequence.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "io/pretokenizer.h"

namespace janus {

class BpeTrainer {
 public:
  BpeTrainer();

  // Counts the pieces of one text. Memory grows with the number of different pieces only.
  // Throws Code::bad_input when it is not valid UTF-8.
  void add(std::string_view text);

  // The tokenizer.json of a table with `entries` base entries (256 bytes, then merges; fewer when
  // no more pairs occur twice), then `added` tokens in order, all special.
  // Throws Code::bad_input for entries < 256.
  std::string train(int32_t entries, const std::vector<std::string>& added) const;

 private:
  Pretokenizer pretokenizer_;
  std::unordered_map<std::string, int64_t> pieces_;  // piece -> how often
};

// The added tokens of Janus-Pro in its order, without the reserved ones between the image marks.
std::vector<std::string> janus_added_tokens();

// Writes tokenizer.json, tokenizer_config.json and special_tokens_map.json into `directory`;
// `context` is the most tokens that the model takes.
void save_tokenizer_files(const std::filesystem::path& directory, const std::string& tokenizer_json,
                          int64_t context);

}  // namespace janus
