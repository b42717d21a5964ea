// GroupNorm followed by SiLU, forward and backward, on plain memory with channels innermost. In
// libtorch 2.15 this pair took half of a training step of the codec in that layout
// (docs/training.md has the figures); here it is two sweeps each way. Next: group_norm_silu in
// codec.cc.
//
// Letters: R positions of one picture, C channels, K groups.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

namespace janus::train {

struct NormShape {
  int64_t rows;      // R
  int64_t channels;  // C, at most kMaxNormChannels
  int64_t groups;    // K, divides C
  float eps;
};
inline constexpr int64_t kMaxNormChannels = 1024;

// One picture: y = silu((x - mean) * rstd * weight + bias).   x, y [R, C]; mean, rstd [K] are kept
// for the way back. Element: float, or uint16_t holding bf16.
template <class Element>
void norm_silu(const NormShape& shape, const Element* x, const float* weight, const float* bias,
               Element* y, float* mean, float* rstd);

// The gradients: dx [R, C] is written, dweight and dbias [C] are added to.
template <class Element>
void norm_silu_back(const NormShape& shape, const Element* x, const Element* dy,
                    const float* weight, const float* bias, const float* mean, const float* rstd,
                    Element* dx, float* dweight, float* dbias);

}  // namespace janus::train
