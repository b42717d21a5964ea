// Text <-> token ids: byte-level BPE read from a `tokenizer.json` as Hugging Face's `tokenizers`
// writes it, with the pre-tokeniser forms that the DeepSeek family uses. What the file says is what
// is done; a form that is not known is refused, never guessed. Not here: training of a table
// (io/bpe_train.h) and the chat template (generate/prompt.h). Next: io/pretokenizer.h.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace janus {

// Immutable after loading, so one table may serve any number of threads. Copies share the table.
class Tokenizer {
 public:
  // Reads a tokenizer.json. Throws Code::bad_input when it cannot be read, Code::bad_checkpoint
  // when it is damaged and Code::not_supported when it is of another kind; the text names the
  // file, the place in it, and the cure.
  static Tokenizer load(const std::filesystem::path& path);
  // The same from memory; `name` stands for the file in messages.
  static Tokenizer parse(std::string_view json, const std::string& name);

  // Added tokens written out in `text` become their ids; no begin token is put in front.
  // Throws Code::bad_input when `text` is not valid UTF-8, naming the byte.
  std::vector<int32_t> encode(std::string_view text) const;

  // Ids back to text; bytes that are not valid UTF-8 become U+FFFD. Ids without an entry (models
  // have more rows than the table) give nothing. Special tokens are written out if `keep_special`.
  std::string decode(std::span<const int32_t> ids, bool keep_special) const;

  // The bytes one id stands for, before U+FFFD is put for broken ones; empty without an entry.
  std::string_view bytes(int32_t id) const;
  bool is_special(int32_t id) const;

  // Id of an added token or of an entry of the base table by its spelling in the file.
  std::optional<int32_t> find(std::string_view token) const;

  // One more than the largest id.
  int32_t vocabulary() const;

  struct Table;

 private:
  explicit Tokenizer(std::shared_ptr<const Table> table);
  std::shared_ptr<const Table> table_;
};

// Decodes ids as they arrive and hands out whole characters only: the pieces of push() and the one
// of finish(), joined, equal Tokenizer::decode of all ids.
class TextStream {
 public:
  TextStream(Tokenizer tokenizer, bool keep_special);

  // Text that became complete with this id; may be empty.
  std::string push(int32_t id);
  // What is left of a character that never became complete, as U+FFFD; the stream is empty after.
  std::string finish();

 private:
  Tokenizer tokenizer_;
  bool keep_special_;
  std::string pending_;  // the valid beginning of one character, at most three bytes
};

}  // namespace janus
