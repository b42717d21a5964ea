// Families that are computed, and the choice among all. Facts in tables are in world/talk_facts.h.
// SPDX-License-Identifier: MIT
#include "world/talk.h"

#include <algorithm>
#include <array>

#include "world/talk_facts.h"
#include "world/wording.h"

namespace janus {
namespace {

constexpr double kOutside = .15, kReply = .10, kFact = .40;  // of training; the rest is computed
constexpr int kMost = 20;                                    // of sums

using Phrasings = std::array<std::string_view, 6>;

// One sample in the making.
class Talk {
 public:
  Talk(Philox& random, Split split) : random_(random), split_(split) {}

  void refuse();
  void reply();
  void fact();
  void compute();

  TalkSample sample;

 private:
  int number(int low, int high) { return low + random_.below(high - low + 1); }
  std::string_view any_class() { return shape_name(random_.below(kShapeCount)).one; }
  void say(std::string_view family, Words list, const Gaps& gaps, std::string answer);

  void add();
  void subtract();
  void add_twice();
  void twice();
  void after();
  void before();
  void count_on();
  void larger();
  void smaller();
  void order();
  void alphabet();
  void letters();
  void first_letter();
  void last_letter();
  void even();
  void repeat();
  void bigger_thing();
  void smaller_thing();
  void known();
  void plural_then();

