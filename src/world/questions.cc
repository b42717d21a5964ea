// Short open questions about scenes of up to two objects, asked only where the answer is unique,
// and the verdict on answers. Each kind draws its scene so that its answers come about equally
// often. SPDX-License-Identifier: MIT
#include <algorithm>
#include <array>
#include <cctype>
#include <set>

#include "world/layout.h"
#include "world/relation.h"
#include "world/tasks.h"
#include "world/wording.h"

namespace janus {
namespace {

using Phrasings = std::array<std::string_view, 6>;

constexpr Phrasings kWhat = {"what is in the picture?",
                             "what is this?",
                             "what do you see?",
                             "what does the picture show?",
                             "what can you see in the picture?",
                             "what is shown in the picture?"};
constexpr Phrasings kColour = {
    "what color is the {class}?",        "which color does the {class} have?",
    "what is the color of the {class}?", "the {class} is what color?",
    "tell me the color of the {class}",  "which color is the {class}?"};
constexpr Phrasings kCount = {
    "how many {plural} are there?",    "count the {plural}",
    "how many {plural} do you see?",   "how many {plural} are in the picture?",
    "what is the number of {plural}?", "how many {plural} can you see?"};
constexpr Phrasings kWhere = {"where is the {class}?",
                              "where is the {class} in the picture?",
                              "where can you see the {class}?",
                              "in which place is the {class}?",
                              "what is the place of the {class}?",
                              "in the picture, where is the {class}?"};
constexpr Phrasings kRelation = {"where is the {class} relative to the {other}?",
                                 "where is the {class} from the {other}?",
                                 "relative to the {other}, where is the {class}?",
                                 "how is the {class} placed relative to the {other}?",
                                 "seen from the {other}, where is the {class}?",
                                 "from the {other}, where is the {class}?"};
constexpr Phrasings kSideways = {"is the {class} left or right of the {other}?",
                                 "is the {class} right or left of the {other}?",
                                 "does the {class} lie left or right of the {other}?",
                                 "left or right of the {other}: where is the {class}?",
                                 "tell me, is the {class} left or right of the {other}?",
                                 "tell me, is the {class} right or left of the {other}?"};
constexpr Phrasings kUpright = {"is the {class} above or below the {other}?",
                                "is the {class} below or above the {other}?",
                                "does the {class} lie above or below the {other}?",
                                "above or below the {other}: where is the {class}?",
                                "tell me, is the {class} above or below the {other}?",
                                "tell me, is the {class} below or above the {other}?"};
constexpr Phrasings kExists = {"is there {a thing}?",
                               "do you see {a thing}?",
                               "is there {a thing} in the picture?",
                               "does the picture show {a thing}?",
                               "can you see {a thing}?",
                               "do you see {a thing} in the picture?"};
constexpr Phrasings kShape = {"what shape is {color}?",  "which object is {color}?",
                              "what is {color}?",        "what is {color} in the picture?",
                              "which shape is {color}?", "which object in the picture is {color}?"};
constexpr Phrasings kBeside = {
    "what is {relation} the {class}?",         "what do you see {relation} the {class}?",
    "which object is {relation} the {class}?", "what lies {relation} the {class}?",
    "tell me what is {relation} the {class}",  "which object lies {relation} the {class}?"};
constexpr Phrasings kBigger = {"which is bigger, the {class} or the {other}?",
                               "what is bigger, the {class} or the {other}?",
                               "is the {class} or the {other} bigger?",
                               "which object is bigger, the {class} or the {other}?",
                               "tell me which is bigger, the {class} or the {other}",
                               "which one is bigger, the {class} or the {other}?"};
constexpr Phrasings kBackdrop = {
    "what is the background like?",        "what is the background?",
    "how does the background look?",       "what does the background look like?",
    "tell me what the background is like", "how is the background?"};

constexpr std::array<std::string_view, 3> kNumbers = {"zero", "one", "two"};

constexpr double kSharedColour = .7;  // of two objects of one class
constexpr double kObjectsAtAll = .4;  // of the counting questions
constexpr double kOpenRelation = .5;  // of the relation questions
constexpr double kAbsentClass = .3;   // of the classes counted in a scene at hand
constexpr int kTries = 40;            // for one more question about a scene

// A scene and questions about it in the making.
class Asking {
 public:
  Asking(Philox& random, Split split) : random_(random), split_(split) {}

