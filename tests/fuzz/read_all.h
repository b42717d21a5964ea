// Touches every byte that a set of stored tensors promises, so that the sanitizer sees one too
// many. SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <iterator>
#include <vector>

#include "fuzz_file.h"
#include "io/stored.h"

namespace janus {

inline void read_all(const StoredTensors& tensors) {
  for (const auto& [name, tensor] : tensors) {
    // A file bounds what its tensors may hold: no reader may promise more elements than bytes.
    const int64_t stored = tensor.count() / traits(tensor.dtype).block * traits(tensor.dtype).bytes;
    if (stored > static_cast<int64_t>(tensor.file->bytes().size())) std::abort();
    if (traits(tensor.dtype).is_float) {
      std::vector<float> values(static_cast<size_t>(tensor.count()));
      tensor.read_f32(0, values);
      const int64_t half = tensor.count() / 2;
      tensor.read_f32(half, std::span(values).first(values.size() - static_cast<size_t>(half)));
    } else {
      const auto zeros = std::count(tensor.data.begin(), tensor.data.end(), std::byte{0});
      if (zeros > std::ssize(tensor.data)) std::abort();
    }
    tensor.drop();
  }
}

}  // namespace janus
