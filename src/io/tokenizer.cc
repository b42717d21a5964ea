// See tokenizer.h. Order of work, as in the reference: added tokens out of the text, the rest into
// pieces, each piece into bytes, bytes merged pair by pair.
// SPDX-License-Identifier: MIT
#include "io/tokenizer.h"

#include "base/error.h"
#include "io/file.h"
#include "io/mishap.h"
#include "io/tokenizer_table.h"
#include "io/utf8.h"

namespace janus {

namespace {

// Appends the ids of one stretch of text that holds no added token.
void encode_text(const Tokenizer::Table& table, PieceMerger& merger, std::string_view text,
                 std::vector<int32_t>& out) {
  std::vector<int32_t> ids;
  for (const std::string_view piece : table.pretokenizer.split(text)) {
    if (table.ignore_merges) {
      const auto whole = table.base.find(spell_bytes(piece));
      if (whole != table.base.end()) {
        out.push_back(whole->second);
        continue;
      }
    }
    ids.clear();
    for (const char byte : piece) {
      const int32_t id = table.byte_ids[static_cast<uint8_t>(byte)];
      if (id >= 0) ids.push_back(id);
    }
    merger.merge(ids);
    out.insert(out.end(), ids.begin(), ids.end());
  }
}

}  // namespace

Tokenizer::Tokenizer(std::shared_ptr<const Table> table) : table_(std::move(table)) {}

Tokenizer Tokenizer::load(const std::filesystem::path& path) {
  const std::string text = read_text(path);
  refuse_mishap(path, text);
  return parse(text, path.string());
}

Tokenizer Tokenizer::parse(std::string_view json, const std::string& name) {
  return Tokenizer(std::make_shared<const Table>(parse_tokenizer_table(json, name)));
}

std::vector<int32_t> Tokenizer::encode(std::string_view text) const {
  check(text.size() <= INT32_MAX, Code::bad_input, "a text of ", text.size(),
        " bytes is too long to encode at once");
  const size_t valid = valid_utf8_prefix(text);
  check(valid == text.size(), Code::bad_input, "the text is not valid UTF-8 at byte ", valid,
        "; convert it to UTF-8 first");
  std::vector<int32_t> ids;
  PieceMerger merger(table_->merges);
  for (const TextPart& part : table_->added.split(text)) {
    if (part.id >= 0) {
      ids.push_back(part.id);
    } else {
      encode_text(*table_, merger, part.text, ids);
    }
  }
  return ids;
}

std::string Tokenizer::decode(std::span<const int32_t> ids, bool keep_special) const {
  std::string joined;
  for (const int32_t id : ids) {
    if (keep_special || !is_special(id)) joined += bytes(id);
  }
  return as_utf8(joined);
}

std::string_view Tokenizer::bytes(int32_t id) const {
  if (id < 0 || id >= vocabulary()) return {};
  return table_->entries[static_cast<size_t>(id)].bytes;
}

bool Tokenizer::is_special(int32_t id) const {
  return id >= 0 && id < vocabulary() && table_->entries[static_cast<size_t>(id)].special;
}

std::optional<int32_t> Tokenizer::find(std::string_view token) const {
  const auto found = table_->by_name.find(std::string(token));
  if (found == table_->by_name.end()) return std::nullopt;
  return found->second;
}

int32_t Tokenizer::vocabulary() const { return static_cast<int32_t>(table_->entries.size()); }

TextStream::TextStream(Tokenizer tokenizer, bool keep_special)
    : tokenizer_(std::move(tokenizer)), keep_special_(keep_special) {}

std::string TextStream::push(int32_t id) {
  std::string text;
  if (!keep_special_ && tokenizer_.is_special(id)) return text;
  pending_ += tokenizer_.bytes(id);
  pending_.erase(0, append_lossy(text, pending_, false));
  return text;
}

std::string TextStream::finish() {
  std::string text;
  append_lossy(text, pending_, true);
  pending_.clear();
  return text;
}

}  // namespace janus
