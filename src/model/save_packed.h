// The tensors of a .gguf whose matrices lie as a backend packs them (model/packed_source reads it).
// SPDX-License-Identifier: MIT
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "io/gguf.h"
#include "io/stored.h"
#include "kernels/backend.h"
#include "model/config.h"
#include "model/tensor_source.h"

namespace janus {

class PackedEntries {
 public:
  // `source` has the tensors of a .gguf by name. Matrices as they would be held with that type
  // (storage.h). All must outlive the writing; panels are made a few rows at a time.
  PackedEntries(const Config& config, const TensorSource& source, const Backend& backend,
                Dtype matrices, std::function<void(int64_t done, int64_t total)> on_progress);
  ~PackedEntries();

  // Name and version of the packing, and which tensors are packed.
  void add_metadata(GgufMetadata& metadata) const;
  // To be written in this order and once: the last one tells the values of all others.
  const std::vector<TensorEntry>& entries() const;

 private:
  class Maker;
  std::unique_ptr<Maker> maker_;
};

}  // namespace janus
