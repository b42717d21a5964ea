// Codec scenes and drawing prompts, and the verdicts on pictures. Questions are in
// world/questions.cc. Prompt templates and their shares follow GenEval's categories.
// SPDX-License-Identifier: MIT
#include "world/tasks.h"

#include <array>

#include "world/layout.h"
#include "world/wording.h"

namespace janus {
namespace {

constexpr std::array<double, 3> kCodecCounts = {.04, .48, .48};  // of 0, 1 and 2 objects

constexpr double kSingleObject = .35;  // the rest names a colour, too
constexpr double kHeldShare = .4;      // of the colour prompts of val and test

// Beginnings of prompts and their shares in training; the others use the benchmark's own.
constexpr std::array<std::string_view, 6> kHeads = {"",      "a photo of ",  "a picture of ",
                                                    "draw ", "please draw ", "show me "};
constexpr std::array<double, 6> kHeadShares = {.35, .20, .20, .10, .07, .08};
constexpr std::string_view kBenchmarkHead = "a photo of ";

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

  std::string words(shape_name(object.shape).one);
  if (named) words = std::string(colour_name(object.colour)) + ' ' + words;
  if (split == Split::train) {
    const std::string_view head = kHeads[static_cast<size_t>(pick(random, kHeadShares))];
    sample.prompt = as_typed(random, std::string(head) + with_article(words));
  } else {
    sample.prompt = std::string(kBenchmarkHead) + with_article(words);
  }
  return sample;
}

std::string world_text(uint64_t index) {
  const uint64_t sample = index / 3;
  if (index % 3 == 0) return draw_sample(Split::train, sample).prompt;
  const AskSample ask = ask_sample(Split::train, sample);
  return index % 3 == 1 ? ask.question : ask.answer;
}

bool draw_right(const Detection& found, const DrawSample& sample) {
  const Object& wanted = sample.scene.objects.front();
  if (found.objects.size() != 1 || found.objects[0].shape != wanted.shape) return false;
  return sample.category == "single_object" || found.objects[0].colour == wanted.colour;
}

}  // namespace janus
