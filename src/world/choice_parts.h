// What the leaves of multiple choice share (choices.h), and the two of them about diagrams. Each is
// false where what was drawn for it does not suit and must be drawn again.
// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <vector>

#include "world/choices.h"

namespace janus {

// The question with the right option and up to three of the wrong ones, in any order: an order that
// options had of themselves would give away the one that was put in.
bool put_options(Philox& random, ChoiceSample& sample, std::string question,
                 const std::string& right, std::vector<std::string> wrong);

// A scene, or a diagram of one of the three kinds.
bool ask_picture_kind(Philox& random, Split split, ChoiceSample& sample);
// The highest bar, what comes after a step, which lamp lights.
bool ask_structure(Philox& random, Split split, ChoiceSample& sample);

}  // namespace janus
