// Trains a byte-level BPE table on lines of text and writes it as the tokenizer files of a
// checkpoint (tokenizer.json, tokenizer_config.json, special_tokens_map.json). Same lines, same
// table: ties are broken by ids alone. Pre-tokeniser: the DeepSeek sequence.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace janus {

class BpeTrainer {
 public:
  BpeTrainer();
  ~BpeTrainer();
  BpeTrainer(const BpeTrainer&) = delete;
  BpeTrainer& operator=(const BpeTrainer&) = delete;

  // Counts the pieces of one text. Memory grows with the number of different pieces only.
  // Throws Code::bad_input when it is not valid UTF-8.
  void add(std::string_view text);

  // The tokenizer.json of a table with `entries` base entries (256 bytes + merges; fewer when the
  // text gives no more pairs that occur twice), then `added` tokens in order, all special.
  // Throws Code::bad_input for entries < 256.
  std::string train(int32_t entries, const std::vector<std::string>& added) const;

 private:
  struct Counts;
  std::unique_ptr<Counts> counts_;
};

// The added tokens of Janus-Pro in its order, without the reserved ones between the image marks.
std::vector<std::string> janus_added_tokens();

// Writes tokenizer.json, tokenizer_config.json and special_tokens_map.json into `directory`.
void save_tokenizer_files(const std::filesystem::path& directory,
                          const std::string& tokenizer_json);

}  // namespace janus
