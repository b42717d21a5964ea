// What a product with weights in blocks means, as kernels/backend.h puts it in words.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/weight.h"

namespace janus {

// A row of x in blocks of 32.
class BlockRow {
 public:
  BlockRow(const float* x, int64_t inputs);

  // Its product with row `output` of a matrix of blocks.
  float times(const Weight& w, int64_t output) const;

 private:
  float times_q4_k(const std::byte* row) const;
  float times_q6_k(const std::byte* row) const;

  std::vector<int8_t> q_;     // [K]
  std::vector<float> scale_;  // [K / 32]
};

}  // namespace janus
