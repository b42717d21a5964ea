// Prompts for composed scenes (world/composition.h). Nothing in their words tells them from others.
// SPDX-License-Identifier: MIT
#include <algorithm>

#include "world/composition.h"
#include "world/layout.h"
#include "world/letters.h"
#include "world/prompt_parts.h"
#include "world/relation.h"
#include "world/wording.h"

namespace janus {
namespace {

constexpr double kDenseShare = .3;
constexpr double kSaysSize = .7;  // where it may be said

// What a sample is to be like.
struct Wish {
  bool dense = false;
  Category category = Category::single;  // where it is not
  bool held = false;
};

Wish wish_for(Philox& random, Split split, uint64_t index) {
  Wish wish;
  if (split == Split::train) {
    wish.dense = random.chance(kDenseShare);
    wish.category = static_cast<Category>(pick(random, kCategoryShares));
    return wish;
  }
  constexpr uint64_t kTurns = kCategories.size() + 1;
  wish.dense = index % kTurns == kCategories.size();
  if (!wish.dense) wish.category = static_cast<Category>(index % kTurns);
  wish.held =
      !wish.dense && wish.category >= Category::counting && wants_held(split, index / kTurns);
  return wish;
}

int count_for(Philox& random, const Wish& wish) {
  if (wish.dense) return draw_count(random);
  if (wish.category == Category::counting) return 2 + random.below(kMostObjects - 1);
  return wish.category == Category::single || wish.category == Category::colours ? 1 : 2;
}

// A class for each object, one for all where they are counted.
void draw_classes(Philox& random, const Wish& wish, std::vector<Object>& objects) {
  const bool counted = !wish.dense && wish.category == Category::counting;
  for (Object& object : objects) object.shape = random.below(kShapeCount);
  const bool shared = counted && random.chance(kSharedColour);
  for (Object& object : objects) {
    if (counted) object.shape = objects[0].shape;
    if (shared) object.colour = objects[0].colour;
  }
  shuffle(random, objects);
}

bool alike(const Object& one, const Object& other) {
  return one.shape == other.shape && one.colour == other.colour;
}

// Whether objects suit what a category says of them, and are held out as wished.
bool suits(const Wish& wish, const std::vector<Object>& objects) {
  const Object &first = objects.front(), &last = objects.back();
  bool pair = false;
  for (const Object& o : objects) pair |= held_out(o.shape, o.colour);
  const bool counted =
      held_out_count(first.shape, static_cast<int>(objects.size()));  // of one class
  if (wish.dense) {
    for (size_t i = 0; i < objects.size(); ++i) {
      for (size_t j = 0; j < i; ++j) {
        if (alike(objects[i], objects[j])) return false;
      }
    }
    return !pair;
  }
  switch (wish.category) {
    case Category::single:
      return !pair;
    case Category::two:
      return !pair && first.shape != last.shape;
    case Category::counting:
      return !pair && counted == wish.held;
    case Category::colours:
      return pair == wish.held;
    case Category::position:
      return !pair && first.shape != last.shape && relation(first, last) &&
             held_out_relation(first.shape, last.shape) == wish.held;
    case Category::attribution:
      break;
  }
  return first.shape != last.shape && pair == wish.held;
}

}  // namespace

DrawSample gallery_sample(Split split, uint64_t index) {
  Philox random = world_stream(split, "gallery", index);
  const Wish wish = wish_for(random, split, index);
  DrawSample sample;
  sample.category = wish.dense ? kDense : kCategories[static_cast<size_t>(wish.category)];
  sample.held = wish.held;
  const int count = count_for(random, wish);
  do {
    sample.scene = compose(random, count);
    draw_classes(random, wish, sample.scene.objects);
  } while (!suits(wish, sample.scene.objects) || (!wish.held && shows_held_out(sample.scene)));
  std::string words;
  if (wish.dense) {
    std::vector<int> sizes = sizes_told(sample.scene.objects);
    if (!random.chance(kSaysSize)) sizes.clear();
    words = describe_densely(random, split, sizes, sample);
  } else {
    words = describe(wish.category, sample);
  }
  sample.prompt = with_head(random, split, words);
  return sample;
}

}  // namespace janus
