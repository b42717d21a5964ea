// MMBench's prompt, columns and exact matching (VLMEvalKit, utils/matching_util.py), for four
// options at most. SPDX-License-Identifier: MIT
#include <algorithm>
#include <array>
#include <cctype>
#include <sstream>

#include "world/choices.h"
#include "world/wording.h"

namespace janus {
namespace {

constexpr int kTail = 5;  // a lone letter counts among the last words only

std::vector<std::string> turned_options(const ChoiceSample& sample, int turned) {
  std::vector<std::string> options;
  const size_t k = sample.options.size();
  for (size_t j = 0; j < k; ++j) {
    options.push_back(sample.options[(j + static_cast<size_t>(turned)) % k]);
  }
  return options;
}

std::optional<char> by_letter(const std::string& answer, size_t options, bool& none) {
  std::string spaced = answer;
  for (char& c : spaced) {
    if (std::string_view(".()[],:;!*#{}").find(c) != std::string_view::npos) c = ' ';
  }
  std::vector<std::string> words;
  std::istringstream stream(spaced);
  for (std::string word; stream >> word;) words.push_back(word);
  int letters = 0, first = -1;
  char letter = 0;
  for (size_t j = 0; j < options; ++j) {
    const std::string one(1, static_cast<char>('A' + j));
    const auto found = std::find(words.begin(), words.end(), one);
    if (found == words.end()) continue;
    ++letters;
    letter = one[0];
    first = static_cast<int>(found - words.begin());
  }
  none = letters == 0;
  if (letters == 1 && first > static_cast<int>(words.size()) - kTail) return letter;
  return std::nullopt;
}

std::optional<char> by_phrase(const std::string& answer, size_t options) {
  const std::string text = lower(answer);
  const size_t at = text.find("answer is");
  if (at == text.npos) return std::nullopt;
  const size_t letter = answer.find_first_not_of(" *", at + 9);
  if (letter == answer.npos) return std::nullopt;
  const char upper = static_cast<char>(std::toupper(static_cast<unsigned char>(answer[letter])));
  const bool ends =
      letter + 1 == answer.size() || !std::isalnum(static_cast<unsigned char>(answer[letter + 1]));
  if (!ends || upper < 'A' || upper >= static_cast<char>('A' + options)) return std::nullopt;
  return upper;
}

std::optional<char> by_content(const std::string& answer, const std::vector<std::string>& options) {
  const std::string text = lower(answer);
  size_t all = 0;
  for (const std::string& option : options) all += option.size();
  if (text.size() > 2 * all) return std::nullopt;
  std::optional<char> letter;
  for (size_t j = 0; j < options.size(); ++j) {
    if (text.find(lower(options[j])) == text.npos) continue;
    if (letter) return std::nullopt;
    letter = static_cast<char>('A' + j);
  }
  return letter;
}

}  // namespace

std::string choice_prompt(const ChoiceSample& sample, int turned) {
  std::string text = sample.question + '\n';
  char letter = 'A';
  for (const std::string& option : turned_options(sample, turned)) {
    text += std::string(1, letter++) + ". " + option + '\n';
  }
  return text + "Answer with the option's letter from the given choices directly.";
}

char choice_letter(const ChoiceSample& sample, int turned) {
  const auto k = static_cast<int>(sample.options.size());
  return static_cast<char>('A' + ((sample.answer - turned) % k + k) % k);
}

std::optional<char> chosen_letter(const std::string& answer,
                                  const std::vector<std::string>& options) {
  bool none = true;
  if (const auto letter = by_letter(answer, options.size(), none)) return letter;
  if (const auto letter = by_phrase(answer, options.size())) return letter;
  return by_content(answer, options);
}

std::string choice_row(const ChoiceSample& sample, Split split, uint64_t index) {
  std::string row = std::to_string(index) + '\t' + sample.question + "\t\t";
  for (size_t j = 0; j < 4; ++j) row += (j < sample.options.size() ? sample.options[j] : "") + '\t';
  return row + choice_letter(sample) + '\t' + sample.leaf + '\t' + sample.group + '\t' +
         std::string(split_name(split));
}

}  // namespace janus
