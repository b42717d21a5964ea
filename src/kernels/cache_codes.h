// Keys and values in 8 bits, as kernels/backend.h has it: one head of one position is whole numbers
// and their scale. One function for all backends, so that all hold the same numbers.
// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>

namespace janus {

// x [H] -> codes [H] and what each is to be multiplied by.
inline float encode_cache_row(const float* x, int64_t width, int8_t* codes) {
  uint32_t largest = 0;  // by its bits, so that one that is not a number is the largest of all
  for (int64_t i = 0; i < width; ++i) {
    largest = std::max(largest, std::bit_cast<uint32_t>(x[i]) & 0x7fffffffu);
  }
  const float most = std::bit_cast<float>(largest);
  const float scale = most < 0x1p-64f ? 0.0f : most * (1.0f / 127.0f);
  const float inverse = scale == 0.0f ? 0.0f : 1.0f / scale;
  for (int64_t i = 0; i < width; ++i) {
    const float q = x[i] * inverse;
    // What is not finite is so by its scale already.
    codes[i] = std::abs(q) < 128.0f ? static_cast<int8_t>(std::nearbyint(q)) : int8_t{0};
  }
  return scale;
}

}  // namespace janus
