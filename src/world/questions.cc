// Short open questions about scenes of up to two or up to four objects, asked only where the answer
// is unique. Each kind draws its scene so that its answers come about equally often. How they are
// put is in world/open_phrasings.h, the verdict in world/open_verdict.cc.
// SPDX-License-Identifier: MIT
#include <algorithm>
#include <array>

#include "world/layout.h"
#include "world/open_phrasings.h"
#include "world/relation.h"
#include "world/tasks.h"
#include "world/wording.h"

namespace janus {
namespace {

constexpr std::array<std::string_view, 5> kNumbers = {"zero", "one", "two", "three", "four"};

constexpr double kSharedColour = .7;  // of two objects of one class
constexpr double kObjectsAtAll = .4;  // of the counting questions
constexpr double kOpenRelation = .5;  // of the relation questions
constexpr double kAbsentClass = .3;   // of the classes counted in a scene at hand
constexpr int kTries = 40;            // for one more question about a scene

// A scene and questions about it in the making.
class Asking {
 public:
  Asking(Philox& random, Split split, int most) : random_(random), split_(split), most_(most) {}

  // Each draws a scene that suits its question and asks it; false where the draw does not suit and
  // must be repeated.
  bool fresh_what() { return set_scene({any_object()}) && what(); }
  bool fresh_colour() { return some_objects() && colour(); }
  bool fresh_count();
  bool fresh_where();
  bool fresh_relation() { return several() && relation_between(); }
  bool fresh_exists() { return some_objects() && exists(); }
  bool fresh_shape() { return some_objects() && shape(); }
  bool fresh_beside() { return several() && beside(); }
  bool fresh_bigger() { return several() && bigger(); }
  bool fresh_backdrop() { return some_objects() && backdrop(); }

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
  bool some_objects();
  bool several();  // of two classes at least
  // Two objects, each the only one of its class; false where there are none.
  bool choose_two(const Object*& first, const Object*& second);
  bool alone_of_class(const Object& object) const;
  const std::vector<Object>& objects() const { return sample.scene.objects; }
  const Object& either();
  bool is_there(bool with_colour, const Object& asked) const;
  // Whether training must not name the pair.
  bool hidden(bool with_colour, const Object& asked) const {
    return split_ == Split::train && with_colour && held_out(asked.shape, asked.colour);
  }
  bool fresh_count_of_objects();
  bool fresh_count_of_class();
  bool fresh_count_among(int n, const Object& first);  // n like the first, and others
  bool count_objects();
  bool count_class(int shape);
  bool where(const Object& object);
  // False if the text is held out of training by more than its phrasing.
  bool ask(const Phrasings& list, const Gaps& gaps, std::string answer, bool held = false);

