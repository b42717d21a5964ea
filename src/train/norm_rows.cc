// See norm_rows.h. The loops over channels are written for the compiler's vectoriser; each sweep is
// compiled for three levels of vector instructions and the loader picks.
// SPDX-License-Identifier: MIT
#include "train/norm_rows.h"

#include <array>
#include <bit>
#include <cmath>

#include "base/half.h"

namespace janus::train {
namespace {

#define JANUSPRO_LEVELS \
  __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))

using Channels = std::array<float, kMaxNormChannels>;

inline float load(float x) { return x; }
inline float load(uint16_t x) { return std::bit_cast<float>(static_cast<uint32_t>(x) << 16); }
inline void store(float x, float& out) { out = x; }
// Rounds to nearest even; the values are finite.
inline void store(float x, uint16_t& out) {
  const auto u = std::bit_cast<uint32_t>(x);
  out = static_cast<uint16_t>((u + 0x7fffu + ((u >> 16) & 1u)) >> 16);
}

// exp(-x) for the sigmoid, within 2e-7 of it relatively: 2^k times a polynomial on [-.5, .5] ln 2.
inline float exp_minus(float x) {
  float t = x * -1.44269504f;
  t = t < -126.f ? -126.f : (t > 126.f ? 126.f : t);
  const float k = static_cast<float>(static_cast<int32_t>(t + (t < 0 ? -0.5f : 0.5f)));
  const float r = (t - k) * 0.69314718f;
  const float p =
      1 + r * (1 + r * (0.5f + r * (0.16666667f +
                                    r * (0.041666667f + r * (0.0083333333f + r * 0.0013888889f)))));
  return p * std::bit_cast<float>((static_cast<int32_t>(k) + 127) << 23);
}

// Sums of x and x² per channel.
template <class Element>
JANUSPRO_LEVELS void sums(int64_t rows, int64_t channels, const Element* __restrict x,
                          float* __restrict sum, float* __restrict square) {
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t c = 0; c < channels; ++c) {
      const float v = load(x[r * channels + c]);
      sum[c] += v;
      square[c] += v * v;
    }
  }
}

// y = silu(x * scale + shift)
template <class Element>
JANUSPRO_LEVELS void apply(int64_t rows, int64_t channels, const Element* __restrict x,
                           const float* __restrict scale, const float* __restrict shift,
                           Element* __restrict y) {
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t c = 0; c < channels; ++c) {
      const float z = load(x[r * channels + c]) * scale[c] + shift[c];
      store(z / (1 + exp_minus(z)), y[r * channels + c]);
    }
  }
}

// Gradient before the SiLU.
inline float before_silu(float dy, float z) {
  const float s = 1 / (1 + exp_minus(z));
  return dy * s * (1 + z * (1 - s));
}

// Sums of dz and dz * x per channel.
template <class Element>
JANUSPRO_LEVELS void back_sums(int64_t rows, int64_t channels, const Element* __restrict x,
                               const Element* __restrict dy, const float* __restrict scale,
                               const float* __restrict shift, float* __restrict sum,
                               float* __restrict product) {
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t c = 0; c < channels; ++c) {
      const float v = load(x[r * channels + c]);
      const float dz = before_silu(load(dy[r * channels + c]), v * scale[c] + shift[c]);
      sum[c] += dz;
      product[c] += dz * v;
    }
  }
}

// dx = scale * dz + slope * x + level
template <class Element>
JANUSPRO_LEVELS void back_apply(int64_t rows, int64_t channels, const Element* __restrict x,
                                const Element* __restrict dy, const float* __restrict scale,
                                const float* __restrict shift, const float* __restrict slope,
                                const float* __restrict level, Element* __restrict dx) {
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t c = 0; c < channels; ++c) {
      const float v = load(x[r * channels + c]);
      const float dz = before_silu(load(dy[r * channels + c]), v * scale[c] + shift[c]);
      store(scale[c] * dz + slope[c] * v + level[c], dx[r * channels + c]);
    }
  }
}

constexpr int64_t kBlock = 256;  // rows added up in f32 before they join the double sums

