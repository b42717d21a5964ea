// Matrices of `ref`: stored row-major [O, K] as they are given; f32 and bf16 are widened to f32
// before they are used, blocks are multiplied as kernels/backend.h says (blocks.h). A convolution
// is a sum over the taps that fall inside the image. SPDX-License-Identifier: MIT
#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "base/half.h"
#include "kernels/ref/backend.h"
#include "kernels/ref/blocks.h"
#include "kernels/ref/sum.h"

namespace janus {
namespace {

// Row o of the matrix in f32; `spare` [K] holds it where it is stored narrower.
const float* weight_row(const Weight& w, int64_t o, std::vector<float>& spare) {
  const std::byte* row = w.data.data() + o * w.inputs * traits(w.dtype).bytes;
  if (w.dtype == Dtype::f32) return reinterpret_cast<const float*>(row);
  const auto* narrow = reinterpret_cast<const uint16_t*>(row);
  spare.resize(static_cast<size_t>(w.inputs));
  std::transform(narrow, narrow + w.inputs, spare.begin(), bf16_to_f32);
  return spare.data();
}

float gelu(float t) { return 0.5f * t * (1.0f + std::erf(t * 0.70710678f)); }

float finish(float sum, const Weight& w, int64_t o, float before, Epilogue epilogue) {
  const float y = w.bias.view ? sum + w.bias.view.f32()[o] : sum;
  switch (epilogue) {
    case Epilogue::store:
      return y;
    case Epilogue::add:
      return before + y;
    case Epilogue::gelu:
      return gelu(y);
    case Epilogue::add_gelu:
      return gelu(before + y);
  }
  return y;
}

float dot(const float* a, const float* b, int64_t n) {
  return ordered_sum(n, [=](int64_t i) { return a[i] * b[i]; });
}

}  // namespace

int64_t RefBackend::do_packed_bytes(Dtype dtype, int64_t outputs, int64_t inputs) const {
  return bytes_of(dtype, outputs * inputs);
}

void RefBackend::do_place(Weight& w, int64_t first, std::span<const std::byte> rows) const {
  std::ranges::copy(rows, w.data.data() + first * bytes_of(w.dtype, w.inputs));
}

void RefBackend::do_share_out(int64_t n, const std::function<void(int64_t)>& fn) const {
  for (int64_t i = 0; i < n; ++i) fn(i);
}

void RefBackend::do_linear(Tensor x, const Weight& w, Tensor out, Epilogue epilogue) const {
  if (multiplied_as_stored(w.dtype)) {
    for (int64_t r = 0; r < x.rows(); ++r) {
      const BlockRow row(x.row(r), w.inputs);
      for (int64_t o = 0; o < w.outputs; ++o) {
        float& y = out.row(r)[o];
        y = finish(row.times(w, o), w, o, y, epilogue);
      }
    }
    return;
  }
  std::vector<float> spare;
  for (int64_t o = 0; o < w.outputs; ++o) {
    const float* row = weight_row(w, o, spare);
    for (int64_t r = 0; r < x.rows(); ++r) {
      float& y = out.row(r)[o];
      y = finish(dot(x.row(r), row, w.inputs), w, o, y, epilogue);
    }
  }
}

void RefBackend::do_conv2d(Tensor x, const Conv& conv, Tensor out, Epilogue epilogue,
                           const Pause&) const {
  const int64_t height = x.shape[1], width = x.shape[2], channels = x.shape[3];
  std::vector<float> patch(static_cast<size_t>(conv.weight.inputs));  // (ky, kx, c)
  std::vector<float> spare;
  for (int64_t p = 0; p < out.rows(); ++p) {
    const int64_t ox = p % out.shape[2];
    const int64_t oy = p / out.shape[2] % out.shape[1];
    const int64_t image = p / out.shape[2] / out.shape[1];
    std::fill(patch.begin(), patch.end(), 0.0f);
    for (int tap = 0; tap < conv.kernel * conv.kernel; ++tap) {
      const int64_t iy = oy * conv.stride + tap / conv.kernel - conv.pad_before;
      const int64_t ix = ox * conv.stride + tap % conv.kernel - conv.pad_before;
      if (iy < 0 || iy >= height || ix < 0 || ix >= width) continue;
      const float* pixel = x.row((image * height + iy) * width + ix);
      std::copy(pixel, pixel + channels, patch.begin() + tap * channels);
    }
    for (int64_t o = 0; o < conv.weight.outputs; ++o) {
      float& y = out.row(p)[o];
      const float sum = dot(patch.data(), weight_row(conv.weight, o, spare), conv.weight.inputs);
      y = finish(sum, conv.weight, o, y, epilogue);
    }
  }
}

}  // namespace janus
