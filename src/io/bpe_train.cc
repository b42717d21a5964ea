// See bpe_train.h. Sennrich et al. 2016, algorithm 1, with counts kept up to date instead of made
// anew: the most frequent pair of neighbours becomes an entry, until there are enough. Ids and ties
// are as in huggingface/tokenizers, models/bpe/trainer.rs, so both train the same table.
// SPDX-License-Identifier: MIT
#include "io/bpe_train.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <queue>
#include <span>
#include <utility>

#include "base/error.h"
#include "io/bpe.h"
#include "io/file.h"
#include "io/special_tokens.h"
#include "io/utf8.h"

namespace janus {

namespace {

using OrderedJson = nlohmann::ordered_json;

constexpr int32_t kBytes = 256;
constexpr int64_t kLeastCount = 2;  // a pair seen once says nothing about the next text

using Pair = std::pair<int32_t, int32_t>;

struct PairHash {
  size_t operator()(const Pair& pair) const {
    const uint64_t both =
        static_cast<uint64_t>(pair.first) << 32 | static_cast<uint32_t>(pair.second);
    return static_cast<size_t>(both * 0x9E3779B97F4A7C15u >> 16);
  }
};

struct Word {
  std::vector<int32_t> ids;
  int64_t count = 0;
};

struct PairState {
  int64_t count = 0;          // over all texts
  std::vector<size_t> words;  // where it may occur, ascending, some twice
};

struct Candidate {
  int64_t count = 0;
  Pair pair;
  bool operator<(const Candidate& other) const {  // the greatest goes first
    return count != other.count ? count < other.count : pair > other.pair;
  }
};

class Training {
 public:
  explicit Training(const std::unordered_map<std::string, int64_t>& pieces);
  void grow_to(size_t entries);
  const std::vector<std::string>& spellings() const { return spellings_; }
  const std::vector<Pair>& merges() const { return merges_; }

 private:
  void count(const Pair& pair, size_t word, int64_t change);
  void merge_in(size_t word, const Pair& pair, int32_t merged);
  int32_t entry(const std::string& spelling);
  void queue_touched();

