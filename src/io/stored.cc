// Reading stored elements as f32, whatever their type and strides.
// SPDX-License-Identifier: MIT
#include "io/stored.h"

#include <algorithm>

#include "base/error.h"
#include "base/quant.h"

namespace janus {
namespace {

// out[i] = element (begin + i * stride) of `data`.
void convert_run(Dtype dtype, std::span<const std::byte> data, int64_t begin, int64_t stride,
                 std::span<float> out) {
  if (stride == 1) return decode(dtype, data, begin, out);
  for (size_t i = 0; i < out.size(); ++i) {
    decode(dtype, data, begin + static_cast<int64_t>(i) * stride, out.subspan(i, 1));
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
  if (dense()) return decode(dtype, data, begin, out);
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
    convert_run(dtype, data, offset, strides[last],
                out.subspan(static_cast<size_t>(done), static_cast<size_t>(run)));
    done += run;
  }
}

void StoredTensor::drop() const { file->drop(data.data(), static_cast<int64_t>(data.size())); }

std::vector<int64_t> dense_strides(std::span<const int64_t> shape) {
  std::vector<int64_t> strides(shape.size());
  int64_t step = 1;
  for (size_t i = shape.size(); i-- > 0;) {
    strides[i] = step;
    step *= std::max<int64_t>(shape[i], 1);
  }
  return strides;
}

int64_t TensorEntry::bytes() const {
  int64_t elements = 1;
  for (const int64_t size : shape) elements *= size;
  return bytes_of(dtype, elements);
}

std::string shape_text(std::span<const int64_t> shape) {
  std::string text = "[";
  for (size_t i = 0; i < shape.size(); ++i) {
    if (i > 0) text += ", ";
    text += std::to_string(shape[i]);
  }
  return text + "]";
}

}  // namespace janus
