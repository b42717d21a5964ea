// The few words of Python's pickle language that PyTorch weight files use, read without running
// anything: a global is a name looked up in a list of seven kinds, and every other name is refused.
// The language: https://github.com/python/cpython/blob/main/Lib/pickletools.py
// Not here: the container around the pickle (io/torch_zip).
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/dtype.h"

namespace janus {

// A tensor as the pickle describes it: a window on a storage that lies elsewhere.
struct PickledTensor {
  std::string name;
  Dtype dtype = Dtype::f32;
  std::string storage;           // key of the storage in its container
  int64_t storage_count = 0;     // elements of the storage
  int64_t offset = 0;            // of the first element, in elements
  std::vector<int64_t> shape;    // at most 8 sizes
  std::vector<int64_t> strides;  // in elements, as many as sizes
};

// The tensors of a pickled dictionary name -> tensor, in its order, names distinct; `where` appears
// in messages. Nothing about the numbers is checked but their signs: the container knows what its
// storages hold. Throws Code::bad_checkpoint: damaged, cut short, a global outside the list
// (named), an entry that is no tensor; Code::not_supported: a storage type that Dtype lacks. Memory
// stays within a constant multiple of the pickle's size.
std::vector<PickledTensor> read_pickled_tensors(std::span<const std::byte> pickle,
                                                const std::string& where);

}  // namespace janus
