// Tensor: a view of memory owned elsewhere. Shape is outermost first, as in the checkpoint; the
// innermost dimension is contiguous, rows may be apart (row_stride). Copy freely.
// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <string>

#include "base/dtype.h"

namespace janus {

struct Tensor {
  static constexpr int kMaxRank = 4;

  void* data = nullptr;
  Dtype dtype = Dtype::f32;
  int rank = 0;
  std::array<int64_t, kMaxRank> shape{};
  int64_t row_stride = 0;  // elements from one innermost row to the next; == cols() when dense

  Tensor() = default;
  // A dense view. Throws Code::bug when rank > 4.
  Tensor(void* data, Dtype dtype, std::initializer_list<int64_t> sizes);

  int64_t cols() const { return rank ? shape[static_cast<size_t>(rank - 1)] : 1; }
  int64_t rows() const;  // product of all dimensions but the innermost
  int64_t count() const { return rows() * cols(); }
  int64_t bytes() const { return bytes_of(dtype, count()); }
  bool dense() const { return row_stride == cols(); }
  explicit operator bool() const { return data != nullptr; }

  float* f32() const;  // throws Code::bug when dtype is another
  float* row(int64_t r) const { return f32() + r * row_stride; }

  // Columns [begin, begin + width) of every row, as [rows, width].
  Tensor columns(int64_t begin, int64_t width) const;
  // Rows [begin, begin + n) of the [rows, cols] view.
  Tensor slice(int64_t begin, int64_t n) const;
  // The same dense memory with another shape; the counts must agree.
  Tensor as(std::initializer_list<int64_t> sizes) const;
};

std::string shape_text(const Tensor& t);  // "[2048, 5632]"

}  // namespace janus
