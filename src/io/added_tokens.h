// Finds the added tokens of a tokenizer.json in text, before anything else is done with it, as
// `tokenizers` does (added_vocabulary.rs, find_matches): at each place the longest, left to right,
// with the flags of the file.
// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace janus {

struct AddedToken {
  int32_t id = 0;
  std::string content;       // not empty
  bool single_word = false;  // only where no character of a word touches it
  bool lstrip = false;       // takes the white space before it along
  bool rstrip = false;       // and after it
  bool normalized = false;   // looked for in a second pass, in what the first left
  bool special = false;      // left out when decoding, unless asked for
};

// Either a stretch of text or an added token that stood there.
struct TextPart {
  std::string_view text;  // empty for a token
  int32_t id = -1;        // of the token; -1: text
};

class AddedTokens {
 public:
  AddedTokens() : AddedTokens(std::vector<AddedToken>{}) {}
  explicit AddedTokens(std::vector<AddedToken> tokens);
  AddedTokens(AddedTokens&&) = default;  // no copies: the passes point into tokens_
  AddedTokens& operator=(AddedTokens&&) = default;
  // `text` must be valid UTF-8.
  std::vector<TextPart> split(std::string_view text) const;

 private:
  // The tokens of one pass, by first byte and length.
  struct Pass {
    std::unordered_map<std::string_view, size_t> by_content;  // index into tokens_
    std::array<std::vector<size_t>, 256> lengths;             // descending
  };
  const AddedToken* longest_at(const Pass& pass, std::string_view text, size_t at) const;
  void split_once(const Pass& pass, std::string_view text, std::vector<TextPart>& out) const;

  std::vector<AddedToken> tokens_;
  Pass raw_, normalized_;
};

}  // namespace janus
