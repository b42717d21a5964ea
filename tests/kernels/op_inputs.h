// Inputs for the operation tests and benches: reproducible random tensors, weights and caches.
// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cmath>
#include <cstring>
#include <initializer_list>
#include <vector>

#include "base/half.h"
#include "base/quant.h"
#include "base/rng.h"
#include "kernels/backend.h"

namespace janus {

// A dense tensor of uniform numbers in [low, high), another for every name.
inline OwnedTensor random_tensor(uint64_t name, std::initializer_list<int64_t> shape,
                                 float low = -1.0f, float high = 1.0f) {
  OwnedTensor t(Dtype::f32, shape);
  Philox random(0x6a616e7573ULL, name);
  float* p = t.view.f32();
  for (int64_t i = 0; i < t.view.count(); ++i) {
    p[i] = static_cast<float>(random.uniform(static_cast<double>(low), static_cast<double>(high)));
  }
  return t;
}

inline OwnedTensor copy_of(const Tensor& x) {
  OwnedTensor t(Dtype::f32, {x.rows(), x.cols()});
  for (int64_t r = 0; r < x.rows(); ++r) std::copy_n(x.row(r), x.cols(), t.view.row(r));
  return t;
}

inline OwnedTensor absolute(const Tensor& x) {
  OwnedTensor t = copy_of(x);
  float* p = t.view.f32();
  std::transform(p, p + t.view.count(), p, [](float v) { return std::fabs(v); });
  return t;
}

// The values a matrix holds once stored in `dtype`.
inline OwnedTensor stored(OwnedTensor t, Dtype dtype) {
  float* p = t.view.f32();
  if (dtype == Dtype::bf16) {
    std::transform(p, p + t.view.count(), p, [](float v) { return bf16_to_f32(f32_to_bf16(v)); });
  } else if (traits(dtype).block > 1) {
    const std::span<float> values(p, static_cast<size_t>(t.view.count()));
    std::vector<std::byte> blocks(static_cast<size_t>(bytes_of(dtype, t.view.count())));
    encode(dtype, values, blocks);
    decode(dtype, blocks, 0, values);
  }
  return t;
}

// values [O, K], bias [O] or empty.
inline Weight pack(const Backend& backend, Dtype dtype, const Tensor& values,
                   const Tensor& bias = {}) {
  const auto rows = [&](int64_t index, std::span<float> out) {
    std::copy_n(values.row(index), values.cols(), out.begin());
  };
  std::span<const float> offsets;
  if (bias) offsets = {bias.f32(), static_cast<size_t>(bias.count())};
  return backend.pack(dtype, values.rows(), values.cols(), rows, offsets);
}

inline RopeTable random_rope(int64_t positions, int64_t half) {
  return {random_tensor(71, {positions, half}), random_tensor(72, {positions, half})};
}

// A cache of one layer with its block table, in which no sequence's blocks lie in order.
struct TestCache {
  Buffer memory;
  std::vector<int32_t> table;
  int64_t per_sequence;
  KvLayer layer;

  TestCache(const Backend& backend, Dtype dtype, int heads, int width, int sequences,
            int64_t positions)
      : per_sequence((positions + kKvBlock - 1) / kKvBlock) {
    const int64_t blocks = per_sequence * sequences;
    const int64_t block = backend.kv_block_bytes(dtype, heads, width);
    memory = Buffer(2 * block * blocks);
    // Slots nobody has written must not matter: fill them with not-a-numbers.
    std::memset(memory.data(), 0xff, static_cast<size_t>(memory.bytes()));
    for (int64_t i = 0; i < blocks; ++i) table.push_back(static_cast<int32_t>(blocks - 1 - i));
    // A block's keys and values side by side, as in a cache of one layer.
    layer = {dtype, heads, width, blocks, 2 * block, memory.data(), memory.data() + block};
  }
};

// The places of a step's rows, and the memory behind their spans.
struct TestRows {
  std::vector<int32_t> sequence, position;

  void add(int32_t s, int64_t p) {
    sequence.push_back(s);
    position.push_back(static_cast<int32_t>(p));
  }
  Rows in(const TestCache& cache) const {
    return {sequence, position, cache.table, cache.per_sequence};
  }
};

}  // namespace janus
