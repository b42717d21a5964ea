// Operations of `ref` on rows, one row after another.
// SPDX-License-Identifier: MIT
#include <algorithm>
#include <cmath>

#include "base/half.h"
#include "kernels/ref/backend.h"
#include "kernels/ref/sum.h"

namespace janus {

void RefBackend::do_gather(const Table& table, std::span<const int32_t> ids, Tensor out) const {
  const Tensor& rows = table.rows.view;
  for (size_t r = 0; r < ids.size(); ++r) {
    float* to = out.row(static_cast<int64_t>(r));
    const int64_t begin = ids[r] * rows.row_stride;
    if (rows.dtype == Dtype::f32) {
      std::copy_n(rows.f32() + begin, table.width, to);
    } else {
      const uint16_t* from = static_cast<const uint16_t*>(rows.data) + begin;
      std::transform(from, from + table.width, to, bf16_to_f32);
    }
  }
}

void RefBackend::do_rms_norm(Tensor x, Tensor weight, float eps, Tensor out) const {
  const int64_t width = x.cols();
  const float* w = weight.f32();
  for (int64_t r = 0; r < x.rows(); ++r) {
    const float* from = x.row(r);
    float* to = out.row(r);
    const float squares = ordered_sum(width, [=](int64_t i) { return from[i] * from[i]; });
    const float factor = 1.0f / std::sqrt(squares / static_cast<float>(width) + eps);
    for (int64_t i = 0; i < width; ++i) to[i] = from[i] * factor * w[i];
  }
}

void RefBackend::do_layer_norm(Tensor x, Tensor weight, Tensor bias, float eps, Tensor out) const {
  const int64_t width = x.cols();
  const float* w = weight.f32();
  const float* b = bias.f32();
  for (int64_t r = 0; r < x.rows(); ++r) {
    const float* from = x.row(r);
    float* to = out.row(r);
    const float mean =
        ordered_sum(width, [=](int64_t i) { return from[i]; }) / static_cast<float>(width);
    const float squares =
        ordered_sum(width, [=](int64_t i) { return (from[i] - mean) * (from[i] - mean); });
    const float factor = 1.0f / std::sqrt(squares / static_cast<float>(width) + eps);
    for (int64_t i = 0; i < width; ++i) to[i] = (from[i] - mean) * factor * w[i] + b[i];
  }
}

void RefBackend::do_swiglu(Tensor gate_up, Tensor out) const {
  const int64_t width = out.cols();
  for (int64_t r = 0; r < out.rows(); ++r) {
    const float* gate = gate_up.row(r);
    const float* up = gate + width;
    float* to = out.row(r);
    for (int64_t i = 0; i < width; ++i) to[i] = gate[i] / (1.0f + std::exp(-gate[i])) * up[i];
  }
}

void RefBackend::do_rope(Tensor x, int heads, std::span<const int32_t> position,
                         const RopeTable& table) const {
  const int64_t half = x.cols() / heads / 2;
  for (int64_t r = 0; r < x.rows(); ++r) {
    const float* cos = table.cos.view.row(position[static_cast<size_t>(r)]);
    const float* sin = table.sin.view.row(position[static_cast<size_t>(r)]);
    for (int h = 0; h < heads; ++h) {
      float* low = x.row(r) + h * 2 * half;
      float* high = low + half;
      for (int64_t j = 0; j < half; ++j) {
        const float a = low[j], b = high[j];
        low[j] = a * cos[j] - b * sin[j];
        high[j] = b * cos[j] + a * sin[j];
      }
    }
  }
}

void RefBackend::do_add(Tensor x, Tensor y) const {
  for (int64_t r = 0; r < x.rows(); ++r) {
    float* to = x.row(r);
    const float* from = y.row(r % y.rows());
    for (int64_t i = 0; i < x.cols(); ++i) to[i] += from[i];
  }
}

void RefBackend::do_copy(Tensor x, Tensor out) const {
  for (int64_t r = 0; r < x.rows(); ++r) std::copy_n(x.row(r), x.cols(), out.row(r));
}

void RefBackend::do_nearest_code(Tensor x, Tensor codebook, std::span<int32_t> ids) const {
  const int64_t width = x.cols();
  const auto dot = [width](const float* a, const float* b) {
    return ordered_sum(width, [=](int64_t i) { return a[i] * b[i]; });
  };
  for (int64_t r = 0; r < x.rows(); ++r) {
    const float* z = x.row(r);
    const float z_squared = dot(z, z);
    int64_t best = 0;
    float best_distance = 0;
    for (int64_t c = 0; c < codebook.rows(); ++c) {
      const float* e = codebook.row(c);
      const float distance = z_squared + dot(e, e) - 2.0f * dot(z, e);
      if (c == 0 || distance < best_distance) {
        best = c;
        best_distance = distance;
      }
    }
    ids[static_cast<size_t>(r)] = static_cast<int32_t>(best);
  }
}

}  // namespace janus
