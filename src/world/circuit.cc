// A circuit's wiring: drawing one at random, its text in one canonical form, the reading of texts,
// and what flows. The picture is in world/circuit_layout.cc. SPDX-License-Identifier: MIT
#include "world/circuit.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <sstream>

#include "world/letters.h"
#include "world/wording.h"

namespace janus {
namespace {

constexpr std::array<double, 4> kElements = {.08, .22, .3, .4};  // one to four
constexpr double kParallel = .65;                                // where there are two or more
constexpr int kLoopSlots = 5, kSideSlots = 2;                    // without and with branches
constexpr std::array<double, 3> kComponents = {.3, .4, .3};      // of each
constexpr std::string_view kSigns = "RLS";
constexpr int kDeepest = 8;  // brackets of a text

bool is_load(const Element& element) { return element.component != Component::switch_; }

bool has_load(const std::vector<Element>& elements) {
  return std::any_of(elements.begin(), elements.end(), is_load);
}

Element draw_element(Philox& random, char letter) {
  Element element{letter, static_cast<Component>(pick(random, kComponents)), false, 0};
  element.open = element.component == Component::switch_ && random.chance(.5);
  return element;
}

bool is_sound(const Circuit& circuit) {
  const auto& [one, other] = circuit.branches;
  return one.empty() ? has_load(circuit.series) : has_load(one) && has_load(other);
}

// Slots in the order of the elements along the loop.
void draw_slots(Philox& random, std::vector<Element>& series, int slots) {
  std::vector<int> free;
  for (int i = 0; i < slots; ++i) free.push_back(i);
  shuffle(random, free);
  free.resize(series.size());
  std::sort(free.begin(), free.end());
  for (size_t i = 0; i < series.size(); ++i) series[i].slot = free[i];
}

Wiring chain(const std::vector<Element>& elements) {
  Wiring whole{Wiring::Kind::series, {}, {}};
  for (const Element& element : elements) {
    whole.parts.push_back({Wiring::Kind::element, element, {}});
  }
  return whole;
}

// Without series of series, parallels of parallels, and groups of one.
Wiring flat(const Wiring& wiring) {
  if (wiring.kind == Wiring::Kind::element) return wiring;
  Wiring whole{wiring.kind, {}, {}};
  for (const Wiring& part : wiring.parts) {
    Wiring next = flat(part);
    if (next.kind == whole.kind) {
      whole.parts.insert(whole.parts.end(), next.parts.begin(), next.parts.end());
    } else {
      whole.parts.push_back(std::move(next));
    }
  }
  return whole.parts.size() == 1 ? whole.parts.front() : whole;
}

std::string written(const Wiring& wiring) {
  if (wiring.kind == Wiring::Kind::element) {
    const Element& e = wiring.element;
    std::string text{kSigns[static_cast<size_t>(e.component)], ' ', e.letter};
    if (e.component == Component::switch_) text += e.open ? " open" : " closed";
    return text;
  }
  std::vector<std::pair<char, std::string>> parts;  // by their least letters
  for (const Wiring& part : wiring.parts) {
    char least = 'Z';
    for (const Element& e : elements_of(part)) least = std::min(least, e.letter);
    parts.emplace_back(least, written(part));
  }
  std::sort(parts.begin(), parts.end());
  std::string text;
  for (const auto& [letter, words] : parts) text += (text.empty() ? "" : " , ") + words;
  return (wiring.kind == Wiring::Kind::series ? "series ( " : "parallel ( ") + text + " )";
}

// Reads the words of a text, brackets and commas among them.
class Reader {
 public:
  explicit Reader(const std::string& text) {
    std::string spaced;
    for (const char c : text) {
      const bool mark = c == '(' || c == ')' || c == ',';
      spaced += mark ? std::string{' ', c, ' '} : std::string(1, c);
    }
    std::istringstream stream(spaced);
    for (std::string word; stream >> word;) words_.push_back(word);
  }

  std::optional<Wiring> whole() {
    if (!take("source") || !take(",")) return std::nullopt;
    auto wiring = part(0);
    return at_ == words_.size() ? wiring : std::nullopt;
  }

