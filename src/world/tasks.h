// What a model is asked in Toyland: pictures for the codec, prompts to draw from, questions about
// pictures. A sample is a pure function of (split, index). The train split never holds a held-out
// pair, count, relation or phrasing; val and test mark those samples `held`. Train texts also vary
// in the ways people type (capitals, full stops, please, spelling, slips); val and test texts are
// plain. SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "world/description.h"
#include "world/scene.h"

namespace janus {

struct DrawSample {
  Scene scene;
  std::string category;  // GenEval's: single_object, two_object, counting, colors, position,
                         // color_attr; or "dense"
  std::string prompt;
  Description said;  // what the prompt says, its heads and typing aside
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
// One object: its class, or its class and colour. What a model is taught first.
DrawSample draw_sample(Split split, uint64_t index);
// GenEval's six categories. Of val and test each sixth index is of one category, and two of five
// samples that name counts, colours or relations are held out.
DrawSample prompt_sample(Split split, uint64_t index);
// One to four objects, all of them mentioned, with colours, sizes, places, relations, backdrop.
DrawSample dense_sample(Split split, uint64_t index);
// Either kind of prompt, three tenths of them dense, for composed scenes (world/composition.h). Of
// val and test six of seven indices are of a category each, the seventh is dense.
DrawSample gallery_sample(Split split, uint64_t index);
// Scenes of up to two objects; open_dialogue() has up to four.
AskSample ask_sample(Split split, uint64_t index);
// Up to `turns` questions of different kinds about one scene, the first being ask_sample's.
std::vector<AskSample> ask_dialogue(Split split, uint64_t index, int turns);
std::vector<AskSample> open_dialogue(Split split, uint64_t index, int turns);

// The objects that are named, each of its class and, where one is named, its colour, no others; and
// as a relation that is named has them.
bool draw_right(const Detection& found, const DrawSample& sample);

// The key words of the answer (of the kind asked for) equal those of the sample's, capitals,
// articles and full stops aside; digits count as number words.
bool answer_right(const std::string& answer, const AskSample& sample);

}  // namespace janus
