// Reads a tokenizer.json into a table. Everything the file can say is either followed, or without
// effect on ids (post_processor, truncation, padding, trim_offsets: the caller's business), or
// refused. Form: huggingface/tokenizers, models/bpe/serialization.rs and added_vocabulary.rs.
// SPDX-License-Identifier: MIT
#include "io/tokenizer_table.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "io/json.h"

namespace janus {

namespace {

using json = nlohmann::json;
using Table = Tokenizer::Table;

constexpr const char* kFetchAgain = "; the file is damaged: fetch it again";

bool flag(const json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && !found->is_null() && found->get<bool>();
}

// An id of the table; ids may have gaps, but memory for them stays in proportion to the file.
int32_t checked_id(const json& value, size_t entries, const std::string& where) {
  check(value.is_number_integer(), Code::bad_checkpoint, where, ": the id is not an integer",
        kFetchAgain);
  const int64_t limit = std::min<int64_t>(4 * static_cast<int64_t>(entries) + 1024, INT32_MAX);
  const bool too_large = value.is_number_unsigned() && value.get<uint64_t>() > INT64_MAX;
  const int64_t id = too_large ? INT64_MAX : value.get<int64_t>();
  check(id >= 0 && id < limit, Code::bad_checkpoint, where, ": id ", id,
        " is out of range for a table of ", entries, " entries", kFetchAgain);
  return static_cast<int32_t>(id);
}

class Reader {
 public:
  Reader(const json& root, std::string name) : root_(root), name_(std::move(name)) {}

  Table read() {
    check(root_.is_object(), Code::bad_checkpoint, name_, ": is not a JSON object", kFetchAgain);
    read_model();
    table_.pretokenizer = Pretokenizer::parse(value_of(root_, "pre_tokenizer"), name_);
    check_stages();
    read_vocabulary();
    read_added_tokens();
    read_bytes();
    read_merges();
    return std::move(table_);
  }

 private:
  // `object[key]`, or null when it is absent.
  const json& value_of(const json& object, const char* key) const {
    const auto found = object.find(key);
    return found == object.end() ? null_ : *found;
  }
  void read_model();
  void check_stages() const;
  void read_vocabulary();
  void read_added_tokens();
  AddedToken added_token(const json& value, const std::string& where);
  void read_bytes();
  void read_merges();
  void add_merge(const std::string& left, const std::string& right, size_t rank);
  Table::Entry& claim(int32_t id, const std::string& content, const std::string& where);

