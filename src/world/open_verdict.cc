// The verdict on answers to open questions: of the words that decide the kind of question, the
// answer holds those of the truth and no others. SPDX-License-Identifier: MIT
#include <algorithm>
#include <array>
#include <set>

#include "world/tasks.h"
#include "world/wording.h"

namespace janus {
namespace {

// The words that decide an answer of some kind.
enum Words : unsigned {
  kClassWords = 1,
  kColourWords = 2,
  kNumberWords = 4,
  kCellWords = 8,
  kRelationWords = 16,
  kYesNoWords = 32,
  kBackdropWords = 64,
};

struct Kind {
  std::string_view name;
  unsigned words;
};

constexpr std::array<Kind, 10> kKinds = {{
    {"what", kClassWords | kColourWords},
    {"colour", kColourWords},
    {"count", kNumberWords},
    {"where", kCellWords},
    {"relation", kRelationWords},
    {"exists", kYesNoWords},
    {"shape", kClassWords},
    {"beside", kClassWords | kColourWords},
    {"bigger", kClassWords},
    {"backdrop", kBackdropWords},
}};

std::set<std::string_view> vocabulary(unsigned words) {
  std::set<std::string_view> set;
  if (words & kClassWords) {
    for (const ShapeName& shape : kShapes) set.insert(shape.one);
  }
  if (words & kColourWords) {
    for (const Colour& colour : kColours) set.insert(colour.name);
  }
  if (words & kNumberWords) set.insert({"zero", "one", "two", "three", "four"});
  if (words & kCellWords) set.insert({"top", "left", "middle", "right", "bottom"});
  if (words & kRelationWords) set.insert({"left", "right", "above", "below"});
  if (words & kYesNoWords) set.insert({"yes", "no"});
  if (words & kBackdropWords) {
    for (const Palette& palette : kPalettes) set.insert(palette.name);
    set.insert(kBackdrops.begin(), kBackdrops.end());
  }
  return set;
}

// The words of the vocabulary that `text` contains.
std::set<std::string> key_words(const std::string& text, const std::set<std::string_view>& known) {
  constexpr std::array<std::string_view, 5> kDigits = {"zero", "one", "two", "three", "four"};
  std::set<std::string> found;
  for (std::string word : words_of(lower(text))) {
    if (word.size() == 1 && word[0] >= '0' && word[0] <= '4') {
      word = kDigits[static_cast<size_t>(word[0] - '0')];
    }
    if (known.contains(word)) found.insert(word);
  }
  return found;
}

}  // namespace

bool answer_right(const std::string& answer, const AskSample& sample) {
  const auto kind = std::find_if(kKinds.begin(), kKinds.end(),
                                 [&](const Kind& k) { return k.name == sample.kind; });
  if (kind == kKinds.end()) return false;
  const std::set<std::string_view> known = vocabulary(kind->words);
  return key_words(answer, known) == key_words(sample.answer, known);
}

}  // namespace janus
