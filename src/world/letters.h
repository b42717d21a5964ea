// The letters that name the parts of a diagram. SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "base/rng.h"

namespace janus {

inline constexpr std::string_view kLetters = "ABCDEFGH";

template <class List>
void shuffle(Philox& random, List& list) {
  for (size_t i = list.size(); i > 1; --i) {
    std::swap(list[i - 1], list[static_cast<size_t>(random.below(static_cast<int>(i)))]);
  }
}

// `n` different ones in any order.
inline std::string draw_letters(Philox& random, int n) {
  std::string letters(kLetters);
  shuffle(random, letters);
  letters.resize(static_cast<size_t>(n));
  return letters;
}

}  // namespace janus
