// StoredTensors: what a checkpoint file or directory offers, whatever its container: names, types,
// shapes, and mapped bytes. No meaning is attached to the names here (model/weights does that).
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/dtype.h"
#include "io/file.h"

namespace janus {

// One tensor as stored: little-endian elements, `strides` in elements (dense row-major unless a
// torch file says otherwise). `data` covers exactly the span the strides can reach.
struct StoredTensor {
  Dtype dtype = Dtype::f32;
  std::vector<int64_t> shape;
  std::vector<int64_t> strides;
  std::span<const std::byte> data;
  std::shared_ptr<const MappedFile> file;

  int64_t count() const;
  bool dense() const;
  // Elements [begin, begin + out.size()) in row-major order, converted to f32.
  // Throws Code::bug for a type that is not floating point.
  void read_f32(int64_t begin, std::span<float> out) const;
  // Tells the system that this tensor's pages are not needed for now.
  void drop() const;
};

using StoredTensors = std::map<std::string, StoredTensor>;

std::string shape_text(std::span<const int64_t> shape);  // "[2048, 5632]"

}  // namespace janus
