// The shares below are those of training texts; val and test texts are never varied.
// SPDX-License-Identifier: MIT
#include "world/wording.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <numeric>

namespace janus {
namespace {

constexpr double kBritish = .5, kNoArticle = .1, kWrongArticle = .02, kPlease = .05;
constexpr double kDigit = .3;
constexpr double kNoQuestionMark = .3, kFullStop = .2, kCapital = .3, kSlip = .03;

constexpr std::array<std::pair<std::string_view, std::string_view>, 3> kDigits = {
    {{"two ", "2 "}, {"three ", "3 "}, {"four ", "4 "}}};

// Beginnings of prompts and their shares in training; the others use the benchmark's own.
constexpr std::array<std::string_view, 6> kHeads = {"",      "a photo of ",  "a picture of ",
                                                    "draw ", "please draw ", "show me "};
constexpr std::array<double, 6> kHeadShares = {.35, .20, .20, .10, .07, .08};
constexpr std::string_view kBenchmarkHead = "a photo of ";

bool is_letter(char c) { return c >= 'a' && c <= 'z'; }

// Replaces the first occurrence, if there is one.
void replace_first(std::string& text, std::string_view from, std::string_view to) {
  const size_t at = text.find(from);
  if (at != text.npos) text.replace(at, from.size(), to);
}

void swap_article(std::string& text) {
  const bool spaced = text.find(" an ") != text.npos;
  if (spaced || text.starts_with("an ")) {
    replace_first(text, spaced ? " an " : "an ", spaced ? " a " : "a ");
  } else if (text.starts_with("a ")) {
    text.insert(1, 1, 'n');
  } else {
    replace_first(text, " a ", " an ");
  }
}

// One letter left out, doubled or replaced.
void slip(Philox& random, std::string& text) {
  const size_t at = static_cast<size_t>(random.below(static_cast<int>(text.size())));
  const int way = random.below(3);
  const char other = static_cast<char>('a' + random.below(26));
  if (!is_letter(text[at])) return;
  if (way == 0) {
    text.erase(at, 1);
  } else if (way == 1) {
    text.insert(at, 1, text[at]);
  } else {
    text[at] = other;
  }
}

}  // namespace

int pick(Philox& random, std::span<const double> weights) {
  const double at = random.uniform() * std::accumulate(weights.begin(), weights.end(), 0.0);
  double sum = 0;
  for (size_t i = 0; i + 1 < weights.size(); ++i) {
    sum += weights[i];
    if (at < sum) return static_cast<int>(i);
  }
  return static_cast<int>(weights.size()) - 1;
}

Phrasing choose_phrasing(Philox& random, Split split, std::span<const std::string_view> list) {
  const int all = static_cast<int>(list.size());
  const int seen = all - (all + 5) / 6;
  const int choice = random.below(split == Split::train ? seen : all);
  return {list[static_cast<size_t>(choice)], choice >= seen};
}

std::string fill(std::string_view text, const Gaps& gaps) {
  std::string filled(text);
  for (const auto& [gap, words] : gaps) {
    std::string marked = "{";
    marked.append(gap).append("}");
    replace_first(filled, marked, words);
  }
  return filled;
}

std::string as_typed(Philox& random, std::string text) {
  for (const auto& [word, digit] : kDigits) {
    if (text.find(word) != text.npos && random.chance(kDigit)) replace_first(text, word, digit);
  }
  if (random.chance(kBritish)) replace_first(text, "color", "colour");
  if (random.chance(kNoArticle)) replace_first(text, " the ", " ");
  if (random.chance(kWrongArticle)) swap_article(text);
  const bool question = text.back() == '?';
  if (question) text.pop_back();
  if (random.chance(kPlease)) text += " please";
  if (random.chance(kSlip)) slip(random, text);
  if (question && !random.chance(kNoQuestionMark)) text += '?';
  if (!question && random.chance(kFullStop)) text += '.';
  if (random.chance(kCapital) && is_letter(text[0])) text[0] = static_cast<char>(text[0] - 32);
  return text;
}

std::string with_head(Philox& random, Split split, const std::string& words) {
  if (split != Split::train) return std::string(kBenchmarkHead) + words;
  const std::string_view head = kHeads[static_cast<size_t>(pick(random, kHeadShares))];
  return as_typed(random, std::string(head) + words);
}

std::vector<std::string> words_of(std::string_view text) {
  std::vector<std::string> words(1);
  for (const char c : text) {
    if (std::isalnum(static_cast<unsigned char>(c))) {
      words.back() += c;
    } else if (!words.back().empty()) {
      words.emplace_back();
    }
  }
  if (words.back().empty()) words.pop_back();
  return words;
}

std::string lower(std::string_view text) {
  std::string small(text);
  std::ranges::transform(small, small.begin(),
                         [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return small;
}

}  // namespace janus
