// Reading stored elements as f32, whatever their type and strides.
// SPDX-License-Identifier: MIT
#include "io/stored.h"

#include <algorithm>
#include <cstring>
#include <functional>

#include "base/error.h"
#include "base/half.h"

namespace janus {
namespace {

// Stored data may begin at any byte, so elements are copied out and never pointed at.
template <class T>
T element(const std::byte* data, int64_t index) {
  T value;
  std::memcpy(&value, data + index * static_cast<int64_t>(sizeof(T)), sizeof(T));
  return value;
}

// out[i] = element (begin + i * stride) of `data`. The dense loop is apart so that it is
// vectorised.
template <class T, class Convert>
void convert_run(const std::byte* data, int64_t begin, int64_t stride, std::span<float> out,
                 Convert convert) {
  const auto n = static_cast<int64_t>(out.size());
  float* to = out.data();
  if (stride == 1) {
    for (int64_t i = 0; i < n; ++i) to[i] = convert(element<T>(data, begin + i));
  } else {
    for (int64_t i = 0; i < n; ++i) to[i] = convert(element<T>(data, begin + i * stride));
  }
}

void convert_run(Dtype dtype, const std::byte* data, int64_t begin, int64_t stride,
                 std::span<float> out) {
  switch (dtype) {
    case Dtype::f32:
      return convert_run<float>(data, begin, stride, out, std::identity{});
    case Dtype::f16:
      return convert_run<uint16_t>(data, begin, stride, out, f16_to_f32);
    case Dtype::bf16:
      return convert_run<uint16_t>(data, begin, stride, out, bf16_to_f32);
    default:
      fail(Code::bug, "a tensor of ", traits(dtype).name, " is read as f32");
  }
}

}  // namespace

int64_t StoredTensor::count() const {
  int64_t n = 1;
  for (const int64_t size : shape) n *= size;
  return n;
}

bool StoredTensor::dense() const {
  int64_t step = 1;
  for (size_t i = shape.size(); i-- > 0;) {
    if (shape[i] != 1 && strides[i] != step) return false;
    step *= shape[i];
  }
  return true;
}

void StoredTensor::read_f32(int64_t begin, std::span<float> out) const {
  const auto wanted = static_cast<int64_t>(out.size());
  const int64_t total = count();
  check(begin >= 0 && wanted <= total && begin <= total - wanted, Code::bug, "elements ", begin,
        " to ", begin, " + ", wanted, " of a stored tensor ", shape_text(shape), " are asked for");
  if (wanted == 0) return;
  if (dense()) return convert_run(dtype, data.data(), begin, 1, out);
  const size_t last = shape.size() - 1;
  const int64_t cols = shape[last];
  for (int64_t done = 0; done < wanted;) {
    const int64_t row = (begin + done) / cols;
    const int64_t col = (begin + done) % cols;
    int64_t offset = col * strides[last];
    for (int64_t i = static_cast<int64_t>(last), rest = row; i-- > 0;) {
      const auto d = static_cast<size_t>(i);
      offset += rest % shape[d] * strides[d];
      rest /= shape[d];
    }
    const int64_t run = std::min(cols - col, wanted - done);
    convert_run(dtype, data.data(), offset, strides[last],
                out.subspan(static_cast<size_t>(done), static_cast<size_t>(run)));
    done += run;
  }
}

void StoredTensor::drop() const { file->drop(data.data(), static_cast<int64_t>(data.size())); }

std::string shape_text(std::span<const int64_t> shape) {
  std::string text = "[";
  for (size_t i = 0; i < shape.size(); ++i) {
    if (i > 0) text += ", ";
    text += std::to_string(shape[i]);
  }
  return text + "]";
}

}  // namespace janus
