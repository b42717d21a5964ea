// Codec scenes, the first prompts, and the verdict on pictures. Other prompts are in
// world/prompts.cc, questions in world/questions.cc.
// SPDX-License-Identifier: MIT
#include "world/tasks.h"

#include <algorithm>
#include <array>
#include <numeric>

#include "world/layout.h"
#include "world/wording.h"

namespace janus {
namespace {

constexpr std::array<double, 3> kCodecCounts = {.04, .48, .48};  // of 0, 1 and 2 objects

constexpr double kSingleObject = .35;  // the rest names a colour, too
constexpr double kHeldShare = .4;      // of the colour prompts of val and test

Object draw_held_object(Philox& random) {
  Object object;
  do {
    object = draw_object(random, Pairs::all);
  } while (!held_out(object.shape, object.colour));
  return object;
}

}  // namespace

Scene codec_scene(Split split, uint64_t index) {
  Philox random = world_stream(split, "codec", index);
  Scene scene;
  for (int n = pick(random, kCodecCounts); n > 0; --n) {
    scene.objects.push_back(draw_object(random, Pairs::all));
  }
  draw_backdrop(random, scene);
  lay_out(random, scene);
  return scene;
}

DrawSample draw_sample(Split split, uint64_t index) {
  Philox random = world_stream(split, "draw", index);
  const bool named = !random.chance(kSingleObject);
  DrawSample sample;
  sample.category = named ? "colors" : "single_object";
  sample.held = named && split != Split::train && random.chance(kHeldShare);
  const Object object = sample.held ? draw_held_object(random) : draw_object(random, Pairs::seen);
  sample.scene.objects = {object};
  draw_backdrop(random, sample.scene);
  lay_out(random, sample.scene);

  sample.said.mentions = {{.shape = object.shape, .colour = named ? object.colour : -1}};
  sample.prompt = with_head(random, split, noun_phrase(sample.said.mentions[0]));
  return sample;
}

bool draw_right(const Detection& found, const DrawSample& sample) {
  std::vector<const Mention*> named;
  for (const Mention& mention : sample.said.mentions)
    named.insert(named.end(), mention.count, &mention);
  if (found.objects.size() != named.size()) return false;
  std::vector<size_t> order(named.size());
  std::iota(order.begin(), order.end(), size_t{0});
  const auto fits = [&](size_t i) {
    const Found& object = found.objects[order[i]];
    return object.shape == named[i]->shape &&
           (named[i]->colour < 0 || object.colour == named[i]->colour);
  };
  bool matched = false;
  do {
    matched = true;
    for (size_t i = 0; i < named.size() && matched; ++i) matched = fits(i);
  } while (!matched && std::next_permutation(order.begin(), order.end()));
  const std::vector<Fact> facts = facts_of(sample.said);
  return matched && std::all_of(facts.begin(), facts.end(), [&](const Fact& fact) {
           return fact.kind != Fact::Kind::relation || holds(fact, sample.said, found);
         });
}

}  // namespace janus
