// Of each picture one question is answered by yes and one by no, in either order, so that neither
// word is a guess worth making. SPDX-License-Identifier: MIT
#include "world/yes_no.h"

#include <algorithm>
#include <utility>

#include "world/description.h"
#include "world/layout.h"
#include "world/relation.h"
#include "world/wording.h"

namespace janus {
namespace {

constexpr std::array<std::string_view, 3> kExistsParts = {"random", "popular", "adversarial"};
constexpr std::array<std::string_view, 4> kPairsParts = {"existence", "count", "position", "color"};

using Phrasings = std::array<std::string_view, 6>;
constexpr Phrasings kExists = {"is there {a thing} in the picture?",
                               "is there {a thing} in the image?",
                               "does the picture show {a thing}?",
                               "can {a thing} be seen in the picture?",
                               "yes or no: is there {a thing} in the picture?",
                               "does {a thing} appear in the picture?"};
constexpr Phrasings kCount = {"are there {things} in the picture?",
                              "are there {things} in the image?",
                              "does the picture show {things}?",
                              "can you see {things} in the picture?",
                              "yes or no: are there {things} in the picture?",
                              "do {things} appear in the picture?"};
constexpr Phrasings kPosition = {"is the {class} {relation} the {other}?",
                                 "is the {class} {relation} the {other} in the picture?",
                                 "does the {class} lie {relation} the {other}?",
                                 "do you see the {class} {relation} the {other}?",
                                 "yes or no: is the {class} {relation} the {other}?",
                                 "in the picture, is the {class} {relation} the {other}?"};
constexpr Phrasings kColour = {"is the {class} {color}?",
                               "is the {class} {color} in the picture?",
                               "does the {class} have the color {color}?",
                               "is the color of the {class} {color}?",
                               "yes or no: is the {class} {color}?",
                               "in the picture, is the {class} {color}?"};

// By overlap of silhouettes of equal area, best of all rotations; yes_no_test measures it again.
constexpr std::array<std::array<int, kNearest>, kShapes.size()> kNear = {{
    {{18, 16, 1}},   // ball
    {{16, 0, 5}},    // box
    {{13, 10, 16}},  // triangle
    {{12, 16, 18}},  // star
    {{16, 0, 1}},    // heart
    {{18, 10, 1}},   // diamond
    {{19, 17, 14}},  // arrow
    {{15, 1, 5}},    // cross
    {{1, 0, 16}},    // ring
    {{5, 10, 18}},   // moon
    {{5, 18, 12}},   // drop
    {{16, 0, 18}},   // flower
    {{0, 16, 18}},   // house
    {{2, 5, 10}},    // tree
    {{17, 19, 6}},   // fish
    {{4, 7, 16}},    // mushroom
    {{1, 0, 4}},     // cup
    {{19, 16, 1}},   // cloud
    {{0, 5, 16}},    // balloon
    {{17, 14, 6}},   // car
}};

class Making {
 public:
  Making(Philox& random, Split split) : random_(random), split_(split) {}

  // Each makes both questions of a new scene; false where that must be repeated.
  bool exists(std::string_view part);
  bool count();
  bool position();
  bool colour();

  YesNoSample sample;

 private:
  bool set_scene(int least, int most);
  bool there(int shape) const;
  bool alone(const Object& object) const;
  const Object& any() {
    const auto& all = sample.scene.objects;
    return all[static_cast<size_t>(random_.below(static_cast<int>(all.size())))];
  }
  int absent_class(std::string_view part);
  // Both questions, yes and no by `words` in the gaps, in either order, put in the same way.
  void put(const Phrasings& list, const Gaps& yes, const Gaps& no);

