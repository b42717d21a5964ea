// The weights of a model in any form that januspro loads, put into a network: either published
// layout, one file or shards, or a .gguf.
// SPDX-License-Identifier: MIT
#pragma once

#include <filesystem>

#include "model/config.h"
#include "model/parts.h"
#include "train/optimizer.h"

namespace janus::train {

// Overwrites the tensors of `parts` that `into` has, by their names in the transformers layout, as
// f32. `config`: the sizes of the network. Throws Code::bad_checkpoint for a model that lacks them
// or has them in other sizes.
void load_model(const std::filesystem::path& model, const Config& config, const NamedTensors& into,
                const Parts& parts = {});

}  // namespace janus::train
