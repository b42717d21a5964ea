// SPDX-License-Identifier: MIT
#include "base/tensor.h"

#include "base/error.h"

namespace janus {

Tensor::Tensor(void* memory, Dtype type, std::initializer_list<int64_t> sizes)
    : data(memory), dtype(type), rank(static_cast<int>(sizes.size())) {
  check(sizes.size() <= static_cast<size_t>(kMaxRank), Code::bug, "tensor: rank ", sizes.size());
  size_t i = 0;
  for (const int64_t size : sizes) shape[i++] = size;
  row_stride = cols();
}

int64_t Tensor::rows() const {
  int64_t n = 1;
  for (int i = 0; i + 1 < rank; ++i) n *= shape[static_cast<size_t>(i)];
  return n;
}

float* Tensor::f32() const {
  check(dtype == Dtype::f32, Code::bug, "tensor: f32 wanted, this is ", traits(dtype).name);
  return static_cast<float*>(data);
}

namespace {

// Part of a view without memory has none either.
void* ahead(void* data, int64_t bytes) { return data ? static_cast<char*>(data) + bytes : nullptr; }

}  // namespace

Tensor Tensor::columns(int64_t begin, int64_t width) const {
  check(begin >= 0 && width >= 0 && begin + width <= cols(), Code::bug, "tensor: columns ", begin,
        "+", width, " of ", shape_text(*this));
  Tensor view(ahead(data, begin * traits(dtype).bytes), dtype, {rows(), width});
  view.row_stride = row_stride;
  return view;
}

Tensor Tensor::slice(int64_t begin, int64_t n) const {
  check(begin >= 0 && n >= 0 && begin + n <= rows(), Code::bug, "tensor: rows ", begin, "+", n,
        " of ", shape_text(*this));
  Tensor view(ahead(data, begin * row_stride * traits(dtype).bytes), dtype, {n, cols()});
  view.row_stride = row_stride;
  return view;
}

Tensor Tensor::as(std::initializer_list<int64_t> sizes) const {
  Tensor view(data, dtype, sizes);
  check(dense() && view.count() == count(), Code::bug, "tensor: ", shape_text(*this), " viewed as ",
        shape_text(view));
  return view;
}

std::string shape_text(const Tensor& t) {
  std::string text = "[";
  for (int i = 0; i < t.rank; ++i) {
    if (i) text += ", ";
    text += std::to_string(t.shape[static_cast<size_t>(i)]);
  }
  return text + "]";
}

}  // namespace janus
