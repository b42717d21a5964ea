// What a model is asked in Toyland: pictures for the codec, prompts to draw from, questions about
// pictures. A sample is a pure function of (split, index). The train split never holds a held-out
// pair, count, relation or phrasing; val and test mark those samples `held`. Train texts also vary
// in the ways people type (capitals, full stops, please, spelling, slips); val and test texts are
// plain. SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "world/detect.h"
#include "world/scene.h"

namespace janus {

struct DrawSample {
  Scene scene;
  std::string category;  // "single_object" (the class is named) or "colors" (class and colour)
  std::string prompt;
  bool held = false;
};

struct AskSample {
  Scene scene;
  std::string
      kind;  // what, colour, count, where, relation, exists, shape, beside, bigger, backdrop
  std::string question;
  std::string answer;
  bool held = false;
};

// 0 to 2 objects, held-out combinations included: the codec's job is pixels alone.
Scene codec_scene(Split split, uint64_t index);
DrawSample draw_sample(Split split, uint64_t index);
AskSample ask_sample(Split split, uint64_t index);
// Up to `turns` questions of different kinds about one scene, the first being ask_sample's.
std::vector<AskSample> ask_dialogue(Split split, uint64_t index, int turns);

// A line of the train split's texts (a prompt, a question or an answer), to train a tokenizer on.
std::string world_text(uint64_t index);

// Exactly one object, of the class asked for, and of the colour where one is named.
bool draw_right(const Detection& found, const DrawSample& sample);

// The key words of the answer (of the kind asked for) equal those of the sample's, capitals,
// articles and full stops aside; digits count as number words.
bool answer_right(const std::string& answer, const AskSample& sample);

}  // namespace janus
