// The backend itself, and its operations on rows.
// SPDX-License-Identifier: MIT
#include <algorithm>
#include <cstring>
#include <vector>

#include "base/half.h"
#include "kernels/cpu/backend.h"

namespace janus {

void Workers::reserve(int workers, int64_t floats) {
  const int64_t bytes = floats * int64_t{sizeof(float)};
  for (int i = 0; i < workers; ++i) {
    Buffer& scratch = scratch_[static_cast<size_t>(i)];
    if (scratch.bytes() < bytes) {
      scratch = Buffer();  // the old goes before the new comes
      scratch = Buffer(bytes);
    }
  }
}

CpuBackend::CpuBackend(const cpu::Level& level, int threads)
    : table_(level.table),
      blocks_(level.blocks),
      tiles_(level.tiles),
      workers_(std::make_unique<Workers>(threads)) {}

void CpuBackend::do_gather(const Table& table, std::span<const int32_t> ids, Tensor out) const {
  const Tensor& rows = table.rows.view;
  each_row(out.rows(), out.cols(), [&](int64_t r) {
    const int64_t begin = ids[static_cast<size_t>(r)] * rows.row_stride;
    if (rows.dtype == Dtype::f32) {
      std::copy_n(static_cast<const float*>(rows.data) + begin, table.width, out.row(r));
    } else {
      const uint16_t* from = static_cast<const uint16_t*>(rows.data) + begin;
      std::transform(from, from + table.width, out.row(r), bf16_to_f32);
    }
  });
}

void CpuBackend::do_rms_norm(Tensor x, Tensor weight, float eps, Tensor out) const {
  each_row(x.rows(), x.cols(),
           [&](int64_t r) { table_.rms_norm(x.row(r), weight.f32(), eps, x.cols(), out.row(r)); });
}

void CpuBackend::do_layer_norm(Tensor x, Tensor weight, Tensor bias, float eps, Tensor out) const {
  each_row(x.rows(), x.cols(), [&](int64_t r) {
    table_.layer_norm(x.row(r), weight.f32(), bias.f32(), eps, x.cols(), out.row(r));
  });
}

void CpuBackend::do_swiglu(Tensor gate_up, Tensor out) const {
  each_row(out.rows(), 4 * out.cols(), [&](int64_t r) {
    const float* gate = gate_up.row(r);
    table_.swiglu(gate, gate + out.cols(), out.cols(), out.row(r));
  });
}

void CpuBackend::do_rope(Tensor x, int heads, std::span<const int32_t> position,
                         const RopeTable& table) const {
  const int64_t half = x.cols() / heads / 2;
  each_row(x.rows(), x.cols(), [&](int64_t r) {
    const int64_t place = position[static_cast<size_t>(r)];
    for (int h = 0; h < heads; ++h) {
      float* low = x.row(r) + h * 2 * half;
      table_.rope(low, low + half, table.cos.view.row(place), table.sin.view.row(place), half);
    }
  });
}

void CpuBackend::do_add(Tensor x, Tensor y) const {
  each_row(x.rows(), x.cols(),
           [&](int64_t r) { table_.add(x.row(r), y.row(r % y.rows()), x.cols()); });
}

void CpuBackend::do_copy(Tensor x, Tensor out) const {
  each_row(x.rows(), x.cols(), [&](int64_t r) { std::copy_n(x.row(r), x.cols(), out.row(r)); });
}

void CpuBackend::do_nearest_code(Tensor x, Tensor codebook, std::span<int32_t> ids) const {
  const int64_t width = x.cols();
  std::vector<float> squares(static_cast<size_t>(codebook.rows()));
  for (size_t c = 0; c < squares.size(); ++c) {
    const float* e = codebook.row(static_cast<int64_t>(c));
    for (int64_t i = 0; i < width; ++i) squares[c] += e[i] * e[i];
  }
  constexpr int64_t kRows = 16;  // whole vectors at every level
  workers_->run(x.rows(), kRows, kRows * width, [&](int64_t begin, int64_t end, float* scratch) {
    table_.nearest_code(x.row(begin), x.row_stride, end - begin, codebook.f32(),
                        codebook.row_stride, squares.data(), codebook.rows(), width, scratch,
                        ids.data() + begin);
  });
}

}  // namespace janus