// f(first, rows, a, b) adds up two sums per channel over a block of rows; totals in double.
template <class F>
void in_blocks(const NormShape& shape, std::array<double, kMaxNormChannels>& first,
               std::array<double, kMaxNormChannels>& second, const F& f) {
  Channels a, b;
  for (int64_t c = 0; c < shape.channels; ++c) first[c] = second[c] = 0;
  for (int64_t begin = 0; begin < shape.rows; begin += kBlock) {
    for (int64_t c = 0; c < shape.channels; ++c) a[c] = b[c] = 0;
    const int64_t count = shape.rows - begin < kBlock ? shape.rows - begin : kBlock;
    f(begin * shape.channels, count, a.data(), b.data());
    for (int64_t c = 0; c < shape.channels; ++c) {
      first[c] += a[c];
      second[c] += b[c];
    }
  }
}

// Per channel: silu's argument is x * scale + shift.
void affine(const NormShape& shape, const float* weight, const float* bias, const float* mean,
            const float* rstd, Channels& scale, Channels& shift) {
  const int64_t width = shape.channels / shape.groups;
  for (int64_t c = 0; c < shape.channels; ++c) {
    const int64_t k = c / width;
    scale[c] = weight[c] * rstd[k];
    shift[c] = bias[c] - mean[k] * scale[c];
  }
}

}  // namespace

template <class Element>
void norm_silu(const NormShape& shape, const Element* x, const float* weight, const float* bias,
               Element* y, float* mean, float* rstd) {
  std::array<double, kMaxNormChannels> sum, square;
  in_blocks(shape, sum, square, [&](int64_t at, int64_t rows, float* a, float* b) {
    sums(rows, shape.channels, x + at, a, b);
  });
  const int64_t width = shape.channels / shape.groups;
  const auto count = static_cast<double>(shape.rows * width);
  for (int64_t k = 0; k < shape.groups; ++k) {
    double total = 0, squares = 0;
    for (int64_t c = k * width; c < (k + 1) * width; ++c) {
      total += sum[c];
      squares += square[c];
    }
    const double centre = total / count;
    const double variance = squares / count - centre * centre;
    mean[k] = static_cast<float>(centre);
    rstd[k] = static_cast<float>(1 / std::sqrt((variance > 0 ? variance : 0) + shape.eps));
  }
  Channels scale, shift;
  affine(shape, weight, bias, mean, rstd, scale, shift);
  apply(shape.rows, shape.channels, x, scale.data(), shift.data(), y);
}

template <class Element>
void norm_silu_back(const NormShape& shape, const Element* x, const Element* dy,
                    const float* weight, const float* bias, const float* mean, const float* rstd,
                    Element* dx, float* dweight, float* dbias) {
  Channels scale, shift;
  affine(shape, weight, bias, mean, rstd, scale, shift);
  std::array<double, kMaxNormChannels> sum, product;
  in_blocks(shape, sum, product, [&](int64_t at, int64_t rows, float* a, float* b) {
    back_sums(rows, shape.channels, x + at, dy + at, scale.data(), shift.data(), a, b);
  });
  const int64_t width = shape.channels / shape.groups;
  const auto count = static_cast<double>(shape.rows * width);
  Channels slope, level;
  for (int64_t k = 0; k < shape.groups; ++k) {
    double plain = 0, along = 0;  // means over the group of w dz and w dz x̂
    for (int64_t c = k * width; c < (k + 1) * width; ++c) {
      const double hat = (product[c] - mean[k] * sum[c]) * rstd[k];  // sum of dz x̂
      dweight[c] += static_cast<float>(hat);
      dbias[c] += static_cast<float>(sum[c]);
      plain += weight[c] * sum[c] / count;
      along += weight[c] * hat / count;
    }
    // dx = rstd (w dz - plain - x̂ along), with x̂ = (x - mean) rstd
    const double bend = -along * rstd[k] * rstd[k];
    for (int64_t c = k * width; c < (k + 1) * width; ++c) {
      slope[c] = static_cast<float>(bend);
      level[c] = static_cast<float>(-plain * rstd[k] - bend * mean[k]);
    }
  }
  back_apply(shape.rows, shape.channels, x, dy, scale.data(), shift.data(), slope.data(),
             level.data(), dx);
}

template void norm_silu(const NormShape&, const float*, const float*, const float*, float*, float*,
                        float*);
template void norm_silu(const NormShape&, const uint16_t*, const float*, const float*, uint16_t*,
                        float*, float*);
template void norm_silu_back(const NormShape&, const float*, const float*, const float*,
                             const float*, const float*, const float*, float*, float*, float*);
template void norm_silu_back(const NormShape&, const uint16_t*, const uint16_t*, const float*,
                             const float*, const float*, const float*, uint16_t*, float*, float*);

}  // namespace janus::train
