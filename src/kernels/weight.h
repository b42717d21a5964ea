// Weight: a matrix as a backend wants it. Made by Backend::pack at load, immutable afterwards.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "base/buffer.h"
#include "base/dtype.h"

namespace janus {

// Rows of a matrix on their way in: fills `out` with row `index` in f32. Called once per row, in
// rising order, from one thread, so that a source file can be read once and dropped behind.
using RowSource = std::function<void(int64_t index, std::span<float> out)>;

// The same as whole blocks of the matrix's storage type, in ggml's bytes (base/quant.h).
using BlockSource = std::function<void(int64_t index, std::span<std::byte> out)>;

struct LowRankAddition;

// W [O, K] for y = x·Wᵀ + b. A convolution is the same with K = kernel·kernel·c in (ky, kx, c)
// order.
struct Weight {
  int64_t outputs = 0;                     // O, but for those behind
  int64_t inputs = 0;                      // K
  Dtype dtype = Dtype::f32;                // of the packed elements: f32, bf16 or one of blocks
  Buffer data;                             // the backend's own layout
  OwnedTensor bias;                        // [O] f32, or empty
  std::vector<LowRankAddition> additions;  // in the order in which they are added
  // Further outputs of the same inputs, where these have other types; no additions of their own.
  std::vector<Weight> behind;

  int64_t all_outputs() const;
  int64_t bytes() const;  // without the additions
};

// y[:, first …] += (x·Aᵀ)·Bᵀ beside the product of a matrix.
struct LowRankAddition {
  int64_t first = 0;  // the first of the outputs that it adds to
  Weight a;           // [rank, K], no bias
  Weight b;           // [outputs, rank], no bias
};

inline int64_t Weight::all_outputs() const {
  int64_t all = outputs;
  for (const Weight& part : behind) all += part.outputs;
  return all;
}
inline int64_t Weight::bytes() const {
  int64_t all = data.bytes() + bias.buffer.bytes();
  for (const Weight& part : behind) all += part.bytes();
  return all;
}

// Rows to be looked up by id. [V, D], row-major.
struct Table {
  int64_t entries = 0;  // V
  int64_t width = 0;    // D
  OwnedTensor rows;     // f32 or bf16

  int64_t bytes() const { return rows.buffer.bytes(); }
};

// A square convolution over NHWC images.
struct Conv {
  Weight weight;  // [O, kernel·kernel·c]
  int kernel = 1;
  int stride = 1;
  int pad_before = 0;  // zeros above and left
  int pad_after = 0;   // zeros below and right

  int64_t output_size(int64_t size) const {
    return (size + pad_before + pad_after - kernel) / stride + 1;
  }
};

}  // namespace janus
