// SPDX-License-Identifier: MIT
#include "kernels/ref/blocks.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>

#include "base/half.h"
#include "base/k_quant.h"

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

float scale_at(const std::byte* from) {
  uint16_t stored;
  std::memcpy(&stored, from, sizeof stored);
  return f16_to_f32(stored);
}

// Numbers of a block of a row of W: whole ones, and what they are multiplied by.
struct Codes {
  std::array<int, kBlock> w;
  float scale;
};

// Block `b` of q8_0 or q4_0.
Codes read_block(Dtype dtype, const std::byte* row, int64_t b) {
  const std::byte* block = row + b * traits(dtype).bytes;
  const std::byte* codes = block + 2;
  Codes read{{}, scale_at(block)};
  for (size_t k = 0; k < kBlock; ++k) {
    if (dtype == Dtype::q8_0) {
      read.w[k] = static_cast<int8_t>(codes[k]);
    } else {
      const int pair = std::to_integer<int>(codes[k % (kBlock / 2)]);
      read.w[k] = (k < kBlock / 2 ? pair & 15 : pair >> 4) - 8;
    }
  }
  return read;
}

// Σ q·w over n numbers.
int whole_sum(const int8_t* q, const int* w, int n) {
  int sum = 0;
  for (int k = 0; k < n; ++k) sum += q[k] * w[k];
  return sum;
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
  if (w.dtype == Dtype::q4_k) return times_q4_k(row);
  if (w.dtype == Dtype::q6_k) return times_q6_k(row);
  float y = 0;
  for (size_t b = 0; b < scale_.size(); ++b) {
    const Codes codes = read_block(w.dtype, row, static_cast<int64_t>(b));
    const int sum = whole_sum(&q_[b * kBlock], codes.w.data(), kBlock);
    const float scaled = static_cast<float>(sum) * scale_[b];
    y = y + scaled * codes.scale;
  }
  return y;
}

float BlockRow::times_q4_k(const std::byte* row) const {
  constexpr std::array<int, kBlock> kOnes = [] {
    std::array<int, kBlock> ones;
    ones.fill(1);
    return ones;
  }();
  float y = 0;
  for (size_t b = 0; b < scale_.size(); ++b) {
    const RunOfQ4K run =
        run_of_q4_k(row + b / 8 * traits(Dtype::q4_k).bytes, static_cast<int>(b % 8));
    const int8_t* q = &q_[b * kBlock];
    const auto sum = static_cast<float>(whole_sum(q, run.codes.data(), kBlock));
    const auto total = static_cast<float>(whole_sum(q, kOnes.data(), kBlock));
    y = std::fma(sum * scale_[b], run.step, y);
    y = std::fma(-total * scale_[b], run.below, y);
  }
  return y;
}

float BlockRow::times_q6_k(const std::byte* row) const {
  constexpr int kRun = 16;
  float y = 0;
  for (size_t at = 0; at < q_.size(); at += kRun) {
    const RunOfQ6K run =
        run_of_q6_k(row + at / 256 * traits(Dtype::q6_k).bytes, static_cast<int>(at % 256 / kRun));
    const auto sum = static_cast<float>(whole_sum(&q_[at], run.codes.data(), kRun));
    y = std::fma(sum * scale_[at / kBlock], run.step, y);
  }
  return y;
}

}  // namespace janus
