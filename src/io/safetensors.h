// safetensors: a mapped, bounds-checked reader for one file, and a streaming writer.
// Format: https://github.com/huggingface/safetensors (8-byte little-endian header size, JSON header
// name -> {dtype, shape, data_offsets}, raw little-endian data).
// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "base/dtype.h"
#include "base/tensor.h"
#include "io/stored.h"

namespace janus {

// Throws Code::bad_checkpoint for anything that is not a well-formed safetensors file: truncated,
// header past the end or above 100 MB, overlapping or reversed or out-of-range offsets, gaps, sizes
// that do not match the shape, duplicate names, rank above 8; Code::not_supported for a type that
// Dtype lacks; Code::bad_input for a path that cannot be read.
StoredTensors read_safetensors(const std::filesystem::path& path,
                               std::map<std::string, std::string>* metadata = nullptr);

// Writes one file, tensor by tensor, so that a checkpoint of any size needs little memory. Tensors
// of wider elements come first in the file, else the order given is kept.
struct SafetensorsEntry {
  std::string name;
  Dtype dtype;
  std::vector<int64_t> shape;
  // Called once, in file order; hands the tensor's bytes (little-endian, dense) to the sink in any
  // number of pieces that add up to the size.
  std::function<void(const std::function<void(std::span<const std::byte>)>& sink)> produce;
};
void write_safetensors(const std::filesystem::path& path,
                       const std::vector<SafetensorsEntry>& entries,
                       const std::map<std::string, std::string>& metadata = {});

}  // namespace janus