  const json null_;
  const json& root_;
  std::string name_;
  const json* model_ = nullptr;
  size_t expected_ = 0;  // entries and added tokens in the file
  std::vector<bool> taken_;
  Table table_;
};

void Reader::read_model() {
  model_ = &value_of(root_, "model");
  check(model_->is_object(), Code::bad_checkpoint, name_, ": model is missing", kFetchAgain);
  const json& type = value_of(*model_, "type");
  check(type.is_null() || type == "BPE", Code::not_supported, name_, ": model.type is ",
        type.dump(), "; only byte-level BPE is known");
  for (const char* key : {"continuing_subword_prefix", "end_of_word_suffix"}) {
    const json& affix = value_of(*model_, key);
    check(affix.is_null() || affix == "", Code::not_supported, name_, ": model.", key,
          " is set; byte-level tables have none");
  }
  const json& dropout = value_of(*model_, "dropout");
  check(dropout.is_null() || dropout == 0.0, Code::not_supported, name_,
        ": model.dropout is set; it makes ids random and is of use in training only");
  table_.ignore_merges = flag(*model_, "ignore_merges");
}

void Reader::check_stages() const {
  const json& normalizer = value_of(root_, "normalizer");
  const bool empty =
      normalizer.is_null() || (normalizer.is_object() && normalizer.at("type") == "Sequence" &&
                               normalizer.at("normalizers").empty());
  check(empty, Code::not_supported, name_, ": normalizer is set; this family uses none");
  const json& decoder = value_of(root_, "decoder");
  check(decoder.is_null() || (decoder.is_object() && decoder.at("type") == "ByteLevel"),
        Code::not_supported, name_, ": decoder is not ByteLevel");
}

// Marks an id as used and names it.
Table::Entry& Reader::claim(int32_t id, const std::string& content, const std::string& where) {
  const size_t at = static_cast<size_t>(id);
  if (at >= taken_.size()) {
    taken_.resize(at + 1);
    table_.entries.resize(at + 1);
  }
  check(!taken_[at], Code::bad_checkpoint, where, ": id ", id, " is used twice", kFetchAgain);
  check(table_.by_name.emplace(content, id).second, Code::bad_checkpoint, where, ": \"", content,
        "\" is listed twice", kFetchAgain);
  taken_[at] = true;
  return table_.entries[at];
}

void Reader::read_vocabulary() {
  const json& vocab = value_of(*model_, "vocab");
  check(vocab.is_object() && !vocab.empty(), Code::bad_checkpoint, name_,
        ": model.vocab is missing or empty", kFetchAgain);
  expected_ = vocab.size() + value_of(root_, "added_tokens").size();
  for (const auto& [spelling, value] : vocab.items()) {
    const std::string where = name_ + ": model.vocab[\"" + spelling + "\"]";
    const int32_t id = checked_id(value, expected_, where);
    claim(id, spelling, where).bytes = unspell_bytes(spelling).value_or(spelling);
  }
  table_.base = table_.by_name;
}

AddedToken Reader::added_token(const json& value, const std::string& where) {
  AddedToken token;
  token.content = value.at("content").get<std::string>();
  check(!token.content.empty(), Code::bad_checkpoint, where, ": the content is empty", kFetchAgain);
  token.id = checked_id(value.at("id"), expected_, where);
  token.single_word = flag(value, "single_word");
  token.lstrip = flag(value, "lstrip");
  token.rstrip = flag(value, "rstrip");
  token.normalized = flag(value, "normalized");
  token.special = flag(value, "special");
  const auto base = table_.base.find(token.content);
  if (base == table_.base.end()) {
    claim(token.id, token.content, where);
  } else {
    check(base->second == token.id, Code::bad_checkpoint, where, ": \"", token.content,
          "\" has id ", token.id, " here and ", base->second, " in model.vocab", kFetchAgain);
  }
  // Its content is text, not spelled bytes. The reference reads it as spelled bytes when it can and
  // so decodes the added token "ü" of DeepSeek's tables to the broken byte FC; here it is "ü".
  table_.entries[static_cast<size_t>(token.id)] = {token.content, token.special};
  return token;
}

void Reader::read_added_tokens() {
  const json& list = value_of(root_, "added_tokens");
  check(list.is_null() || list.is_array(), Code::bad_checkpoint, name_,
        ": added_tokens is not a list", kFetchAgain);
  std::vector<AddedToken> tokens;
  std::unordered_map<std::string, size_t> seen;
  for (size_t i = 0; i < list.size(); ++i) {
    const std::string where = name_ + ": added_tokens[" + std::to_string(i) + "]";
    tokens.push_back(added_token(list[i], where));
    check(seen.emplace(tokens.back().content, i).second, Code::bad_checkpoint, where, ": \"",
          tokens.back().content, "\" is listed twice", kFetchAgain);
  }
  table_.added = AddedTokens(std::move(tokens));
}

// Bytes that the table lacks are left out of the ids, as the reference does: published tables lack
// exactly those that never occur in UTF-8. What else the reference might do then is not known here.
void Reader::read_bytes() {
  bool complete = true;
  for (uint32_t b = 0; b < 256; ++b) {
    const auto found = table_.base.find(spell_bytes(std::string(1, static_cast<char>(b))));
    table_.byte_ids[b] = found == table_.base.end() ? -1 : found->second;
    const bool in_utf8 = b < 0xC0 || (b > 0xC1 && b < 0xF5);
    if (in_utf8 && found == table_.base.end()) complete = false;
  }
  const bool fallback = flag(*model_, "byte_fallback") || !value_of(*model_, "unk_token").is_null();
  check(complete || !fallback, Code::not_supported, name_,
        ": model.vocab lacks single bytes and replaces them by an unknown token; only tables "
        "with all bytes are known");
}

void Reader::add_merge(const std::string& left, const std::string& right, size_t rank) {
  const auto id_of = [&](const std::string& spelling) {
    const auto found = table_.base.find(spelling);
    check(found != table_.base.end(), Code::bad_checkpoint, name_, ": model.merges[", rank,
          "] needs \"", spelling, "\", which model.vocab lacks", kFetchAgain);
    return found->second;
  };
  const int32_t merged = id_of(left + right);
  table_.merges.add(id_of(left), id_of(right), {static_cast<int32_t>(rank), merged});
}

void Reader::read_merges() {
  const json& merges = value_of(*model_, "merges");
  check(merges.is_array() && merges.size() < INT32_MAX, Code::bad_checkpoint, name_,
        ": model.merges is missing", kFetchAgain);
  table_.merges = MergeTable(merges.size());
  for (size_t rank = 0; rank < merges.size(); ++rank) {
    const json& merge = merges[rank];
    if (merge.is_string()) {
      const std::string& pair = merge.get_ref<const std::string&>();
      const size_t space = pair.find(' ');
      check(space != std::string::npos && pair.find(' ', space + 1) == std::string::npos,
            Code::bad_checkpoint, name_, ": model.merges[", rank, "] is \"", pair,
            "\", not two entries with a space between", kFetchAgain);
      add_merge(pair.substr(0, space), pair.substr(space + 1), rank);
    } else {
      check(merge.is_array() && merge.size() == 2, Code::bad_checkpoint, name_, ": model.merges[",
            rank, "] is not a pair", kFetchAgain);
      add_merge(merge[0].get<std::string>(), merge[1].get<std::string>(), rank);
    }
  }
}

}  // namespace

Tokenizer::Table parse_tokenizer_table(std::string_view text, const std::string& name) {
  try {
    const json root = parse_json(std::string(text), name);
    return Reader(root, name).read();
  } catch (const json::exception& problem) {
    fail(Code::bad_checkpoint, name, ": ", problem.what(), kFetchAgain);
  }
}

}  // namespace janus