  // Each draws a scene that suits its question and asks it; false where the draw does not suit and
  // must be repeated.
  bool fresh_what() { return set_scene({any_object()}) && what(); }
  bool fresh_colour() { return one_or_two() && colour(); }
  bool fresh_count();
  bool fresh_where();
  bool fresh_relation() { return two_classes() && relation_between(); }
  bool fresh_exists() { return one_or_two() && exists(); }
  bool fresh_shape() { return one_or_two() && shape(); }
  bool fresh_beside() { return two_classes() && beside(); }
  bool fresh_bigger() { return two_classes() && bigger(); }
  bool fresh_backdrop() { return one_or_two() && backdrop(); }

  // Each asks about the scene at hand; false where the answer is not unique, or where training must
  // not see the words.
  bool what();
  bool colour();
  bool count();
  bool where();
  bool relation_between();
  bool exists();
  bool shape();
  bool beside();
  bool bigger();
  bool backdrop();

  AskSample sample;

 private:
  Pairs pairs() const { return split_ == Split::train ? Pairs::seen : Pairs::all; }
  Object any_object() { return draw_object(random_, pairs()); }
  // Backdrop and places for the objects; false if training must not see this scene.
  bool set_scene(std::vector<Object> objects);
  bool one_or_two();
  bool two_classes();
  const std::vector<Object>& objects() const { return sample.scene.objects; }
  const Object& either();
  bool is_there(bool with_colour, const Object& asked) const;
  // Whether training must not name the pair.
  bool hidden(bool with_colour, const Object& asked) const {
    return split_ == Split::train && with_colour && held_out(asked.shape, asked.colour);
  }
  bool fresh_count_of_objects();
  bool fresh_count_of_class();
  bool count_objects();
  bool count_class(int shape);
  bool where(const Object& object);
  // False if the text is held out of training by more than its phrasing.
  bool ask(const Phrasings& list, const Gaps& gaps, std::string answer, bool held = false);