  Philox& random_;
  Split split_;
};

bool Making::set_scene(int least, int most) {
  sample.scene.objects.clear();
  int n = 0;
  do {
    n = draw_count(random_);
  } while (n < least || n > most);
  const Pairs pairs = split_ == Split::train ? Pairs::seen : Pairs::all;
  while (n-- > 0) sample.scene.objects.push_back(draw_object(random_, pairs));
  sample.held = shows_held_out(sample.scene);
  draw_backdrop(random_, sample.scene);
  lay_out(random_, sample.scene);
  return split_ != Split::train || !sample.held;
}

bool Making::there(int shape) const {
  const auto& all = sample.scene.objects;
  return std::any_of(all.begin(), all.end(), [&](const Object& o) { return o.shape == shape; });
}

bool Making::alone(const Object& object) const {
  const auto& all = sample.scene.objects;
  return std::count_if(all.begin(), all.end(),
                       [&](const Object& o) { return o.shape == object.shape; }) == 1;
}

// Classes are equally frequent in this world, so the popular ones are those of any other scene.
int Making::absent_class(std::string_view part) {
  int shape = 0;
  if (part == "adversarial") {
    for (const int near : nearest_shapes(any().shape)) {
      if (!there(near)) return near;
    }
  }
  do {
    shape = part == "popular" ? draw_object(random_, Pairs::all).shape : random_.below(kShapeCount);
  } while (there(shape));
  return shape;
}

void Making::put(const Phrasings& list, const Gaps& yes, const Gaps& no) {
  const Phrasing phrasing = choose_phrasing(random_, split_, list);
  sample.held |= phrasing.held;
  const size_t first = random_.chance(.5) ? 0 : 1;
  sample.questions[first] = {fill(phrasing.text, yes), true};
  sample.questions[1 - first] = {fill(phrasing.text, no), false};
  if (split_ != Split::train) return;
  for (auto& question : sample.questions) question.text = as_typed(random_, question.text);
}

bool Making::exists(std::string_view part) {
  if (!set_scene(1, kMostObjects)) return false;
  const auto named = [](int shape) {
    return Gaps{{"a thing", with_article(shape_name(shape).one)}};
  };
  const int present = any().shape;
  put(kExists, named(present), named(absent_class(part)));
  return true;
}

bool Making::count() {
  if (!set_scene(1, kMostObjects)) return false;
  Object& model = sample.scene.objects.front();
  const int n = 1 + random_.below(kMostObjects);
  sample.scene.objects.resize(std::max(sample.scene.objects.size(), static_cast<size_t>(n)), model);
  for (int i = 0; i < n; ++i) {
    sample.scene.objects[static_cast<size_t>(i)].shape = sample.scene.objects[0].shape;
    sample.scene.objects[static_cast<size_t>(i)].colour = sample.scene.objects[0].colour;
  }
  for (size_t i = static_cast<size_t>(n); i < sample.scene.objects.size(); ++i) {
    if (sample.scene.objects[i].shape == sample.scene.objects[0].shape) return false;
  }
  const Object counted = sample.scene.objects[0];
  sample.held = shows_held_out(sample.scene);
  if (split_ == Split::train && sample.held) return false;
  draw_backdrop(random_, sample.scene);
  lay_out(random_, sample.scene);
  const int wrong = n == 1 ? 2 : n == kMostObjects || random_.chance(.5) ? n - 1 : n + 1;
  const auto named = [&](int count) {
    const std::string words = noun_phrase({.count = count, .shape = counted.shape});
    return Gaps{
        {"things", count == 1 ? "one " + std::string(shape_name(counted.shape).one) : words}};
  };
  // A held-out count is not named in training either.
  if (split_ == Split::train && held_out_count(counted.shape, wrong)) return false;
  put(kCount, named(n), named(wrong));
  return true;
}

bool Making::position() {
  if (!set_scene(2, kMostObjects)) return false;
  const Object &subject = any(), &reference = any();
  const auto holds = relation(subject, reference);
  if (!holds || !alone(subject) || !alone(reference)) return false;
  const bool hidden = held_out_relation(subject.shape, reference.shape);
  if (split_ == Split::train && hidden) return false;
  sample.held |= hidden;
  auto wrong = *holds;
  while (is_related(wrong, subject, reference)) {
    wrong = static_cast<Relation>(random_.below(static_cast<int>(kRelations.size())));
  }
  const auto named = [&](Relation which) {
    return Gaps{{"class", std::string(shape_name(subject.shape).one)},
                {"relation", std::string(kRelations[static_cast<size_t>(which)])},
                {"other", std::string(shape_name(reference.shape).one)}};
  };
  put(kPosition, named(*holds), named(wrong));
  return true;
}

bool Making::colour() {
  if (!set_scene(1, kMostObjects)) return false;
  const Object& object = any();
  if (!alone(object)) return false;
  int wrong = object.colour;
  while (wrong == object.colour || (split_ == Split::train && held_out(object.shape, wrong))) {
    wrong = random_.below(kColourCount);
  }
  const auto named = [&](int which) {
    return Gaps{{"class", std::string(shape_name(object.shape).one)},
                {"color", std::string(colour_name(which))}};
  };
  sample.held |= held_out(object.shape, wrong);
  put(kColour, named(object.colour), named(wrong));
  return true;
}

}  // namespace

YesNoSample exists_sample(Split split, uint64_t index) {
  Philox random = world_stream(split, "exists", index);
  const std::string_view part = kExistsParts[index % kExistsParts.size()];
  Making making(random, split);
  while (!making.exists(part)) {
  }
  making.sample.part = part;
  return making.sample;
}

YesNoSample pairs_sample(Split split, uint64_t index) {
  Philox random = world_stream(split, "pairs", index);
  const size_t part = index % kPairsParts.size();
  Making making(random, split);
  const auto once = [&] {
    switch (part) {
      case 0:
        return making.exists("random");
      case 1:
        return making.count();
      case 2:
        return making.position();
      default:
        return making.colour();
    }
  };
  while (!once()) {
  }
  making.sample.part = kPairsParts[part];
  return making.sample;
}

const std::array<int, kNearest>& nearest_shapes(int shape) {
  return kNear[static_cast<size_t>(shape)];
}

Verdict yes_or_no(const std::string& answer) {
  bool yes = false, no = false;
  for (const std::string& word : words_of(lower(answer))) {
    yes |= word == "yes";
    no |= word == "no";
  }
  if (yes == no) return Verdict::unknown;
  return yes ? Verdict::yes : Verdict::no;
}

}  // namespace janus