  std::vector<Word> words_;
  std::vector<std::string> spellings_;            // by id
  std::unordered_map<std::string, int32_t> ids_;  // spelling -> id
  std::vector<Pair> merges_;
  std::unordered_map<Pair, PairState, PairHash> pairs_;
  std::priority_queue<Candidate> queue_;
  std::vector<Pair> touched_;  // gained occurrences since they were last queued
};

Training::Training(const std::unordered_map<std::string, int64_t>& pieces) {
  std::vector<std::pair<char32_t, uint8_t>> alphabet;
  for (int b = 0; b < kBytes; ++b) {
    alphabet.emplace_back(byte_letter(static_cast<uint8_t>(b)), static_cast<uint8_t>(b));
  }
  std::sort(alphabet.begin(), alphabet.end());
  std::array<int32_t, kBytes> byte_ids{};
  for (const auto& [letter, byte] : alphabet) {
    byte_ids[byte] = entry(spell_bytes(std::string(1, static_cast<char>(byte))));
  }
  std::vector<std::pair<std::string, int64_t>> sorted(pieces.begin(), pieces.end());
  std::sort(sorted.begin(), sorted.end());
  for (const auto& [piece, count] : sorted) {
    Word word{{}, count};
    for (const char byte : piece) word.ids.push_back(byte_ids[static_cast<uint8_t>(byte)]);
    words_.push_back(std::move(word));
  }
  for (size_t w = 0; w < words_.size(); ++w) {
    const std::vector<int32_t>& ids = words_[w].ids;
    for (size_t i = 0; i + 1 < ids.size(); ++i) count({ids[i], ids[i + 1]}, w, 1);
  }
  queue_touched();
}

// The id of a spelling, new or old: "ab" + "c" and "a" + "bc" make the same entry.
int32_t Training::entry(const std::string& spelling) {
  const auto [found, fresh] = ids_.emplace(spelling, static_cast<int32_t>(spellings_.size()));
  if (fresh) spellings_.push_back(spelling);
  return found->second;
}

// Notes that `pair` occurs `change` times more in `word`.
void Training::count(const Pair& pair, size_t word, int64_t change) {
  PairState& state = pairs_[pair];
  state.count += change * words_[word].count;
  if (change < 0) return;
  state.words.push_back(word);
  touched_.push_back(pair);
}

void Training::queue_touched() {
  std::sort(touched_.begin(), touched_.end());
  touched_.erase(std::unique(touched_.begin(), touched_.end()), touched_.end());
  for (const Pair& pair : touched_) {
    const int64_t count = pairs_[pair].count;
    if (count >= kLeastCount) queue_.push({count, pair});
  }
  touched_.clear();
}

void Training::merge_in(size_t index, const Pair& pair, int32_t merged) {
  std::vector<int32_t>& ids = words_[index].ids;
  size_t kept = 0;
  for (size_t i = 0; i < ids.size(); ++i) {
    const bool here = i + 1 < ids.size() && ids[i] == pair.first && ids[i + 1] == pair.second;
    if (!here) {
      ids[kept++] = ids[i];
      continue;
    }
    if (kept > 0) {
      count({ids[kept - 1], pair.first}, index, -1);
      count({ids[kept - 1], merged}, index, 1);
    }
    if (i + 2 < ids.size()) {
      count({pair.second, ids[i + 2]}, index, -1);
      count({merged, ids[i + 2]}, index, 1);
    }
    ids[kept++] = merged;
    ++i;
  }
  ids.resize(kept);
}

void Training::grow_to(size_t entries) {
  while (spellings_.size() < entries && !queue_.empty()) {
    const Candidate best = queue_.top();
    queue_.pop();
    PairState& state = pairs_[best.pair];
    if (state.count != best.count) {  // queued before some of its occurrences merged away
      if (state.count >= kLeastCount) queue_.push({state.count, best.pair});
      continue;
    }
    const auto [left, right] = best.pair;
    const int32_t merged =
        entry(spellings_[static_cast<size_t>(left)] + spellings_[static_cast<size_t>(right)]);
    merges_.push_back(best.pair);
    std::vector<size_t> words = std::move(state.words);
    words.erase(std::unique(words.begin(), words.end()), words.end());
    for (const size_t word : words) merge_in(word, best.pair, merged);
    pairs_.erase(best.pair);
    queue_touched();
  }
}

OrderedJson added_token_json(size_t id, const std::string& content) {
  return {{"id", id},        {"content", content},  {"single_word", false}, {"lstrip", false},
          {"rstrip", false}, {"normalized", false}, {"special", true}};
}

}  // namespace

BpeTrainer::BpeTrainer()
    : pretokenizer_(Pretokenizer::parse(nlohmann::json::parse(deepseek_pretokenizer()),
                                        "the built-in pre-tokeniser")) {}

void BpeTrainer::add(std::string_view text) {
  const size_t valid = valid_utf8_prefix(text);
  check(valid == text.size(), Code::bad_input, "a text to train on is not valid UTF-8 at byte ",
        valid, "; convert it to UTF-8 first");
  for (const std::string_view piece : pretokenizer_.split(text)) ++pieces_[std::string(piece)];
}

std::string BpeTrainer::train(int32_t entries, const std::vector<std::string>& added) const {
  check(entries >= kBytes, Code::bad_input, "a table of ", entries, " entries cannot hold the ",
        kBytes, " bytes; ask for more");
  Training training(pieces_);
  training.grow_to(static_cast<size_t>(entries));
  OrderedJson::object_t vocab;  // filled as the list it is: looking each key up is quadratic
  OrderedJson merges = OrderedJson::array();
  const std::vector<std::string>& spellings = training.spellings();
  for (size_t id = 0; id < spellings.size(); ++id) vocab.emplace_back(spellings[id], id);
  for (const auto& [left, right] : training.merges()) {
    merges.push_back({spellings[static_cast<size_t>(left)], spellings[static_cast<size_t>(right)]});
  }
  OrderedJson added_json = OrderedJson::array();
  for (const std::string& token : added) {
    added_json.push_back(added_token_json(spellings.size() + added_json.size(), token));
  }
  const OrderedJson root = {{"version", "1.0"},
                            {"truncation", nullptr},
                            {"padding", nullptr},
                            {"added_tokens", added_json},
                            {"normalizer", nullptr},
                            {"pre_tokenizer", OrderedJson::parse(deepseek_pretokenizer())},
                            {"post_processor", nullptr},
                            {"decoder",
                             {{"type", "ByteLevel"},
                              {"add_prefix_space", true},
                              {"trim_offsets", true},
                              {"use_regex", true}}},
                            {"model",
                             {{"type", "BPE"},
                              {"dropout", nullptr},
                              {"unk_token", nullptr},
                              {"continuing_subword_prefix", nullptr},
                              {"end_of_word_suffix", nullptr},
                              {"fuse_unk", false},
                              {"byte_fallback", false},
                              {"ignore_merges", false},
                              {"vocab", vocab},
                              {"merges", merges}}}};
  return root.dump(1) + "\n";
}

std::vector<std::string> janus_added_tokens() {
  std::vector<std::string> tokens;
  for (const std::string_view token : {kBosToken, kEosToken, kPadToken, kBeginImageToken,
                                       kEndImageToken, kImageToken, kUserToken, kAssistantToken}) {
    tokens.emplace_back(token);
  }
  return tokens;
}

void save_tokenizer_files(const std::filesystem::path& directory, const std::string& tokenizer_json,
                          int64_t context) {
  const auto save = [&](const char* name, const std::string& text) {
    write_atomically(directory / name, std::as_bytes(std::span(text)));
  };
  // The class that published checkpoints name; it adds the begin token and pads on the left.
  const OrderedJson config = {{"add_bos_token", true},  {"add_eos_token", false},
                              {"bos_token", kBosToken}, {"eos_token", kEosToken},
                              {"pad_token", kPadToken}, {"clean_up_tokenization_spaces", false},
                              {"legacy", true},         {"model_max_length", context},
                              {"padding_side", "left"}, {"tokenizer_class", "LlamaTokenizerFast"},
                              {"unk_token", nullptr}};
  const OrderedJson special = {
      {"additional_special_tokens",
       {kImageToken, kBeginImageToken, kEndImageToken, kUserToken, kAssistantToken}},
      {"bos_token", kBosToken},
      {"eos_token", kEosToken},
      {"pad_token", kPadToken}};
  save("tokenizer.json", tokenizer_json);
  save("tokenizer_config.json", config.dump(2) + "\n");
  save("special_tokens_map.json", special.dump(2) + "\n");
}

}  // namespace janus
