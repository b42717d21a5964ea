// How far a convolution by Winograd's tiles may be from the plain sum. Its intermediate numbers are
// larger than the terms of that sum and cancel at the end, so the bound is taken from their sizes:
// the same transforms with every factor and every number taken positive.
// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cmath>
#include <vector>

#include "base/tensor.h"

namespace janus {

class WinogradSizes {
 public:
  // x [n, h, w, c] and filters [O, 3·3·c], of any sign; a convolution of stride 1 that pads `pad`.
  WinogradSizes(const Tensor& x, const Tensor& filters, int pad) : x_(x), pad_(pad) {
    for (int64_t o = 0; o < filters.rows(); ++o) {
      for (int64_t c = 0; c < x.shape[3]; ++c) {
        double filter[9];
        for (int i = 0; i < 9; ++i) filter[i] = size_of(filters.row(o)[i * x.shape[3] + c]);
        filters_.push_back(transformed(&kFilter[0][0], 3, filter));
      }
    }
  }

  // Σ of sizes behind the outputs of one tile of 4×4: [O][16].
  std::vector<std::array<double, 16>> of_tile(int64_t image, int64_t top, int64_t left) const {
    const auto channels = static_cast<size_t>(x_.shape[3]);
    std::vector<Spots> windows;
    for (size_t c = 0; c < channels; ++c) {
      double window[36];
      for (int i = 0; i < 36; ++i) {
        window[i] = pixel(image, top + i / 6, left + i % 6, static_cast<int64_t>(c));
      }
      windows.push_back(transformed(&kWindow[0][0], 6, window));
    }
    std::vector<std::array<double, 16>> outputs(filters_.size() / channels);
    for (size_t o = 0; o < outputs.size(); ++o) {
      Spots sums{};
      for (size_t c = 0; c < channels; ++c) {
        const Spots& filter = filters_[o * channels + c];
        for (size_t i = 0; i < 36; ++i) sums[i] += windows[c][i] * filter[i];
      }
      for (size_t at = 0; at < 16; ++at) {
        for (size_t i = 0; i < 36; ++i) {
          outputs[o][at] += kOutput[at / 4][i / 6] * kOutput[at % 4][i % 6] * sums[i];
        }
      }
    }
    return outputs;
  }

 private:
  using Spots = std::array<double, 36>;

  static double size_of(float v) { return std::fabs(static_cast<double>(v)); }

  double pixel(int64_t image, int64_t y, int64_t x, int64_t channel) const {
    y -= pad_;
    x -= pad_;
    if (y < 0 || y >= x_.shape[1] || x < 0 || x >= x_.shape[2]) return 0;
    const int64_t row = (image * x_.shape[1] + y) * x_.shape[2] + x;
    return size_of(x_.f32()[row * x_.shape[3] + channel]);
  }

  // M·d·Mᵀ for a factor M [6, n] and d [n, n].
  static Spots transformed(const double* m, int n, const double* d) {
    Spots out{};
    for (int at = 0; at < 36; ++at) {
      for (int i = 0; i < n * n; ++i) {
        out[static_cast<size_t>(at)] += m[at / 6 * n + i / n] * m[at % 6 * n + i % n] * d[i];
      }
    }
    return out;
  }

  // |Bᵀ|, |G| and |Aᵀ| of kernels/cpu/winograd.inl.
  static constexpr double kWindow[6][6] = {{4, 0, 5, 0, 1, 0}, {0, 4, 4, 1, 1, 0},
                                           {0, 4, 4, 1, 1, 0}, {0, 2, 1, 2, 1, 0},
                                           {0, 2, 1, 2, 1, 0}, {0, 4, 0, 5, 0, 1}};
  static constexpr double kFilter[6][3] = {{1. / 4, 0, 0},
                                           {1. / 6, 1. / 6, 1. / 6},
                                           {1. / 6, 1. / 6, 1. / 6},
                                           {1. / 24, 1. / 12, 1. / 6},
                                           {1. / 24, 1. / 12, 1. / 6},
                                           {0, 0, 1}};
  static constexpr double kOutput[4][6] = {
      {1, 1, 1, 1, 1, 0}, {0, 1, 1, 2, 2, 0}, {0, 1, 1, 4, 4, 0}, {0, 1, 1, 8, 8, 1}};

  Tensor x_;
  int pad_;
  std::vector<Spots> filters_;  // [O][c]
};

}  // namespace janus
