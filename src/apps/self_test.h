// A few operations of a backend held against `ref`: whether this processor computes what the
// program means. The tests of the tree do the same over many more shapes.
// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <vector>

#include "kernels/backend.h"

namespace janus {

struct OperationResult {
  std::string operation;
  double error = 0;  // largest difference, as a share of the largest value of `ref`
  bool ok = false;
};

// How far a backend may be from `ref`. All sums here have at most 300 terms of about one size;
// rounding each addition gives at most 300 · 2^-24 of the sum of magnitudes, which is below a tenth
// of a thousandth of the largest result, and so are the larger numbers within a convolution by
// tiles. A kernel that drops, swaps or repeats a term is far above.
inline constexpr double kSelfTestBound = 1e-4;

std::vector<OperationResult> self_test(const Backend& backend, const Backend& ref);

}  // namespace janus
