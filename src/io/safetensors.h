// safetensors: a mapped, bounds-checked reader for one file, and a streaming writer.
// Format: https://github.com/huggingface/safetensors (8-byte little-endian header size, JSON header
// name -> {dtype, shape, data_offsets}, raw little-endian data).
// SPDX-License-Identifier: MIT
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "io/stored.h"

namespace janus {

// Throws Code::bad_checkpoint for anything that is not a well-formed safetensors file: truncated,
// header past the end or above 100 MB, overlapping or reversed or out-of-range offsets, gaps, sizes
// that do not match the shape, duplicate names, rank above 8; Code::not_supported for a type that
// Dtype lacks; Code::bad_input for a path that cannot be read.
StoredTensors read_safetensors(const std::filesystem::path& path,
                               std::map<std::string, std::string>* metadata = nullptr);

// Writes one file, tensor by tensor. Tensors of wider elements come first in the file, else the
// order given is kept. Throws Code::bug for a type that the format lacks.
void write_safetensors(const std::filesystem::path& path, const std::vector<TensorEntry>& entries,
                       const std::map<std::string, std::string>& metadata = {});

}  // namespace janus
