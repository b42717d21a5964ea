// The order in which `ref` adds: 16 lanes side by side, each in rising order within blocks of
// kSumBlock elements; lanes are added pairwise, blocks one after another. Short chains keep f32
// sums over ten thousand terms within a few units in the last place, and lanes let a compiler use
// vectors.
// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstdint>

namespace janus {

inline constexpr int kSumLanes = 16;
inline constexpr int64_t kSumBlock = 1024;

// Σ term(i) for i in [0, n).
template <class Term>
float ordered_sum(int64_t n, const Term& term) {
  float total = 0;
  for (int64_t begin = 0; begin < n; begin += kSumBlock) {
    const int64_t end = std::min(n, begin + kSumBlock);
    float lane[kSumLanes] = {};
    int64_t i = begin;
    for (; i + kSumLanes <= end; i += kSumLanes) {
      for (int j = 0; j < kSumLanes; ++j) lane[j] += term(i + j);
    }
    for (int j = 0; i < end; ++i, ++j) lane[j] += term(i);
    for (int width = kSumLanes / 2; width > 0; width /= 2) {
      for (int j = 0; j < width; ++j) lane[j] += lane[j + width];
    }
    total += lane[0];
  }
  return total;
}

}  // namespace janus