  Philox& random_;
  Split split_;
};

std::string class_of(const Object& object) { return std::string(shape_name(object.shape).one); }
std::string colour_of(const Object& object) { return std::string(colour_name(object.colour)); }
std::string words_for(const Object& object) { return colour_of(object) + ' ' + class_of(object); }

bool Asking::set_scene(std::vector<Object> objects) {
  sample.scene.objects = std::move(objects);
  sample.held = false;
  for (const Object& object : sample.scene.objects) {
    const auto same = [&](const Object& other) { return other.shape == object.shape; };
    const auto count =
        std::count_if(sample.scene.objects.begin(), sample.scene.objects.end(), same);
    sample.held |= held_out(object.shape, object.colour) ||
                   held_out_count(object.shape, static_cast<int>(count));
  }
  draw_backdrop(random_, sample.scene);
  lay_out(random_, sample.scene);
  return split_ != Split::train || !sample.held;
}

bool Asking::one_or_two() {
  std::vector<Object> objects = {any_object()};
  if (random_.chance(.5)) objects.push_back(any_object());
  return set_scene(std::move(objects));
}

bool Asking::two_classes() {
  const Object first = any_object(), second = any_object();
  return first.shape != second.shape && set_scene({first, second});
}

// Any of the scene's objects; there must be one.
const Object& Asking::either() {
  return objects()[static_cast<size_t>(random_.below(static_cast<int>(objects().size())))];
}

bool Asking::ask(const Phrasings& list, const Gaps& gaps, std::string answer, bool held) {
  if (split_ == Split::train && held) return false;
  const Phrasing phrasing = choose_phrasing(random_, split_, list);
  sample.question = fill(phrasing.text, gaps);
  if (split_ == Split::train) sample.question = as_typed(random_, std::move(sample.question));
  sample.answer = std::move(answer);
  sample.held |= held || phrasing.held;
  return true;
}

bool Asking::what() {
  return objects().size() == 1 && ask(kWhat, {}, with_article(words_for(objects()[0])));
}

bool Asking::colour() {
  if (objects().empty()) return false;
  const Object& object = either();
  const auto same = [&](const Object& other) { return other.shape == object.shape; };
  return std::count_if(objects().begin(), objects().end(), same) == 1 &&
         ask(kColour, {{"class", class_of(object)}}, colour_of(object));
}

bool Asking::count_objects() {
  return ask(kCount, {{"plural", "objects"}}, std::string(kNumbers[objects().size()]));
}

bool Asking::count_class(int shape) {
  const auto is_one = [&](const Object& object) { return object.shape == shape; };
  const auto n = std::count_if(objects().begin(), objects().end(), is_one);
  return ask(kCount, {{"plural", std::string(shape_name(shape).many)}},
             std::string(kNumbers[static_cast<size_t>(n)]));
}

bool Asking::fresh_count_of_objects() {
  const int n = random_.below(3);
  std::vector<Object> objects;
  for (int i = 0; i < n; ++i) objects.push_back(any_object());
  return set_scene(std::move(objects)) && count_objects();
}

bool Asking::fresh_count_of_class() {
  const int n = random_.below(3);
  const Object first = any_object();
  Object second = any_object();
  std::vector<Object> objects;
  if (n == 2) {
    second.shape = first.shape;
    if (random_.chance(kSharedColour)) second.colour = first.colour;
    objects = {first, second};
  } else {
    if (second.shape == first.shape) return false;
    if (n == 1) objects = {first};
    if (n == 0 || random_.chance(.5)) objects.push_back(second);
  }
  return set_scene(std::move(objects)) && count_class(first.shape);
}

bool Asking::fresh_count() {
  return random_.chance(kObjectsAtAll) ? fresh_count_of_objects() : fresh_count_of_class();
}

bool Asking::count() {
  if (random_.chance(kObjectsAtAll)) return count_objects();
  const bool absent = objects().empty() || random_.chance(kAbsentClass);
  return count_class(absent ? any_object().shape : either().shape);
}

bool Asking::where(const Object& object) {
  const auto same = [&](const Object& other) { return other.shape == object.shape; };
  return std::count_if(objects().begin(), objects().end(), same) == 1 &&
         ask(kWhere, {{"class", class_of(object)}},
             std::string(kCells[static_cast<size_t>(cell_of(object))]));
}

bool Asking::fresh_where() {
  const int cell = random_.below(static_cast<int>(kCells.size()));
  Object object = any_object(), second = any_object();
  const bool alone = random_.chance(.5);
  if (!alone && second.shape == object.shape) return false;
  if (!set_scene(alone ? std::vector{object} : std::vector{object, second})) return false;
  while (cell_of(objects()[0]) != cell) lay_out(random_, sample.scene);
  return where(objects()[0]);
}

bool Asking::where() { return !objects().empty() && where(either()); }

bool Asking::relation_between() {
  if (objects().size() != 2) return false;
  const Object &subject = objects()[0], &reference = objects()[1];
  const auto holds = relation(subject, reference);
  if (!holds || subject.shape == reference.shape) return false;
  const bool sideways = *holds == Relation::left_of || *holds == Relation::right_of;
  const Phrasings& list =
      random_.chance(kOpenRelation) ? kRelation : (sideways ? kSideways : kUpright);
  return ask(list, {{"class", class_of(subject)}, {"other", class_of(reference)}},
             std::string(kRelations[static_cast<size_t>(*holds)]) + " it",
             held_out_relation(subject.shape, reference.shape));
}

bool Asking::is_there(bool with_colour, const Object& asked) const {
  return std::any_of(objects().begin(), objects().end(), [&](const Object& object) {
    return object.shape == asked.shape && (!with_colour || object.colour == asked.colour);
  });
}

bool Asking::exists() {
  if (objects().empty()) return false;
  const bool yes = random_.chance(.5), with_colour = random_.chance(.5);
  const bool near = random_.chance(.5);  // a wrong colour rather than a wrong object
  Object asked = either();
  // Repeating the choice, and not the sample, keeps yes and no even.
  while (!yes && (is_there(with_colour, asked) || hidden(with_colour, asked))) {
    if (with_colour && near) {
      asked.colour = random_.below(kColourCount);
    } else {
      asked = any_object();
    }
  }
  const std::string words = with_colour ? words_for(asked) : class_of(asked);
  return ask(kExists, {{"a thing", with_article(words)}}, yes ? "yes" : "no",
             with_colour && held_out(asked.shape, asked.colour));
}

bool Asking::shape() {
  if (objects().empty()) return false;
  const Object& object = either();
  const auto same = [&](const Object& other) { return other.colour == object.colour; };
  return std::count_if(objects().begin(), objects().end(), same) == 1 &&
         ask(kShape, {{"color", colour_of(object)}}, class_of(object));
}

bool Asking::beside() {
  if (objects().size() != 2) return false;
  const Object &subject = objects()[0], &reference = objects()[1];
  const auto holds = relation(subject, reference);
  if (!holds || subject.shape == reference.shape) return false;
  const std::string words(kRelations[static_cast<size_t>(*holds)]);
  return ask(kBeside, {{"relation", words}, {"class", class_of(reference)}}, words_for(subject),
             held_out_relation(subject.shape, reference.shape));
}

bool Asking::bigger() {
  if (objects().size() != 2) return false;
  const Object &first = objects()[0], &second = objects()[1];
  if (first.shape == second.shape) return false;
  if (!clearly_bigger(first, second) && !clearly_bigger(second, first)) return false;
  return ask(kBigger, {{"class", class_of(first)}, {"other", class_of(second)}},
             "the " + class_of(first.r > second.r ? first : second));
}

bool Asking::backdrop() {
  const Scene& scene = sample.scene;
  return ask(kBackdrop, {},
             std::string(kPalettes[static_cast<size_t>(scene.palette)].name) + ", " +
                 std::string(kBackdrops[static_cast<size_t>(scene.backdrop)]));
}

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
  double weight;
  bool (Asking::*draw)();   // with a scene of its own
  bool (Asking::*again)();  // about the scene at hand
  unsigned words;
};

constexpr std::array<Kind, 10> kKinds = {{
    {"what", 2, &Asking::fresh_what, &Asking::what, kClassWords | kColourWords},
    {"colour", 2, &Asking::fresh_colour, &Asking::colour, kColourWords},
    {"count", 1.5, &Asking::fresh_count, &Asking::count, kNumberWords},
    {"where", 1.5, &Asking::fresh_where, &Asking::where, kCellWords},
    {"relation", 1, &Asking::fresh_relation, &Asking::relation_between, kRelationWords},
    {"exists", 2, &Asking::fresh_exists, &Asking::exists, kYesNoWords},
    {"shape", 1, &Asking::fresh_shape, &Asking::shape, kClassWords},
    {"beside", 1, &Asking::fresh_beside, &Asking::beside, kClassWords | kColourWords},
    {"bigger", 1, &Asking::fresh_bigger, &Asking::bigger, kClassWords},
    {"backdrop", 1, &Asking::fresh_backdrop, &Asking::backdrop, kBackdropWords},
}};

const Kind& pick_kind(Philox& random) {
  std::array<double, kKinds.size()> weights;
  std::transform(kKinds.begin(), kKinds.end(), weights.begin(),
                 [](const Kind& kind) { return kind.weight; });
  return kKinds[static_cast<size_t>(pick(random, weights))];
}

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
  std::string word;
  for (const char raw : text + ' ') {
    const unsigned char c = static_cast<unsigned char>(raw);
    if (std::isalnum(c)) {
      word += static_cast<char>(std::tolower(c));
      continue;
    }
    if (word.size() == 1 && word[0] >= '0' && word[0] <= '4') {
      word = kDigits[static_cast<size_t>(word[0] - '0')];
    }
    if (known.contains(word)) found.insert(word);
    word.clear();
  }
  return found;
}

}  // namespace

