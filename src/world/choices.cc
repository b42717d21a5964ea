// Fifteen abilities, one function each; the two about diagrams are in world/choice_diagrams.cc.
// Wrong options are near misses where the scene offers them. The reading of answers and the columns
// are in world/choice_format.cc. SPDX-License-Identifier: MIT
#include "world/choices.h"

#include <algorithm>
#include <array>

#include "world/captions.h"
#include "world/choice_parts.h"
#include "world/layout.h"
#include "world/letters.h"
#include "world/wording.h"
#include "world/yes_no.h"

namespace janus {
namespace {

constexpr size_t kOptions = 4;

std::string name_of(const Object& o) { return std::string(shape_name(o.shape).one); }
std::string full_name(const Object& o) {
  return std::string(colour_name(o.colour)) + ' ' + name_of(o);
}

// One question in the making; each of its public functions is false where the scene drawn for it
// does not suit and must be drawn again.
class Choosing {
 public:
  Choosing(Philox& random, Split split) : random_(random), split_(split) {}

  bool identity();
  bool colour();
  bool counting();
  bool place();
  bool size();
  bool relation_of();
  bool comparison();
  bool two_steps();
  bool odd_one();
  bool backdrop();
  bool topic();
  bool use();
  bool row();
  bool kind() { return ask_picture_kind(random_, split_, sample); }
  bool structure() { return ask_structure(random_, split_, sample); }

  ChoiceSample sample;

 private:
  bool set_scene(int least, int most);
  bool finish_scene();
  bool all_differ() const;
  const std::vector<Object>& objects() const { return sample.scene.objects; }
  const Object& any() {
    return objects()[static_cast<size_t>(random_.below(static_cast<int>(objects().size())))];
  }
  bool put(std::string question, const std::string& right, std::vector<std::string> wrong) {
    return put_options(random_, sample, std::move(question), right, std::move(wrong));
  }
  // Wrong options: what `more` gives until there are enough.
  template <class More>
  std::vector<std::string> wrong(const std::string& right, std::vector<std::string> begun,
                                 More more);
  std::vector<std::string> other_names(const Object& but) const;

