// Low-rank adapters beside the weights of a model that is loaded: the weights stay as they are, of
// whatever type they are. What merges adapters into weights is adapter.h.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <span>

#include "model/adapter.h"
#include "model/weights.h"

namespace janus {

struct ScaledAdapter {
  Adapter adapter;
  double scale = 1;  // besides the adapter's own; 0: as if it were not there
};

// Throws as adapter_layout() does; Code::not_supported naming a matrix that is looked up in and not
// multiplied with; Code::bad_checkpoint naming one whose factors are not finite.
void check_adapters(const Config& config, std::span<const ScaledAdapter> adapters);

// Adds what they change of `parts`, which are loaded, to `weights`: factors in f32, in the order of
// the adapters. The fingerprint tells them too.
void add_adapters(const Config& config, std::span<const ScaledAdapter> adapters,
                  const Backend& backend, const Parts& parts, Weights& weights);

// What that takes, and what the backend keeps between the factors.
int64_t adapter_bytes(const Config& config, std::span<const ScaledAdapter> adapters,
                      const Backend& backend, const Parts& parts);

}  // namespace janus
