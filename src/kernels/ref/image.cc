// Operations of `ref` on images [n, h, w, c].
// SPDX-License-Identifier: MIT
#include <algorithm>
#include <cmath>

#include "kernels/ref/backend.h"
#include "kernels/ref/sum.h"

namespace janus {
namespace {

// Mean of term(element) over the group's channels of every pixel.
template <class Term>
float group_mean(const float* image, int64_t pixels, int64_t channels, int64_t begin, int64_t size,
                 const Term& term) {
  const float sum = ordered_sum(pixels, [=](int64_t p) {
    const float* x = image + p * channels + begin;
    return ordered_sum(size, [=](int64_t i) { return term(x[i]); });
  });
  return sum / static_cast<float>(pixels * size);
}

}  // namespace

void RefBackend::do_group_norm(Tensor x, Tensor weight, Tensor bias, int groups, float eps,
                               bool silu, Tensor out) const {
  const int64_t pixels = x.shape[1] * x.shape[2], channels = x.shape[3];
  const int64_t size = channels / groups;
  for (int64_t n = 0; n < x.shape[0]; ++n) {
    const float* from = x.row(n * pixels);
    float* to = out.row(n * pixels);
    for (int64_t begin = 0; begin < channels; begin += size) {
      const float mean = group_mean(from, pixels, channels, begin, size, [](float v) { return v; });
      const float variance = group_mean(from, pixels, channels, begin, size,
                                        [mean](float v) { return (v - mean) * (v - mean); });
      const float factor = 1.0f / std::sqrt(variance + eps);
      for (int64_t i = 0; i < pixels * size; ++i) {
        const int64_t c = begin + i % size;
        const int64_t at = i / size * channels + c;
        const float y = (from[at] - mean) * factor * weight.f32()[c] + bias.f32()[c];
        to[at] = silu ? y / (1.0f + std::exp(-y)) : y;
      }
    }
  }
}

void RefBackend::do_upsample2x(Tensor x, Tensor out) const {
  const int64_t height = out.shape[1], width = out.shape[2];
  for (int64_t p = 0; p < out.rows(); ++p) {
    const int64_t ox = p % width, oy = p / width % height, image = p / width / height;
    const float* from = x.row((image * x.shape[1] + oy / 2) * x.shape[2] + ox / 2);
    std::copy_n(from, x.shape[3], out.row(p));
  }
}

}  // namespace janus
