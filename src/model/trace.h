// Trace: named intermediate values of one pass ("taps"), for comparing with another implementation.
// Ordinary code calls tap() with a null pointer and pays nothing. A name given twice keeps the last
// values.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "base/dtype.h"
#include "base/tensor.h"

namespace janus {

class Trace {
 public:
  // Copies the values. The shape may differ from the tensor's as long as the counts agree.
  void add(const std::string& name, const Tensor& values, std::vector<int64_t> shape);
  void add_ids(const std::string& name, std::span<const int32_t> ids, std::vector<int64_t> shape);
  void add_pixels(const std::string& name, std::span<const uint8_t> pixels,
                  std::vector<int64_t> shape);
  // One safetensors file: floats as F32, ids as I64, pixels as U8.
  void save(const std::filesystem::path& path) const;

  struct Entry {
    Dtype dtype;
    std::vector<int64_t> shape;
    std::vector<std::byte> bytes;
  };
  const std::map<std::string, Entry>& entries() const { return entries_; }

 private:
  std::map<std::string, Entry> entries_;
};

// trace == nullptr: nothing happens.
void tap(Trace* trace, const std::string& name, const Tensor& values, std::vector<int64_t> shape);
// images [n, h, w, c] as [n, c, h, w], without n where it is 1.
void tap_channels_first(Trace* trace, const std::string& name, const Tensor& images);

}  // namespace janus
