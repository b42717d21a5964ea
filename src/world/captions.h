// Captions of scenes, short and long, and their score: a caption is read back into what it says
// and compared with what could be said, fact by fact.
// SPDX-License-Identifier: MIT
#pragma once

#include <string>

#include "world/description.h"

namespace janus {

struct CaptionSample {
  Scene scene;
  bool long_form = false;
  std::string question;
  std::string answer;
  bool held = false;
};

// Scenes of one to four objects; every other one of val and test asks for the long form.
CaptionSample caption_sample(Split split, uint64_t index);

// One phrase with as much as is said in a breath: colours and, of one object, its place, of two,
// their relation if words may tell it; objects alike are counted together.
std::string short_caption(const Scene& scene);

// A sentence an object in reading order, then the backdrop.
std::string long_caption(const Scene& scene);

// Facts the answer shares with the sample's own, as F1.
double caption_score(const std::string& answer, const CaptionSample& sample);

}  // namespace janus
