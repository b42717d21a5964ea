// SPDX-License-Identifier: MIT
#include "kernels/ref/blocks.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>

#include "base/half.h"

namespace janus {
namespace {

constexpr int64_t kBlock = traits(Dtype::q8_0).block;
static_assert(kBlock == traits(Dtype::q4_0).block);

// By their bits, so that one that is not a number is the largest of all.
float largest_size(const float* x) {
  uint32_t largest = 0;
  for (int64_t i = 0; i < kBlock; ++i) {
    largest = std::max(largest, std::bit_cast<uint32_t>(x[i]) & 0x7fffffffu);
  }
  return std::bit_cast<float>(largest);
}

// The whole numbers of block `b` of a row, and its scale.
float read_block(Dtype dtype, const std::byte* row, int64_t b, std::array<int, kBlock>& w) {
  const std::byte* block = row + b * traits(dtype).bytes;
  uint16_t scale;
  std::memcpy(&scale, block, sizeof scale);
  const std::byte* codes = block + sizeof scale;
  for (size_t k = 0; k < kBlock; ++k) {
    if (dtype == Dtype::q8_0) {
      w[k] = static_cast<int8_t>(codes[k]);
    } else {
      const int pair = std::to_integer<int>(codes[k % (kBlock / 2)]);
      w[k] = (k < kBlock / 2 ? pair & 15 : pair >> 4) - 8;
    }
  }
  return f16_to_f32(scale);
}

}  // namespace

BlockRow::BlockRow(const float* x, int64_t inputs) : q_(static_cast<size_t>(inputs)) {
  for (int64_t begin = 0; begin < inputs; begin += kBlock) {
    const float largest = largest_size(x + begin);
    const float scale =
        largest < 0x1p-64f ? 0.0f : bf16_to_f32(f32_to_bf16(largest * (1.0f / 127.0f)));
    const float inverse = scale == 0.0f ? 0.0f : 1.0f / scale;
    scale_.push_back(scale);
    for (int64_t i = begin; i < begin + kBlock; ++i) {
      const float q = x[i] * inverse;
      // What is not finite is so by its scale already.
      q_[static_cast<size_t>(i)] =
          std::abs(q) < 128.0f ? static_cast<int8_t>(std::nearbyint(q)) : int8_t{0};
    }
  }
}

float BlockRow::times(const Weight& w, int64_t output) const {
  const std::byte* row = w.data.data() + output * bytes_of(w.dtype, w.inputs);
  std::array<int, kBlock> numbers;
  float y = 0;
  for (size_t b = 0; b < scale_.size(); ++b) {
    const float weight_scale = read_block(w.dtype, row, static_cast<int64_t>(b), numbers);
    int sum = 0;
    for (size_t k = 0; k < kBlock; ++k) sum += q_[b * kBlock + k] * numbers[k];
    const float scaled = static_cast<float>(sum) * scale_[b];
    y = y + scaled * weight_scale;
  }
  return y;
}

}  // namespace janus
