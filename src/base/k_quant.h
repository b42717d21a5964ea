// Blocks of 256 numbers in runs with scales of their own: q4_k and q6_k of ggml, as base/quant.h
// and the products of `ref` read them.
// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace janus {

// q4_k has 8 runs of 32; a number is step · code - below. Both are a whole number of 6 bits times
// an f16 of the block, which is exact in f32.
struct RunOfQ4K {
  std::array<int, 32> codes;  // 0 … 15
  float step, below;
};
RunOfQ4K run_of_q4_k(const std::byte* block, int run);

// Bytes of a block before its f16 scales; the other one of q4_k begins it.
inline constexpr int kBelowAtQ4K = 2, kScaleAtQ6K = 208;

// q6_k has 16 runs of 16; a number is step · code. The step is an int8 times an f16, exact again.
struct RunOfQ6K {
  std::array<int, 16> codes;  // -32 … 31
  float step;
};
RunOfQ6K run_of_q6_k(const std::byte* block, int run);

// Sizes from which on numbers are beyond the type: half a step above the largest f16, times the
// largest factors of either sign.
inline constexpr float kLimitQ4K = 65520.0f * 63, kLimitQ6K = 65520.0f * 127 * 32;

// n numbers, whole blocks. Scales are searched for those that lose the least, by the sum of
// squares. A block with a number beyond the type gets a scale that is infinite.
void encode_q4_k(const float* from, std::byte* to, int64_t n);
void encode_q6_k(const float* from, std::byte* to, int64_t n);
void decode_q4_k(const std::byte* from, float* to, int64_t n);
void decode_q6_k(const std::byte* from, float* to, int64_t n);

}  // namespace janus