  Philox& random_;
  Split split_;
};

void Talk::say(std::string_view family, Words list, const Gaps& gaps, std::string answer) {
  const Phrasing phrasing = choose_phrasing(random_, split_, list);
  std::string question = fill(phrasing.text, gaps);
  if (split_ == Split::train) question = as_typed(random_, question);
  sample.family = family;
  sample.held |= phrasing.held;
  sample.turns.push_back({std::move(question), std::move(answer)});
}

void Talk::refuse() {
  const auto all = outside_frames();
  const OutsideFrames& frames =
      all[static_cast<size_t>(random_.below(static_cast<int>(all.size())))];
  const auto subject =
      frames.subjects[static_cast<size_t>(random_.below(static_cast<int>(frames.subjects.size())))];
  say("refusal", frames.frames, {{"x", std::string(subject)}}, std::string(kRefusal));
}

void Talk::reply() {
  const auto all = reply_families();
  const ReplyFamily& family = all[static_cast<size_t>(random_.below(static_cast<int>(all.size())))];
  say(family.name, family.phrasings, {}, std::string(family.answer));
}

void Talk::fact() {
  const auto all = fact_families();
  const FactFamily& family = all[static_cast<size_t>(random_.below(static_cast<int>(all.size())))];
  const Entry& entry =
      family.entries[static_cast<size_t>(random_.below(static_cast<int>(family.entries.size())))];
  say(family.name, family.phrasings, {{"x", std::string(entry.first)}}, std::string(entry.second));
}

void Talk::add() {
  static constexpr Phrasings kWords = {"what is {a} plus {b}?",  "{a} + {b} = ?",
                                       "add {a} and {b}",        "how much is {a} plus {b}?",
                                       "{a} and {b} make what?", "what do {a} and {b} add up to?"};
  const int sum = number(0, kMost), a = number(0, sum);
  say("add", kWords, {{"a", std::to_string(a)}, {"b", std::to_string(sum - a)}},
      std::to_string(sum));
}

void Talk::subtract() {
  static constexpr Phrasings kWords = {
      "what is {a} minus {b}?",     "{a} - {b} = ?",         "take {b} from {a}",
      "how much is {a} minus {b}?", "{a} less {b} is what?", "what is left of {a} without {b}?"};
  const int a = number(0, kMost), b = number(0, a);
  say("subtract", kWords, {{"a", std::to_string(a)}, {"b", std::to_string(b)}},
      std::to_string(a - b));
}

void Talk::add_twice() {
  static constexpr Phrasings kMore = {"add {c} to that", "and {c} more?",      "now add {c}",
                                      "plus {c}?",       "and with {c} more?", "that and {c}?"};
  add();
  const int sum = std::stoi(sample.turns.back().answer), more = number(0, kMost - sum);
  say("add_twice", kMore, {{"c", std::to_string(more)}}, std::to_string(sum + more));
}

void Talk::twice() {
  static constexpr Phrasings kWords = {"what is twice {a}?", "double {a}",
                                       "two times {a}?",     "how much is two times {a}?",
                                       "{a} doubled?",       "what is the double of {a}?"};
  const int a = number(0, kMost / 2);
  say("twice", kWords, {{"a", std::to_string(a)}}, std::to_string(2 * a));
}

void Talk::after() {
  static constexpr Phrasings kWords = {
      "which number comes after {a}?", "what follows {a}?", "the number after {a}?",
      "what is next after {a}?",       "count on from {a}", "{a}, and then?"};
  const int a = number(0, kMost - 1);
  say("after", kWords, {{"a", std::to_string(a)}}, std::to_string(a + 1));
}

void Talk::before() {
  static constexpr Phrasings kWords = {
      "which number comes before {a}?", "what is before {a}?", "the number before {a}?",
      "what comes just before {a}?",    "count back from {a}", "one less than {a}?"};
  const int a = number(1, kMost);
  say("before", kWords, {{"a", std::to_string(a)}}, std::to_string(a - 1));
}

void Talk::count_on() {
  static constexpr Phrasings kWords = {"complete: {x}, ...", "what comes next: {x}?",
                                       "go on: {x}",         "continue {x}",
                                       "next after {x}?",    "{x}: what is next?"};
  const int step = number(1, 3), a = number(0, kMost - 3 * step);
  say("count_on", kWords,
      {{"x",
        std::to_string(a) + ", " + std::to_string(a + step) + ", " + std::to_string(a + 2 * step)}},
      std::to_string(a + 3 * step));
}

void Talk::larger() {
  static constexpr Phrasings kWords = {
      "which is larger, {a} or {b}?",         "is {a} or {b} more?",
      "which number is greater, {a} or {b}?", "{a} or {b}: which is more?",
      "tell me the larger of {a} and {b}",    "of {a} and {b}, which is larger?"};
  const int a = number(0, kMost), b = (a + number(1, kMost)) % (kMost + 1);
  say("larger", kWords, {{"a", std::to_string(a)}, {"b", std::to_string(b)}},
      std::to_string(std::max(a, b)));
}

void Talk::smaller() {
  static constexpr Phrasings kWords = {
      "which is less, {a} or {b}?", "which number is smaller, {a} or {b}?",
      "{a} or {b}: which is less?", "tell me the smaller of {a} and {b}",
      "is {a} or {b} less?",        "of {a} and {b}, which is smaller?"};
  const int a = number(0, kMost), b = (a + number(1, kMost)) % (kMost + 1);
  say("smaller", kWords, {{"a", std::to_string(a)}, {"b", std::to_string(b)}},
      std::to_string(std::min(a, b)));
}

template <class Item>
std::string joined(const std::vector<Item>& items) {
  std::string text;
  for (const Item& item : items) {
    if (!text.empty()) text += ", ";
    if constexpr (std::is_same_v<Item, int>) {
      text += std::to_string(item);
    } else {
      text += item;
    }
  }
  return text;
}

void Talk::order() {
  static constexpr Phrasings kWords = {"sort {x}",
                                       "put in order: {x}",
                                       "order these numbers: {x}",
                                       "from small to large: {x}",
                                       "sort these: {x}",
                                       "bring {x} into order"};
  std::vector<int> numbers;
  for (int n = number(3, 5); n > 0; --n) numbers.push_back(number(0, kMost));
  const std::string given = joined(numbers);
  std::sort(numbers.begin(), numbers.end());
  say("order", kWords, {{"x", given}}, joined(numbers));
}

void Talk::alphabet() {
  static constexpr Phrasings kWords = {
      "sort these words: {x}", "order by the alphabet: {x}",        "put these words in order: {x}",
      "from a to z: {x}",      "bring these words into order: {x}", "alphabetical order of {x}?"};
  std::vector<std::string> words;
  while (words.size() < 3) {
    const std::string word(any_class());
    if (std::find(words.begin(), words.end(), word) == words.end()) words.push_back(word);
  }
  const std::string given = joined(words);
  std::sort(words.begin(), words.end());
  say("alphabet", kWords, {{"x", given}}, joined(words));
}

void Talk::letters() {
  static constexpr Phrasings kWords = {"how many letters are in {x}?",  "count the letters of {x}",
                                       "how long is the word {x}?",     "how many letters has {x}?",
                                       "the number of letters in {x}?", "{x}: how many letters?"};
  const std::string word(any_class());
  say("letters", kWords, {{"x", word}}, std::to_string(word.size()));
}

void Talk::first_letter() {
  static constexpr Phrasings kWords = {
      "what is the first letter of {x}?",  "the first letter of {x}?",
      "which letter does {x} begin with?", "{x} begins with which letter?",
      "tell me the first letter of {x}",   "how does {x} begin?"};
  const std::string word(any_class());
  say("first_letter", kWords, {{"x", word}}, word.substr(0, 1));
}

void Talk::last_letter() {
  static constexpr Phrasings kWords = {
      "what is the last letter of {x}?", "the last letter of {x}?",
      "which letter does {x} end with?", "{x} ends with which letter?",
      "tell me the last letter of {x}",  "how does {x} end?"};
  const std::string word(any_class());
  say("last_letter", kWords, {{"x", word}}, word.substr(word.size() - 1));
}

void Talk::even() {
  static constexpr Phrasings kWords = {
      "is {a} even or odd?",     "is {a} odd or even?",           "even or odd: {a}?",
      "{a}: is it even or odd?", "tell me if {a} is even or odd", "is the number {a} even or odd?"};
  const int a = number(0, kMost);
  say("even", kWords, {{"a", std::to_string(a)}}, a % 2 == 0 ? "even" : "odd");
}

void Talk::repeat() {
  static constexpr Phrasings kWords = {"repeat after me: {x}", "say {x}",
                                       "please say {x}",       "repeat: {x}",
                                       "say after me: {x}",    "repeat these words: {x}"};
  // One by one: the operands of + are evaluated in an order that the compiler picks.
  std::string words(colour_name(random_.below(kColourCount)));
  words += ' ';
  words += any_class();
  // Phrases of held-out pairs are no words of training, not even without a picture.
  const std::string alone(any_class());
  say("repeat", kWords, {{"x", split_ == Split::train ? alone : words}},
      split_ == Split::train ? alone : words);
}

void Talk::bigger_thing() {
  static constexpr Phrasings kWords = {
      "which is bigger, {a} or {b}?",        "is {a} or {b} bigger?",
      "what is bigger, {a} or {b}?",         "{a} or {b}: which is bigger?",
      "tell me which is bigger, {a} or {b}", "of {a} and {b}, which is bigger?"};
  const Words things = things_by_size();
  const int n = static_cast<int>(things.size()), i = random_.below(n);
  const int j = (i + 1 + random_.below(n - 1)) % n;
  const auto at = [&](int k) { return std::string(things[static_cast<size_t>(k)]); };
  say("bigger", kWords, {{"a", at(i)}, {"b", at(j)}}, at(std::max(i, j)));
}

void Talk::smaller_thing() {
  static constexpr Phrasings kWords = {
      "which is smaller, {a} or {b}?",        "is {a} or {b} smaller?",
      "what is smaller, {a} or {b}?",         "{a} or {b}: which is smaller?",
      "tell me which is smaller, {a} or {b}", "of {a} and {b}, which is smaller?"};
  const Words things = things_by_size();
  const int n = static_cast<int>(things.size()), i = random_.below(n);
  const int j = (i + 1 + random_.below(n - 1)) % n;
  const auto at = [&](int k) { return std::string(things[static_cast<size_t>(k)]); };
  say("tinier", kWords, {{"a", at(i)}, {"b", at(j)}}, at(std::min(i, j)));
}

void Talk::known() {
  static constexpr Phrasings kWords = {"do you know what a {x} is?", "can you draw a {x}?",
                                       "is a {x} in your world?",    "have you seen a {x}?",
                                       "do you know a {x}?",         "would you know a {x}?"};
  static constexpr std::array<std::string_view, 12> kUnknown = {
      "dragon", "robot", "piano", "horse", "bridge", "ship",
      "castle", "lamp",  "chair", "table", "dog",    "spoon"};
  const bool yes = random_.chance(.5);
  const auto word = yes ? any_class() : kUnknown[static_cast<size_t>(random_.below(12))];
  say("known", kWords, {{"x", std::string(word)}}, yes ? "yes" : "no");
}

void Talk::plural_then() {
  static constexpr Phrasings kWords = {
      "how many letters are in {x}?",  "count the letters of {x}", "how many letters has {x}?",
      "the number of letters in {x}?", "{x}: how many letters?",   "how long is the word {x}?"};
  static constexpr Phrasings kThen = {"and its first letter?",     "and what does it begin with?",
                                      "what is its first letter?", "and the first letter?",
                                      "its first letter?",         "how does it begin?"};
  const std::string word(any_class());
  say("letters_then", kWords, {{"x", word}}, std::to_string(word.size()));
  say("letters_then", kThen, {}, word.substr(0, 1));
}

void Talk::compute() {
  static constexpr std::array<void (Talk::*)(), 20> kAll = {
      &Talk::add,          &Talk::subtract,      &Talk::add_twice, &Talk::twice,
      &Talk::after,        &Talk::before,        &Talk::count_on,  &Talk::larger,
      &Talk::smaller,      &Talk::order,         &Talk::alphabet,  &Talk::letters,
      &Talk::first_letter, &Talk::last_letter,   &Talk::even,      &Talk::repeat,
      &Talk::bigger_thing, &Talk::smaller_thing, &Talk::known,     &Talk::plural_then};
  (this->*kAll[static_cast<size_t>(random_.below(static_cast<int>(kAll.size())))])();
}

}  // namespace

TalkSample talk_sample(Split split, uint64_t index) {
  Philox random = world_stream(split, "talk", index);
  Talk talk(random, split);
  const bool training = split == Split::train;
  const double at = training ? random.uniform() : random.uniform(kOutside, 1);
  const bool outside = training ? at < kOutside : index % 5 == 0;
  if (outside) {
    talk.refuse();
  } else if (at < kOutside + kReply) {
    talk.reply();
  } else if (at < kOutside + kReply + kFact) {
    talk.fact();
  } else {
    talk.compute();
  }
  return talk.sample;
}

bool says_the_same(const std::string& answer, const std::string& truth) {
  return words_of(lower(answer)) == words_of(lower(truth));
}

}  // namespace janus
