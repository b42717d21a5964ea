// Products whose sums no rounding touches: a matrix of one 1 a row gives the row of x back, to the
// bit, in every type that holds f32 factors, at every level. SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>

#include "levels.h"
#include "op_inputs.h"

namespace janus {
namespace {

constexpr int64_t kInputs = 300, kOutputs = 40;

// Output o is x[(7·o) mod K].
OwnedTensor choosing_matrix() {
  OwnedTensor w(Dtype::f32, {kOutputs, kInputs});
  std::fill_n(w.view.f32(), w.view.count(), 0.0f);
  for (int64_t o = 0; o < kOutputs; ++o) w.view.row(o)[7 * o % kInputs] = 1;
  return w;
}

class Exact : public testing::TestWithParam<std::string> {};

TEST_P(Exact, OnesGiveTheRowBack) {
  const auto backend = open_level(GetParam(), 2);
  for (const Dtype dtype : {Dtype::f32, Dtype::bf16}) {
    const Weight w = pack(*backend, dtype, choosing_matrix().view);
    for (const int64_t rows : {1, 16, 17, 40}) {
      const OwnedTensor x = random_tensor(1, {rows, kInputs}), out(Dtype::f32, {rows, kOutputs});
      x.view.row(0)[0] = std::numeric_limits<float>::max();  // whose bf16 is infinite
      x.view.row(0)[7] = -0x1.fffffep-50f;
      backend->linear(x.view, w, out.view);
      for (int64_t r = 0; r < rows; ++r) {
        for (int64_t o = 0; o < kOutputs; ++o) {
          ASSERT_EQ(out.view.row(r)[o], x.view.row(r)[7 * o % kInputs])
              << traits(dtype).name << ", row " << r << " of " << rows << ", output " << o;
        }
      }
    }
  }
}

TEST_P(Exact, WhatIsNotFiniteStaysInItsRow) {
  const auto backend = open_level(GetParam(), 2);
  const Weight w = pack(*backend, Dtype::bf16, random_tensor(2, {kOutputs, kInputs}).view);
  for (const int64_t rows : {3, 40}) {
    for (const float bad : {std::numeric_limits<float>::infinity(), std::nanf("")}) {
      const OwnedTensor x = random_tensor(1, {rows, kInputs}), out(Dtype::f32, {rows, kOutputs});
      x.view.row(1)[259] = bad;
      backend->linear(x.view, w, out.view);
      for (int64_t r = 0; r < rows; ++r) {
        for (int64_t o = 0; o < kOutputs; ++o) {
          const float y = out.view.row(r)[o];
          ASSERT_TRUE(r != 1       ? std::isfinite(y)
                      : bad == bad ? std::isinf(y)
                                   : std::isnan(y))
              << rows << " rows, row " << r << ", output " << o << ": " << y;
        }
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Levels, Exact, testing::ValuesIn(tested_levels()),
                         [](const auto& level) { return level.param; });

}  // namespace
}  // namespace janus
