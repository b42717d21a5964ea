// PyTorch's own weight files (`pytorch_model.bin`, torch.save since 1.6): an uncompressed ZIP of
// one pickle and one record per storage, mapped and bounds-checked; the pickle is read, never run
// (io/pickle). The older formats of torch.save are refused with the way to convert them.
// SPDX-License-Identifier: MIT
#pragma once

#include <filesystem>

#include "io/stored.h"

namespace janus {

// Tensors point into the map, with the strides of the file; several may share one storage.
// Throws Code::bad_checkpoint for anything damaged, overlapping, compressed, encrypted or outside
// the pickle subset, and for tensors that reach past or repeat their storage; Code::not_supported
// for element types that Dtype lacks; Code::bad_input for a path that cannot be read.
StoredTensors read_torch_zip(const std::filesystem::path& path);

}  // namespace janus