 private:
  bool take(std::string_view word) {
    const bool there = at_ < words_.size() && words_[at_] == word;
    at_ += there;
    return there;
  }
  std::optional<Wiring> part(int depth) {
    if (take("series")) return group(Wiring::Kind::series, depth);
    if (take("parallel")) return group(Wiring::Kind::parallel, depth);
    return element();
  }
  std::optional<Wiring> group(Wiring::Kind kind, int depth) {
    if (depth == kDeepest || !take("(")) return std::nullopt;
    Wiring whole{kind, {}, {}};
    do {
      auto next = part(depth + 1);
      if (!next) return std::nullopt;
      whole.parts.push_back(std::move(*next));
    } while (take(","));
    return take(")") ? std::optional(whole) : std::nullopt;
  }
  std::optional<Wiring> element() {
    if (at_ + 1 >= words_.size()) return std::nullopt;
    const std::string &sign = words_[at_], &name = words_[at_ + 1];
    if (sign.size() != 1 || name.size() != 1) return std::nullopt;
    const size_t which = kSigns.find(sign[0]);
    if (which == kSigns.npos || kLetters.find(name[0]) == kLetters.npos) return std::nullopt;
    at_ += 2;
    Wiring wiring{Wiring::Kind::element, {name[0], static_cast<Component>(which)}, {}};
    if (wiring.element.component != Component::switch_) return wiring;
    wiring.element.open = take("open");
    return wiring.element.open || take("closed") ? std::optional(wiring) : std::nullopt;
  }

  std::vector<std::string> words_;
  size_t at_ = 0;
};

bool conducts(const Wiring& wiring) {
  if (wiring.kind == Wiring::Kind::element) return !wiring.element.open;
  if (wiring.kind == Wiring::Kind::series) {
    return std::all_of(wiring.parts.begin(), wiring.parts.end(), conducts);
  }
  return std::any_of(wiring.parts.begin(), wiring.parts.end(), conducts);
}

// Lamps of a part whose ends are joined to the source's.
void add_lit(const Wiring& wiring, std::set<char>& lit) {
  if (!conducts(wiring)) return;
  if (wiring.kind == Wiring::Kind::element && wiring.element.component == Component::lamp) {
    lit.insert(wiring.element.letter);
  }
  for (const Wiring& part : wiring.parts) add_lit(part, lit);
}

bool holds(const Wiring& wiring, char letter) {
  const std::vector<Element> all = elements_of(wiring);
  return std::any_of(all.begin(), all.end(), [&](const Element& e) { return e.letter == letter; });
}

}  // namespace

Circuit draw_circuit(Philox& random) {
  Circuit circuit;
  const int n = 1 + pick(random, kElements);
  const bool parallel = n > 1 && random.chance(kParallel);
  const int inside = parallel ? 2 + random.below(n - 1) : 0;
  const int first = inside == 4 ? 2 : inside > 0 ? 1 + random.below(inside - 1) : 0;
  const std::string letters = draw_letters(random, n);
  do {
    circuit.series.clear();
    for (auto& branch : circuit.branches) branch.clear();
    for (int i = 0; i < n; ++i) {
      auto& list = i >= inside ? circuit.series : circuit.branches[i < first ? 0 : 1];
      list.push_back(draw_element(random, letters[static_cast<size_t>(i)]));
    }
  } while (!is_sound(circuit));
  draw_slots(random, circuit.series, parallel ? kSideSlots : kLoopSlots);
  circuit.across = parallel && random.chance(.5);
  circuit.turned = random.below(8);
  circuit.hand = draw_hand(random);
  return circuit;
}

Wiring wiring_of(const Circuit& circuit) {
  Wiring whole = chain(circuit.series);
  if (!circuit.branches[0].empty()) {
    whole.parts.push_back(
        {Wiring::Kind::parallel, {}, {chain(circuit.branches[0]), chain(circuit.branches[1])}});
  }
  return whole;
}

std::string circuit_text(const Wiring& wiring) { return "source , " + written(flat(wiring)); }

std::optional<Wiring> parse_circuit(const std::string& text) { return Reader(text).whole(); }

std::vector<Element> elements_of(const Wiring& wiring) {
  if (wiring.kind == Wiring::Kind::element) return {wiring.element};
  std::vector<Element> all;
  for (const Wiring& part : wiring.parts) {
    for (const Element& element : elements_of(part)) all.push_back(element);
  }
  return all;
}

bool in_parallel(const Wiring& wiring, char one, char other) {
  for (const Wiring& part : wiring.parts) {
    if (holds(part, one) && holds(part, other)) return in_parallel(part, one, other);
  }
  return wiring.kind == Wiring::Kind::parallel;
}

std::set<char> lit_lamps(const Wiring& wiring) {
  std::set<char> lit;
  add_lit(wiring, lit);
  return lit;
}

Wiring with_switch(Wiring wiring, char letter, bool open) {
  if (wiring.element.letter == letter && wiring.element.component == Component::switch_) {
    wiring.element.open = open;
  }
  for (Wiring& part : wiring.parts) part = with_switch(std::move(part), letter, open);
  return wiring;
}

}  // namespace janus