std::vector<AskSample> ask_dialogue(Split split, uint64_t index, int turns) {
  Philox random = world_stream(split, "ask", index);
  const Kind& kind = pick_kind(random);
  Asking asking(random, split);
  while (!(asking.*kind.draw)()) {
  }
  asking.sample.kind = kind.name;
  std::vector<AskSample> samples = {asking.sample};
  for (int tries = 0; tries < kTries && static_cast<int>(samples.size()) < turns; ++tries) {
    const Kind& next = pick_kind(random);
    const auto is_next = [&](const AskSample& sample) { return sample.kind == next.name; };
    if (std::any_of(samples.begin(), samples.end(), is_next)) continue;
    if (!(asking.*next.again)()) continue;
    asking.sample.kind = next.name;
    samples.push_back(asking.sample);
  }
  return samples;
}

AskSample ask_sample(Split split, uint64_t index) {
  return std::move(ask_dialogue(split, index, 1).front());
}

bool answer_right(const std::string& answer, const AskSample& sample) {
  const auto kind = std::find_if(kKinds.begin(), kKinds.end(),
                                 [&](const Kind& k) { return k.name == sample.kind; });
  if (kind == kKinds.end()) return false;
  const std::set<std::string_view> known = vocabulary(kind->words);
  return key_words(answer, known) == key_words(sample.answer, known);
}

}  // namespace janus
