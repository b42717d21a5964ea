// Prompts for scenes of one to four objects. A prompt is complete about identity: it mentions every
// object of its scene, for an object that is not mentioned would count against the picture. The
// scene comes first and is drawn again until it suits the category; the words follow from it
// (world/prompt_words.cc).
// SPDX-License-Identifier: MIT
#include <algorithm>
#include <array>

#include "world/layout.h"
#include "world/prompt_parts.h"
#include "world/relation.h"
#include "world/tasks.h"
#include "world/wording.h"

namespace janus {
namespace {

constexpr double kSaysSize = .4;   // of one object or two of a dense prompt
constexpr double kOtherSize = .6;  // of two objects with sizes, one is big and one small

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
  const Pairs pairs = held && category == Category::attribution ? Pairs::all : Pairs::seen;
  objects = {draw_object(random, pairs), draw_object(random, pairs)};
  if (objects[0].shape == objects[1].shape) return false;
  if (category == Category::position)
    return held_out_relation(objects[0].shape, objects[1].shape) == held;
  const bool pair = held_out(objects[0].shape, objects[0].colour) ||
                    held_out(objects[1].shape, objects[1].colour);
  return category != Category::attribution || pair == held;
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
    case Category::single:
      return choose_single(random, false, held, objects);
    case Category::colours:
      return choose_single(random, true, held, objects);
    case Category::counting:
      return choose_counted(random, held, objects);
    default:
      return choose_two(random, category, held, objects);
  }
}

// Objects of a dense prompt; false where they do not suit. `held`: four objects of four colours,
// which training never has in a prompt.
bool choose_for_dense(Philox& random, bool held, Scene& scene) {
  std::vector<Object>& objects = scene.objects;
  objects.clear();
  for (int n = held ? kMostObjects : draw_count(random); n > 0; --n) {
    objects.push_back(draw_object(random, Pairs::seen));
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
  return !repeats && !shows_held_out(scene) && all_differ == held;
}

// The sizes that are told, if any.
std::vector<int> place_for_dense(Philox& random, Scene& scene) {
  std::vector<int> sizes;
  if (scene.objects.size() > 2 || !random.chance(kSaysSize)) {
    lay_out(random, scene);
    return sizes;
  }
  sizes.push_back(random.below(2));
  if (scene.objects.size() == 2) {
    sizes.push_back(random.chance(kOtherSize) ? 1 - sizes[0] : sizes[0]);
  }
  lay_out(random, scene, sizes);
  return sizes;
}

}  // namespace

DrawSample prompt_sample(Split split, uint64_t index) {
  Philox random = world_stream(split, "prompt", index);
  const auto category = static_cast<Category>(split == Split::train ? pick(random, kCategoryShares)
                                                                    : static_cast<int>(index % 6));
  DrawSample sample;
  sample.category = kCategories[static_cast<size_t>(category)];
  sample.held = category >= Category::counting && wants_held(split, index / 6);
  bool suits = false;
  while (!suits) {
    while (!choose(random, category, sample.held, sample.scene.objects)) {
    }
    draw_backdrop(random, sample.scene);
    lay_out(random, sample.scene);
    suits = (category != Category::position ||
             relation(sample.scene.objects[0], sample.scene.objects[1]).has_value()) &&
            (split != Split::train || !shows_held_out(sample.scene));
  }
  sample.prompt = with_head(random, split, describe(category, sample));
  return sample;
}

DrawSample dense_sample(Split split, uint64_t index) {
  Philox random = world_stream(split, "dense", index);
  DrawSample sample;
  sample.category = kDense;
  sample.held = split == Split::test && index % 5 == 0;
  while (!choose_for_dense(random, sample.held, sample.scene)) {
  }
  draw_backdrop(random, sample.scene);
  const std::vector<int> sizes = place_for_dense(random, sample.scene);
  sample.prompt = with_head(random, split, describe_densely(random, split, sizes, sample));
  return sample;
}

}  // namespace janus
