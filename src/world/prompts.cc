// Prompts for scenes of one to four objects. A prompt is complete about identity: it mentions every
// object of its scene, for an object that is not mentioned would count against the picture. The
// scene comes first and is drawn again until it suits the category; the words follow from it.
// SPDX-License-Identifier: MIT
#include <algorithm>
#include <array>

#include "world/layout.h"
#include "world/relation.h"
#include "world/tasks.h"
#include "world/wording.h"

namespace janus {
namespace {

constexpr std::array<std::string_view, 6> kCategories = {
    "single_object", "two_object", "counting", "colors", "position", "color_attr"};
constexpr std::array<double, 6> kCategoryShares = {.10, .10, .18, .16, .18, .18};
enum Category { kSingle, kTwo, kCounting, kColours, kPosition, kAttribution };

constexpr double kSharedColour = .7;  // of several objects of one class
// Dense prompts: how often a thing is said.
constexpr double kSaysColour = .85, kSaysSize = .4, kSaysPlace = .4, kSaysRelation = .35;
constexpr double kSaysAgain = .25;  // a relation to an object mentioned before
constexpr double kSaysPalette = .55, kSaysBackdrop = .6;
constexpr double kOtherSize = .6;  // of two objects with sizes, one is big and one small

// Of val and test: two samples of five of each category.
bool wants_held(Split split, uint64_t turn) { return split != Split::train && turn % 5 < 2; }

Object object_of(Philox& random, int shape, Pairs pairs) {
  Object object;
  do {
    object = draw_object(random, pairs);
  } while (object.shape != shape);
  return object;
}

// Objects that suit the category, held out or not as wanted; false where they do not.
bool choose_single(Philox& random, bool named, bool held, std::vector<Object>& objects) {
  objects = {draw_object(random, held ? Pairs::all : Pairs::seen)};
  return !named || held_out(objects[0].shape, objects[0].colour) == held;
}

bool choose_two(Philox& random, Category category, bool held, std::vector<Object>& objects) {
  const Pairs pairs = held && category == kAttribution ? Pairs::all : Pairs::seen;
  objects = {draw_object(random, pairs), draw_object(random, pairs)};
  if (objects[0].shape == objects[1].shape) return false;
  if (category == kPosition) return held_out_relation(objects[0].shape, objects[1].shape) == held;
  const bool pair = held_out(objects[0].shape, objects[0].colour) ||
                    held_out(objects[1].shape, objects[1].colour);
  return category != kAttribution || pair == held;
}

bool choose_counted(Philox& random, bool held, std::vector<Object>& objects) {
  const int count = 2 + random.below(3);
  const Object first = draw_object(random, Pairs::seen);
  const bool shared = random.chance(kSharedColour);
  if (held_out_count(first.shape, count) != held) return false;
  objects = {first};
  while (static_cast<int>(objects.size()) < count) {
    objects.push_back(shared ? first : object_of(random, first.shape, Pairs::seen));
  }
  return true;
}

bool choose(Philox& random, Category category, bool held, std::vector<Object>& objects) {
  switch (category) {
    case kSingle:
      return choose_single(random, false, held, objects);
    case kColours:
      return choose_single(random, true, held, objects);
    case kCounting:
      return choose_counted(random, held, objects);
    default:
      return choose_two(random, category, held, objects);
  }
}

std::string describe(Category category, DrawSample& sample) {
  const std::vector<Object>& objects = sample.scene.objects;
  std::vector<Mention>& mentions = sample.said.mentions;
  const bool coloured = category == kColours || category == kAttribution;
  const size_t named = category == kCounting ? 1 : objects.size();
  for (size_t i = 0; i < named; ++i) {
    mentions.push_back({.shape = objects[i].shape, .colour = coloured ? objects[i].colour : -1});
  }
  if (category == kCounting) mentions[0].count = static_cast<int>(objects.size());
  std::string words = noun_phrase(mentions[0]);
  if (named == 1) return words;
  std::string between = " and ";
  if (category == kPosition) {
    mentions[0].relation = static_cast<int>(*relation(objects[0], objects[1]));
    mentions[0].other = 1;
    between = ' ' + std::string(kRelations[static_cast<size_t>(mentions[0].relation)]) + ' ';
  }
  return words + between + noun_phrase(mentions[1]);
}

// A dense prompt in the making.
class Dense {
 public:
  Dense(Philox& random, Split split, bool held) : random_(random), split_(split), held_(held) {}

  DrawSample make();

 private:
  bool choose_objects();
  void place_objects();
  Mention mention_of(size_t i);
  std::string clause(size_t& i);
  // The relation of objects i and j if words may tell it; -1 if not.
  int tellable(size_t i, size_t j) const;
  bool repeated(size_t i) const;
  std::string backdrop_clause();
  const std::vector<Object>& objects() const { return sample_.scene.objects; }