  Philox& random_;
  Split split_;
  int most_;  // objects of a scene: 2, or kMostObjects
};

std::string class_of(const Object& object) { return std::string(shape_name(object.shape).one); }
std::string colour_of(const Object& object) { return std::string(colour_name(object.colour)); }
std::string words_for(const Object& object) { return colour_of(object) + ' ' + class_of(object); }

bool Asking::set_scene(std::vector<Object> objects) {
  sample.scene.objects = std::move(objects);
  sample.held = shows_held_out(sample.scene);
  draw_backdrop(random_, sample.scene);
  lay_out(random_, sample.scene);
  return split_ != Split::train || !sample.held;
}

bool Asking::some_objects() {
  std::vector<Object> objects = {any_object()};
  if (most_ == 2) {
    if (random_.chance(.5)) objects.push_back(any_object());
  } else {
    for (int more = draw_count(random_) - 1; more > 0; --more) objects.push_back(any_object());
  }
  return set_scene(std::move(objects));
}

bool Asking::several() {
  if (most_ == 2) {
    const Object first = any_object(), second = any_object();
    return first.shape != second.shape && set_scene({first, second});
  }
  return some_objects() && objects().size() > 1;
}

bool Asking::alone_of_class(const Object& object) const {
  return std::count_if(objects().begin(), objects().end(),
                       [&](const Object& other) { return other.shape == object.shape; }) == 1;
}

bool Asking::choose_two(const Object*& first, const Object*& second) {
  const auto n = static_cast<int>(objects().size());
  if (n < 2) return false;
  const int i = n == 2 ? 0 : random_.below(n);
  const int j = n == 2 ? 1 : (i + 1 + random_.below(n - 1)) % n;
  first = &objects()[static_cast<size_t>(i)];
  second = &objects()[static_cast<size_t>(j)];
  return alone_of_class(*first) && alone_of_class(*second);
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
  return alone_of_class(object) && ask(kColour, {{"class", class_of(object)}}, colour_of(object));
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
  const int n = random_.below(most_ + 1);
  std::vector<Object> objects;
  for (int i = 0; i < n; ++i) objects.push_back(any_object());
  return set_scene(std::move(objects)) && count_objects();
}

bool Asking::fresh_count_of_class() {
  const int n = random_.below(most_ + 1);
  const Object first = any_object();
  if (most_ > 2) return fresh_count_among(n, first);
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

bool Asking::fresh_count_among(int n, const Object& first) {
  std::vector<Object> objects;
  const bool shared = random_.chance(kSharedColour);
  for (int i = 0; i < n; ++i) {
    objects.push_back(first);
    if (!shared) objects.back().colour = any_object().colour;
  }
  int others = n == most_ ? 0 : random_.below(most_ - n + 1);
  if (n == 0) others = std::max(others, 1);
  for (; others > 0; --others) {
    objects.push_back(any_object());
    if (objects.back().shape == first.shape) return false;
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
  return alone_of_class(object) && ask(kWhere, {{"class", class_of(object)}},
                                       std::string(kCells[static_cast<size_t>(cell_of(object))]));
}

bool Asking::fresh_where() {
  const int cell = random_.below(static_cast<int>(kCells.size()));
  if (most_ == 2) {
    const Object object = any_object(), second = any_object();
    const bool alone = random_.chance(.5);
    if (!alone && second.shape == object.shape) return false;
    if (!set_scene(alone ? std::vector{object} : std::vector{object, second})) return false;
  } else if (!some_objects()) {
    return false;
  }
  while (cell_of(objects()[0]) != cell) lay_out(random_, sample.scene);
  return where(objects()[0]);
}

bool Asking::where() { return !objects().empty() && where(either()); }

bool Asking::relation_between() {
  const Object *first = nullptr, *second = nullptr;
  if (!choose_two(first, second)) return false;
  const Object &subject = *first, &reference = *second;
  const auto holds = relation(subject, reference);
  if (!holds) return false;
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
  const Object *first = nullptr, *second = nullptr;
  if (!choose_two(first, second)) return false;
  const Object &subject = *first, &reference = *second;
  const auto holds = relation(subject, reference);
  const auto also = [&](const Object& other) { return is_related(*holds, other, reference); };
  if (!holds || std::count_if(objects().begin(), objects().end(), also) != 1) return false;
  const std::string words(kRelations[static_cast<size_t>(*holds)]);
  return ask(kBeside, {{"relation", words}, {"class", class_of(reference)}}, words_for(subject),
             held_out_relation(subject.shape, reference.shape));
}

bool Asking::bigger() {
  const Object *one = nullptr, *other = nullptr;
  if (!choose_two(one, other)) return false;
  const Object &first = *one, &second = *other;
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

struct Kind {
  std::string_view name;
  double weight;
  bool (Asking::*draw)();   // with a scene of its own
  bool (Asking::*again)();  // about the scene at hand
};

constexpr std::array<Kind, 10> kKinds = {{
    {"what", 2, &Asking::fresh_what, &Asking::what},
    {"colour", 2, &Asking::fresh_colour, &Asking::colour},
    {"count", 1.5, &Asking::fresh_count, &Asking::count},
    {"where", 1.5, &Asking::fresh_where, &Asking::where},
    {"relation", 1, &Asking::fresh_relation, &Asking::relation_between},
    {"exists", 2, &Asking::fresh_exists, &Asking::exists},
    {"shape", 1, &Asking::fresh_shape, &Asking::shape},
    {"beside", 1, &Asking::fresh_beside, &Asking::beside},
    {"bigger", 1, &Asking::fresh_bigger, &Asking::bigger},
    {"backdrop", 1, &Asking::fresh_backdrop, &Asking::backdrop},
}};

const Kind& pick_kind(Philox& random) {
  std::array<double, kKinds.size()> weights;
  std::transform(kKinds.begin(), kKinds.end(), weights.begin(),
                 [](const Kind& kind) { return kind.weight; });
  return kKinds[static_cast<size_t>(pick(random, weights))];
}

// Questions of different kinds about one scene.
std::vector<AskSample> dialogue(Philox random, Split split, int most, int turns) {
  const Kind& kind = pick_kind(random);
  Asking asking(random, split, most);
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

}  // namespace

std::vector<AskSample> ask_dialogue(Split split, uint64_t index, int turns) {
  return dialogue(world_stream(split, "ask", index), split, 2, turns);
}

std::vector<AskSample> open_dialogue(Split split, uint64_t index, int turns) {
  return dialogue(world_stream(split, "open", index), split, kMostObjects, turns);
}

AskSample ask_sample(Split split, uint64_t index) {
  return std::move(ask_dialogue(split, index, 1).front());
}

}  // namespace janus
