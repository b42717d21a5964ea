// StoredTensors: what a checkpoint file or directory offers, whatever its container: names, types,
// shapes, and mapped bytes. No meaning is attached to the names here (model/weights does that).
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/dtype.h"
#include "io/file.h"

namespace janus {

// One tensor as stored: little-endian elements, `strides` in elements (dense row-major unless a
// torch file says otherwise; types of blocks are always dense). `data` covers exactly the span the
// strides can reach.
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

// Strides of dense row-major memory.
std::vector<int64_t> dense_strides(std::span<const int64_t> shape);

// A tensor that a writer puts into a file, so that a checkpoint of any size needs little memory.
struct TensorEntry {
  std::string name;
  Dtype dtype;
  std::vector<int64_t> shape;
  // Called once, in file order; hands the tensor's bytes (little-endian, dense) to the sink in any
  // number of pieces that add up to the size.
  std::function<void(const std::function<void(std::span<const std::byte>)>& sink)> produce;

  int64_t bytes() const;
};

std::string shape_text(std::span<const int64_t> shape);  // "[2048, 5632]"

}  // namespace janus
