// Questions to be answered by yes or no, two about a picture. "exists" is in the manner of POPE:
// half of the classes asked for are there, the others are random, popular or near those that are.
// "pairs" is in the manner of MME: existence, count, position, colour, one yes and one no each.
// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <string>

#include "world/scene.h"

namespace janus {

struct YesNoSample {
  Scene scene;
  std::string part;  // random, popular, adversarial; or existence, count, position, color
  struct Question {
    std::string text;
    bool yes = false;
  };
  std::array<Question, 2> questions;
  bool held = false;
};

// The parts follow each other from index to index.
YesNoSample exists_sample(Split split, uint64_t index);
YesNoSample pairs_sample(Split split, uint64_t index);

// The classes whose silhouettes are nearest to one's own, nearest first.
inline constexpr int kNearest = 3;
const std::array<int, kNearest>& nearest_shapes(int shape);

// POPE's reading of an answer: yes or no, or neither.
enum class Verdict { no, yes, unknown };
Verdict yes_or_no(const std::string& answer);

}  // namespace janus
