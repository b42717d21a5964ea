// See gguf_tokenizer.h. Keys and kinds of tokens: ggml-org/ggml, docs/gguf.md; what llama.cpp's
// converter makes of a byte-level table: ggml-org/llama.cpp, conversion/base.py.
// SPDX-License-Identifier: MIT
#include "io/gguf_tokenizer.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <unordered_set>
#include <vector>

#include "base/error.h"
#include "io/json.h"
#include "io/pretokenizer.h"
#include "io/special_tokens.h"
#include "io/tokenizer.h"
#include "io/utf8.h"

namespace janus {
namespace {

using OrderedJson = nlohmann::ordered_json;

constexpr const char* kWhole = "tokenizer.huggingface.json";
constexpr const char* kModel = "tokenizer.ggml.model";
constexpr const char* kPre = "tokenizer.ggml.pre";
constexpr const char* kTokens = "tokenizer.ggml.tokens";
constexpr const char* kTypes = "tokenizer.ggml.token_type";
constexpr const char* kMerges = "tokenizer.ggml.merges";

constexpr std::string_view kByteLevel = "gpt2";         // byte-level BPE
constexpr std::string_view kDeepseek = "deepseek-llm";  // how text is cut into pieces

enum TokenType { kNormal = 1, kControl = 3, kUserDefined = 4, kUnused = 5 };

// Tokens and their types by id.
struct Listed {
  std::vector<std::string> tokens;
  std::vector<int> types;

  explicit Listed(int64_t rows)
      : tokens(static_cast<size_t>(rows)), types(static_cast<size_t>(rows), kUnused) {
    for (size_t id = 0; id < tokens.size(); ++id) tokens[id] = "[PAD" + std::to_string(id) + "]";
  }
  void set(const nlohmann::json& id, const std::string& token, TokenType type) {
    tokens[id.get<size_t>()] = token;
    types[id.get<size_t>()] = type;
  }
};

std::vector<std::string> merges_of(const nlohmann::json& model) {
  std::vector<std::string> merges;
  for (const auto& merge : model.at("merges")) {
    merges.push_back(merge.is_string()
                         ? merge.get<std::string>()
                         : merge[0].get<std::string>() + " " + merge[1].get<std::string>());
  }
  return merges;
}

void add_special(GgufMetadata& metadata, const Tokenizer& tokenizer) {
  for (const auto& [key, token] :
       {std::pair{"bos", kBosToken}, {"eos", kEosToken}, {"padding", kPadToken}}) {
    const auto id = tokenizer.find(token);
    if (id) metadata.whole(std::string("tokenizer.ggml.") + key + "_token_id", *id);
  }
  metadata.flag("tokenizer.ggml.add_bos_token", true);
}

[[noreturn]] void refuse_kind(const GgufFile& file, const char* key, std::string_view value,
                              std::string_view known) {
  fail(Code::not_supported, file.name(), ": ", key, " is \"", value.substr(0, 60), "\"; only \"",
       known, "\" is known, and Janus has no other; is it another model?");
}

OrderedJson added_token(size_t id, std::string_view content, bool special) {
  return {{"id", id},        {"content", content},     {"single_word", false}, {"lstrip", false},
          {"rstrip", false}, {"normalized", !special}, {"special", special}};
}

// The lists of a file as the parts of a tokenizer.json.
std::string json_of_lists(const GgufFile& file) {
  const std::vector<std::string_view> tokens = file.texts(kTokens);
  const std::vector<int64_t> types = file.wholes(kTypes);
  check(types.empty() || types.size() == tokens.size(), Code::bad_checkpoint, file.name(), ": ",
        kTypes, " has ", types.size(), " entries for ", tokens.size(), " tokens; it is damaged");
  OrderedJson::object_t vocab;  // filled as the list it is: looking each key up is quadratic
  OrderedJson added = OrderedJson::array(), merges = OrderedJson::array();
  std::unordered_set<std::string_view> seen;  // added tokens; converters made some of them equal
  const auto check_text = [&](std::string_view text, const char* key) {
    check(valid_utf8_prefix(text) == text.size(), Code::bad_checkpoint, file.name(), ": ", key,
          " holds a text that is not UTF-8; it is damaged");
  };
  for (size_t id = 0; id < tokens.size(); ++id) {
    const int64_t type = types.empty() ? int64_t{kNormal} : types[id];
    check_text(tokens[id], kTokens);
    if (type == kNormal) vocab.emplace_back(std::string(tokens[id]), id);
    if (type != kControl && type != kUserDefined) continue;
    if (!tokens[id].empty() && seen.insert(tokens[id]).second) {
      added.push_back(added_token(id, tokens[id], type == kControl));
    }
  }
  for (const std::string_view merge : file.texts(kMerges)) {
    check_text(merge, kMerges);
    merges.push_back(merge);
  }
  const OrderedJson root = {{"version", "1.0"},
                            {"added_tokens", added},
                            {"pre_tokenizer", OrderedJson::parse(deepseek_pretokenizer())},
                            {"decoder", {{"type", "ByteLevel"}}},
                            {"model", {{"type", "BPE"}, {"vocab", vocab}, {"merges", merges}}}};
  return root.dump();
}

}  // namespace

void add_tokenizer(GgufMetadata& metadata, const std::string& tokenizer_json,
                   const std::string& name, int64_t rows) {
  const Tokenizer tokenizer = Tokenizer::parse(tokenizer_json, name);
  check(tokenizer.vocabulary() <= rows, Code::bad_checkpoint, name, ": has ids up to ",
        tokenizer.vocabulary() - 1, ", the model has ", rows,
        " rows of text; are the two from different models?");
  const nlohmann::json root = parse_json(tokenizer_json, name);
  Listed listed(rows);
  for (const auto& [token, id] : root.at("model").at("vocab").items()) {
    listed.set(id, token, kNormal);
  }
  const auto added = root.find("added_tokens");
  if (added != root.end() && added->is_array()) {
    for (const auto& token : *added) {
      const bool special = token.value("special", false);
      listed.set(token.at("id"), token.at("content"), special ? kControl : kUserDefined);
    }
  }
  metadata.text(kModel, kByteLevel);
  const nlohmann::json known = nlohmann::json::parse(deepseek_pretokenizer());
  if (root.at("pre_tokenizer") == known) metadata.text(kPre, kDeepseek);
  metadata.texts(kTokens, listed.tokens);
  metadata.wholes(kTypes, listed.types);
  metadata.texts(kMerges, merges_of(root.at("model")));
  add_special(metadata, tokenizer);
  metadata.text(kWhole, tokenizer_json);
}

std::string tokenizer_json(const GgufFile& file) {
  if (const auto whole = file.text(kWhole)) return std::string(*whole);
  const auto model = file.text(kModel);
  check(model.has_value(), Code::bad_checkpoint, file.name(), ": has no tokenizer (neither ",
        kWhole, " nor ", kModel, "); it is incomplete, convert the checkpoint again");
  if (*model != kByteLevel) refuse_kind(file, kModel, *model, kByteLevel);
  const std::string_view pre = file.text(kPre).value_or("");
  if (pre != kDeepseek) refuse_kind(file, kPre, pre, kDeepseek);
  return json_of_lists(file);
}

bool lists_token(const GgufFile& file, std::string_view token) {
  const std::vector<std::string_view> tokens = file.texts(kTokens);
  return std::find(tokens.begin(), tokens.end(), token) != tokens.end();
}

}  // namespace janus