  Philox& random_;
  Split split_;
};

bool Choosing::finish_scene() {
  sample.held = shows_held_out(sample.scene);
  draw_backdrop(random_, sample.scene);
  return split_ != Split::train || !sample.held;
}

bool Choosing::set_scene(int least, int most) {
  sample.scene.objects.clear();
  const Pairs pairs = split_ == Split::train ? Pairs::seen : Pairs::all;
  for (int n = least + random_.below(most - least + 1); n > 0; --n) {
    sample.scene.objects.push_back(draw_object(random_, pairs));
  }
  if (!finish_scene()) return false;
  lay_out(random_, sample.scene);
  return true;
}

bool Choosing::all_differ() const {
  std::array<int, kShapeCount> counts{};
  for (const Object& o : objects()) ++counts[static_cast<size_t>(o.shape)];
  return *std::max_element(counts.begin(), counts.end()) <= 1;
}

template <class More>
std::vector<std::string> Choosing::wrong(const std::string& right, std::vector<std::string> begun,
                                         More more) {
  std::erase(begun, right);
  while (begun.size() < kOptions - 1) {
    const std::string next(more());
    if (next != right && std::find(begun.begin(), begun.end(), next) == begun.end()) {
      begun.push_back(next);
    }
  }
  return begun;
}

std::vector<std::string> Choosing::other_names(const Object& but) const {
  std::vector<std::string> names;
  for (const Object& o : objects()) {
    if (o.shape != but.shape) names.push_back(name_of(o));
  }
  return names;
}

bool Choosing::identity() {
  if (!set_scene(1, 1)) return false;
  const Object& object = any();
  const int near = nearest_shapes(object.shape)[static_cast<size_t>(random_.below(kNearest))];
  return put("what is in the picture?", name_of(object),
             wrong(name_of(object), {std::string(shape_name(near).one)},
                   [&] { return shape_name(random_.below(kShapeCount)).one; }));
}

bool Choosing::colour() {
  if (!set_scene(1, 4) || !all_differ()) return false;
  const Object& object = any();
  std::vector<std::string> others;
  for (const Object& o : objects()) {
    if (o.colour != object.colour && others.empty()) others.emplace_back(colour_name(o.colour));
  }
  const std::string right(colour_name(object.colour));
  return put("what color is the " + name_of(object) + "?", right,
             wrong(right, others, [&] { return colour_name(random_.below(kColourCount)); }));
}

// Of all objects, or of a class of which 1 to 4 are drawn alike often. Options are four numbers in
// a row, of which the right one is any.
bool Choosing::counting() {
  const bool all = random_.chance(.4);
  const int wanted = 1 + random_.below(kMostObjects);
  if (!set_scene(wanted, all ? wanted : kMostObjects)) return false;
  const int shape = objects()[0].shape;
  const auto alike = std::count_if(objects().begin(), objects().end(),
                                   [&](const Object& o) { return o.shape == shape; });
  if (!all && alike != wanted) return false;
  const std::string what = all ? "objects" : std::string(shape_name(shape).many);
  const int least = std::max(0, wanted - 3);
  int next = least + random_.below(wanted - least + 1);
  return put("how many " + what + " are there?", std::to_string(wanted),
             wrong(std::to_string(wanted), {}, [&] { return std::to_string(next++); }));
}

bool Choosing::place() {
  if (!set_scene(1, 4) || !all_differ()) return false;
  const Object& object = any();
  const std::string right(kCells[static_cast<size_t>(cell_of(object))]);
  return put("where is the " + name_of(object) + "?", right,
             wrong(right, {}, [&] { return kCells[static_cast<size_t>(random_.below(9))]; }));
}

bool Choosing::size() {
  if (!set_scene(2, 4) || !all_differ()) return false;
  const auto biggest = std::max_element(objects().begin(), objects().end(),
                                        [](const Object& a, const Object& b) { return a.r < b.r; });
  for (const Object& o : objects()) {
    if (&o != &*biggest && !clearly_bigger(*biggest, o)) return false;
  }
  return put("which object is the biggest?", "the " + name_of(*biggest), [&] {
    std::vector<std::string> others;
    for (const std::string& name : other_names(*biggest)) others.push_back("the " + name);
    return others;
  }());
}

bool Choosing::relation_of() {
  if (!set_scene(2, 4) || !all_differ()) return false;
  const Object &subject = any(), &reference = any();
  const auto holds = relation(subject, reference);
  const bool hidden = held_out_relation(subject.shape, reference.shape);
  if (&subject == &reference || !holds || (split_ == Split::train && hidden)) return false;
  sample.held |= hidden;
  std::vector<std::string> others;
  for (int i = 0; i < 4; ++i) {
    if (i != static_cast<int>(*holds)) others.emplace_back(kRelations[static_cast<size_t>(i)]);
  }
  return put("where is the " + name_of(subject) + " relative to the " + name_of(reference) + "?",
             std::string(kRelations[static_cast<size_t>(*holds)]), others);
}

bool Choosing::comparison() {
  if (!set_scene(2, 3) || !all_differ()) return false;
  const Object &one = any(), &other = any();
  if (&one == &other) return false;
  const bool same = random_.chance(.5);
  if ((one.colour == other.colour) != same) return false;
  return put("do the " + name_of(one) + " and the " + name_of(other) + " have the same color?",
             same ? "yes" : "no", {same ? "no" : "yes", "there is only one", "one cannot tell"});
}

bool Choosing::two_steps() {
  if (!set_scene(3, 4) || !all_differ()) return false;
  const Object &wanted = any(), &first = any(), &second = any();
  if (&wanted == &first || &wanted == &second || &first == &second) return false;
  const auto a = relation(wanted, first), b = relation(wanted, second);
  if (!a || !b) return false;
  const bool hidden =
      held_out_relation(wanted.shape, first.shape) || held_out_relation(wanted.shape, second.shape);
  if (split_ == Split::train && hidden) return false;
  const auto both = [&](const Object& o) {
    return is_related(*a, o, first) && is_related(*b, o, second);
  };
  if (std::count_if(objects().begin(), objects().end(), both) != 1) return false;
  sample.held |= hidden;
  return put("which object is " + std::string(kRelations[static_cast<size_t>(*a)]) + " the " +
                 name_of(first) + " and " + std::string(kRelations[static_cast<size_t>(*b)]) +
                 " the " + name_of(second) + "?",
             "the " + name_of(wanted), [&] {
               std::vector<std::string> others;
               for (const std::string& name : other_names(wanted)) others.push_back("the " + name);
               return others;
             }());
}

// Three of one class and one of another, or three of one colour.
bool Choosing::odd_one() {
  const Pairs pairs = split_ == Split::train ? Pairs::seen : Pairs::all;
  const Object model = draw_object(random_, pairs);
  const bool by_class = random_.chance(.5);
  sample.scene.objects.clear();
  while (sample.scene.objects.size() < 4) {
    const Object next = draw_object(random_, pairs);
    const bool odd = sample.scene.objects.size() == 3;
    if (((by_class ? next.shape == model.shape : next.colour == model.colour)) != odd) {
      sample.scene.objects.push_back(next);
    }
  }
  const Object odd = objects().back();
  for (size_t i = 0; i < 4; ++i) {
    for (size_t j = 0; j < i; ++j) {
      const bool alike =
          objects()[i].shape == objects()[j].shape && objects()[i].colour == objects()[j].colour;
      if (alike) return false;  // options would repeat
    }
  }
  std::rotate(sample.scene.objects.begin(), sample.scene.objects.begin() + random_.below(4),
              sample.scene.objects.end());
  if (!finish_scene()) return false;
  lay_out(random_, sample.scene);
  std::vector<std::string> others;
  for (const Object& o : objects()) {
    if (o.shape != odd.shape || o.colour != odd.colour) others.push_back("the " + full_name(o));
  }
  return put(by_class ? "which object has another shape than the others?"
                      : "which object has another color than the others?",
             "the " + full_name(odd), others);
}

bool Choosing::backdrop() {
  if (!set_scene(1, 3)) return false;
  const std::string right(kPalettes[static_cast<size_t>(sample.scene.palette)].name);
  return put("what is the background like?", right, wrong(right, {}, [&] {
               return kPalettes[static_cast<size_t>(random_.below(kPaletteCount))].name;
             }));
}

// The caption of the scene, and of the scene with one thing changed.
bool Choosing::topic() {
  if (!set_scene(1, 3)) return false;
  const std::string right = short_caption(sample.scene);
  return put("which caption fits the picture?", right, wrong(right, {}, [&] {
               Scene other = sample.scene;
               Object& object = other.objects[static_cast<size_t>(
                   random_.below(static_cast<int>(other.objects.size())))];
               do {
                 if (random_.chance(.5)) {
                   object.shape = random_.below(kShapeCount);
                 } else {
                   object.colour = random_.below(kColourCount);
                 }
               } while (split_ == Split::train && shows_held_out(other));
               return short_caption(other);
             }));
}

bool Choosing::use() {
  struct Use {
    std::string_view words;
    std::string_view shape;
  };
  static constexpr std::array<Use, 8> kUses = {{{"drink from", "cup"},
                                                {"live in", "house"},
                                                {"drive", "car"},
                                                {"put things in", "box"},
                                                {"wear on a finger", "ring"},
                                                {"kick", "ball"},
                                                {"pick for a vase", "flower"},
                                                {"catch in the water", "fish"}}};
  if (!set_scene(2, 4) || !all_differ()) return false;
  const Object& object = any();
  const auto found = std::find_if(kUses.begin(), kUses.end(),
                                  [&](const Use& u) { return u.shape == name_of(object); });
  if (found == kUses.end()) return false;
  return put("which of these could you " + std::string(found->words) + "?",
             "the " + name_of(object), [&] {
               std::vector<std::string> others;
               for (const std::string& name : other_names(object)) others.push_back("the " + name);
               return others;
             }());
}

// A row of a repeating pattern whose last place is empty: AB AB A_, ABC A_ and AB A_.
bool Choosing::row() {
  static constexpr std::array<std::string_view, 3> kPatterns = {"ABAB", "ABCA", "ABA"};
  static constexpr std::array<char, 3> kNext = {'A', 'B', 'B'};
  const auto which = static_cast<size_t>(random_.below(3));
  const Pairs pairs = split_ == Split::train ? Pairs::seen : Pairs::all;
  std::array<Object, 3> kinds = {draw_object(random_, pairs), draw_object(random_, pairs),
                                 draw_object(random_, pairs)};
  if (kinds[0].shape == kinds[1].shape || kinds[0].shape == kinds[2].shape ||
      kinds[1].shape == kinds[2].shape) {
    return false;
  }
  sample.scene.objects.clear();
  for (const char letter : kPatterns[which]) {
    sample.scene.objects.push_back(kinds[static_cast<size_t>(letter - 'A')]);
  }
  if (!finish_scene()) return false;
  lay_out_row(random_, sample.scene, static_cast<int>(kPatterns[which].size()) + 1);
  const std::string right = name_of(kinds[static_cast<size_t>(kNext[which] - 'A')]);
  return put("which object comes next in the row?", right,
             wrong(right, {name_of(kinds[0]), name_of(kinds[1])},
                   [&] { return shape_name(random_.below(kShapeCount)).one; }));
}

struct Leaf {
  std::string_view name, group;
  bool (Choosing::*ask)();
};
constexpr std::array<Leaf, 15> kLeaves = {{
    {"object identity", "FP-S", &Choosing::identity},
    {"object colour", "FP-S", &Choosing::colour},
    {"counting", "FP-S", &Choosing::counting},
    {"place", "FP-S", &Choosing::place},
    {"size", "FP-S", &Choosing::size},
    {"spatial relation", "FP-C", &Choosing::relation_of},
    {"attribute comparison", "FP-C", &Choosing::comparison},
    {"two-step relation", "RR", &Choosing::two_steps},
    {"odd one out", "AR", &Choosing::odd_one},
    {"backdrop", "CP", &Choosing::backdrop},
    {"scene topic", "CP", &Choosing::topic},
    {"picture kind", "CP", &Choosing::kind},
    {"common use", "LR", &Choosing::use},
    {"next in a row", "LR", &Choosing::row},
    {"structured reading", "LR", &Choosing::structure},
}};

}  // namespace

bool put_options(Philox& random, ChoiceSample& sample, std::string question,
                 const std::string& right, std::vector<std::string> wrong) {
  if (wrong.empty()) return false;
  shuffle(random, wrong);
  if (wrong.size() >= kOptions) wrong.resize(kOptions - 1);
  sample.question = std::move(question);
  sample.options = std::move(wrong);
  sample.answer = random.below(static_cast<int>(sample.options.size()) + 1);
  sample.options.insert(sample.options.begin() + sample.answer, right);
  return true;
}

int choice_leaves() { return static_cast<int>(kLeaves.size()); }

ChoiceSample choice_sample(Split split, uint64_t index) {
  Philox random = world_stream(split, "choices", index);
  const Leaf& leaf = kLeaves[index % kLeaves.size()];
  Choosing choosing(random, split);
  while (!(choosing.*leaf.ask)()) {
  }
  choosing.sample.leaf = leaf.name;
  choosing.sample.group = leaf.group;
  return choosing.sample;
}

}  // namespace janus
