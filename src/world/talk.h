// Turns of text without a picture: sums, orders, letters, small facts, what the model is, and
// polite refusals of what lies outside its world, so that it does not babble.
// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <vector>

#include "world/scene.h"

namespace janus {

struct TalkSample {
  std::string family;  // "add", "opposite", …; "refusal"
  struct Said {
    std::string question;
    std::string answer;
  };
  std::vector<Said> turns;  // one, or two where the second goes on from the first
  bool held = false;
};

// Of val and test each fifth sample is of things outside the world.
TalkSample talk_sample(Split split, uint64_t index);

// Equal but for capitals, punctuation and spaces.
bool says_the_same(const std::string& answer, const std::string& truth);

}  // namespace janus
