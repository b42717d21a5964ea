// From templates to texts: choosing a phrasing (the last sixth of each list is held out of
// training), filling its gaps, and, for training, varying it in the ways people type.
// SPDX-License-Identifier: MIT
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "world/scene.h"

namespace janus {

// An index, each drawn in proportion to its weight.
int pick(Philox& random, std::span<const double> weights);

struct Phrasing {
  std::string_view text;
  bool held;
};
Phrasing choose_phrasing(Philox& random, Split split, std::span<const std::string_view> list);

// Replaces each "{gap}" by its words.
using Gaps = std::vector<std::pair<std::string_view, std::string>>;
std::string fill(std::string_view text, const Gaps& gaps);

// The runs of letters and digits of a text, as they are written; everything else parts them.
std::vector<std::string> words_of(std::string_view text);
std::string lower(std::string_view text);

// A digit for a number, capital, full stop, please, spelling of colour, a question mark or an
// article left out, a wrong article, a slip of one letter.
std::string as_typed(Philox& random, std::string text);

// A prompt as it is given: in training with one of six beginnings and as people type, else with
// the benchmark's own, "a photo of".
std::string with_head(Philox& random, Split split, const std::string& words);

}  // namespace janus