  Philox& random_;
  Split split_;
  bool held_;  // four objects of four colours, which training never has in a prompt
  std::vector<int> sizes_;
  DrawSample sample_;
};

bool Dense::choose_objects() {
  std::vector<Object>& objects = sample_.scene.objects;
  objects.clear();
  for (int n = held_ ? kMostObjects : draw_count(random_); n > 0; --n) {
    objects.push_back(draw_object(random_, Pairs::seen));
  }
  bool repeats = false;
  std::array<int, kColourCount> colours{};
  for (size_t i = 0; i < objects.size(); ++i) {
    ++colours[static_cast<size_t>(objects[i].colour)];
    for (size_t j = 0; j < i; ++j) {
      repeats |= objects[i].shape == objects[j].shape && objects[i].colour == objects[j].colour;
    }
  }
  const bool all_differ = objects.size() == kMostObjects &&
                          std::count(colours.begin(), colours.end(), 1) == kMostObjects;
  return !repeats && !shows_held_out(sample_.scene) && all_differ == held_;
}

void Dense::place_objects() {
  sizes_.clear();
  if (objects().size() <= 2 && random_.chance(kSaysSize)) {
    sizes_.push_back(random_.below(2));
    if (objects().size() == 2) {
      sizes_.push_back(random_.chance(kOtherSize) ? 1 - sizes_[0] : sizes_[0]);
    }
    lay_out(random_, sample_.scene, sizes_);
  } else {
    lay_out(random_, sample_.scene);
  }
}

bool Dense::repeated(size_t i) const {
  return std::count_if(objects().begin(), objects().end(),
                       [&](const Object& other) { return other.shape == objects()[i].shape; }) > 1;
}

int Dense::tellable(size_t i, size_t j) const {
  const Object &subject = objects()[i], &reference = objects()[j];
  const auto holds = relation(subject, reference);
  const bool hidden = split_ == Split::train && held_out_relation(subject.shape, reference.shape);
  return holds && !hidden ? static_cast<int>(*holds) : -1;
}

// Where a class repeats the colour tells its objects apart.
Mention Dense::mention_of(size_t i) {
  Mention mention{.shape = objects()[i].shape};
  if (repeated(i) || random_.chance(kSaysColour)) mention.colour = objects()[i].colour;
  if (!sizes_.empty()) mention.size = sizes_[i];
  return mention;
}

// Of object i, or of i and i + 1 where a relation ties them; i goes on to the last one mentioned.
std::string Dense::clause(size_t& i) {
  std::vector<Mention>& mentions = sample_.said.mentions;
  const size_t self = i;
  mentions.push_back(mention_of(self));
  std::string words = noun_phrase(mentions[self]);
  const auto tie = [&](int relation, size_t other) {
    mentions[self].relation = relation;
    mentions[self].other = static_cast<int>(other);
    sample_.held |= held_out_relation(objects()[self].shape, objects()[other].shape);
    words += ' ' + std::string(kRelations[static_cast<size_t>(relation)]) + ' ';
  };
  const int ahead = self + 1 < objects().size() ? tellable(self, self + 1) : -1;
  const size_t earlier = self > 0 ? static_cast<size_t>(random_.below(static_cast<int>(self))) : 0;
  const int back = self > 0 ? tellable(self, earlier) : -1;
  if (ahead >= 0 && random_.chance(kSaysRelation)) {
    i = self + 1;
    mentions.push_back(mention_of(i));
    tie(ahead, i);
    return words + noun_phrase(mentions[i]);
  }
  if (back >= 0 && random_.chance(kSaysAgain)) {
    tie(back, earlier);
    return words + second_phrase(mentions[earlier], mentions[earlier].colour >= 0);
  }
  if (random_.chance(kSaysPlace)) {
    mentions[self].cell = cell_of(objects()[self]);
    words += ' ' + place_phrase(mentions[self].cell);
  }
  return words;
}

std::string Dense::backdrop_clause() {
  sample_.said.palette = sample_.scene.palette;
  if (random_.chance(kSaysBackdrop)) sample_.said.backdrop = sample_.scene.backdrop;
  return ", on " + backdrop_phrase(sample_.said.palette, sample_.said.backdrop);
}

DrawSample Dense::make() {
  sample_.category = "dense";
  sample_.held = held_;
  while (!choose_objects()) {
  }
  draw_backdrop(random_, sample_.scene);
  place_objects();
  std::string words;
  for (size_t i = 0; i < objects().size(); ++i) {
    if (i > 0) words += ", ";
    words += clause(i);
  }
  if (random_.chance(kSaysPalette)) words += backdrop_clause();
  sample_.prompt = with_head(random_, split_, words);
  return sample_;
}

}  // namespace

DrawSample prompt_sample(Split split, uint64_t index) {
  Philox random = world_stream(split, "prompt", index);
  const auto category = static_cast<Category>(split == Split::train ? pick(random, kCategoryShares)
                                                                    : static_cast<int>(index % 6));
  DrawSample sample;
  sample.category = kCategories[static_cast<size_t>(category)];
  sample.held = category >= kCounting && wants_held(split, index / 6);
  bool suits = false;
  while (!suits) {
    while (!choose(random, category, sample.held, sample.scene.objects)) {
    }
    draw_backdrop(random, sample.scene);
    lay_out(random, sample.scene);
    suits = (category != kPosition ||
             relation(sample.scene.objects[0], sample.scene.objects[1]).has_value()) &&
            (split != Split::train || !shows_held_out(sample.scene));
  }
  sample.prompt = with_head(random, split, describe(category, sample));
  return sample;
}

DrawSample dense_sample(Split split, uint64_t index) {
  Philox random = world_stream(split, "dense", index);
  return Dense(random, split, split == Split::test && index % 5 == 0).make();
}

}  // namespace janus
