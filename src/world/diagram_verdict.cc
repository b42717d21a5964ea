// The verdict on answers about diagrams. A truth is a number, letters ("B and D", "none"), or yes
// or no; of the answer such words alone are looked at. SPDX-License-Identifier: MIT
#include <algorithm>
#include <array>
#include <cctype>
#include <set>

#include "world/diagram_tasks.h"
#include "world/letters.h"
#include "world/wording.h"
#include "world/yes_no.h"

namespace janus {
namespace {

constexpr std::array<std::string_view, 21> kNumbers = {
    "zero",     "one",     "two",     "three",     "four",     "five",     "six",
    "seven",    "eight",   "nine",    "ten",       "eleven",   "twelve",   "thirteen",
    "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen", "twenty"};

bool is_number(const std::string& word) {
  return !word.empty() && std::all_of(word.begin(), word.end(),
                                      [](unsigned char c) { return std::isdigit(c) != 0; });
}

// Numbers as digits without leading noughts.
std::set<std::string> numbers_in(const std::string& text) {
  std::set<std::string> found;
  for (const std::string& word : words_of(text)) {
    const auto named = std::find(kNumbers.begin(), kNumbers.end(), lower(word));
    if (named != kNumbers.end()) found.insert(std::to_string(named - kNumbers.begin()));
    if (is_number(word))
      found.insert(word.substr(std::min(word.find_first_not_of('0'), word.size() - 1)));
  }
  return found;
}

// Capitals that stand alone; a small letter where it is the whole answer.
std::set<char> letters_in(const std::string& text) {
  const std::vector<std::string> words = words_of(text);
  std::set<char> found;
  for (const std::string& word : words) {
    if (word.size() != 1) continue;
    const char c = words.size() == 1
                       ? static_cast<char>(std::toupper(static_cast<unsigned char>(word[0])))
                       : word[0];
    if (kLetters.find(c) != kLetters.npos) found.insert(c);
  }
  return found;
}

bool says_none(const std::string& text) {
  const std::vector<std::string> words = words_of(lower(text));
  return std::any_of(words.begin(), words.end(), [](const std::string& word) {
    return word == "none" || word == "no" || word == "nothing";
  });
}

bool answers(const std::string& truth, const std::string& answer) {
  if (truth == "yes" || truth == "no") {
    return yes_or_no(answer) == (truth == "yes" ? Verdict::yes : Verdict::no);
  }
  if (truth == "none") return says_none(answer) && letters_in(answer).empty();
  if (is_number(truth)) return numbers_in(answer) == std::set<std::string>{truth};
  return letters_in(answer) == letters_in(truth);
}

}  // namespace

double flow_grade(const std::string& kind, const std::string& truth, const std::string& answer) {
  if (kind == kWhole) return edge_f1(parse_flow(answer), parse_flow(truth));
  return answers(truth, answer) ? 1 : 0;
}

double chart_grade(const std::string& kind, const std::string& truth, const std::string& answer) {
  if (kind == kWhole) return value_accuracy(parse_chart(answer), parse_chart(truth));
  return answers(truth, answer) ? 1 : 0;
}

double circuit_grade(const std::string& kind, const std::string& truth, const std::string& answer) {
  if (kind == kWhole) return same_circuit(answer, truth) ? 1 : 0;
  return answers(truth, answer) ? 1 : 0;
}

bool same_flow(const std::string& one, const std::string& other) {
  return parse_flow(one) == parse_flow(other);
}

bool same_chart(const std::string& one, const std::string& other) {
  return parse_chart(one) == parse_chart(other);
}

bool same_circuit(const std::string& one, const std::string& other) {
  const auto first = parse_circuit(one), second = parse_circuit(other);
  return first && second && circuit_text(*first) == circuit_text(*second);
}

}  // namespace janus
