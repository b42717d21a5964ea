// Rows of length one, as the codec compares its vectors. (torch.nn.functional.normalize)
// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cmath>
#include <span>

#include "base/tensor.h"

namespace janus {

// x /= max(|x|, 1e-12), each row.  x [R, E]
inline void make_rows_unit(Tensor x) {
  for (int64_t r = 0; r < x.rows(); ++r) {
    const std::span<float> row(x.row(r), static_cast<size_t>(x.cols()));
    float squares = 0;
    for (const float v : row) squares += v * v;
    const float length = std::max(std::sqrt(squares), 1e-12f);
    for (float& v : row) v /= length;
  }
}

}  // namespace janus
