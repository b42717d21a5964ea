// A checkpoint directory in the transformers layout, as januspro loads it: config.json and its
// companions, tokenizer files, model.safetensors.
// SPDX-License-Identifier: MIT
#pragma once

#include <filesystem>
#include <string>

#include "model/config.h"
#include "train/optimizer.h"

namespace janus::train {

// Writes all files beside `dir` and renames them into place. `tokenizer_json`: empty for a codec
// alone. `guidance`: what drawing is best done with. `weights` in f32; `bf16` rounds them.
void write_checkpoint(const std::filesystem::path& dir, const Config& config,
                      const std::string& tokenizer_json, const NamedTensors& weights,
                      double guidance, bool bf16);

}  // namespace janus::train
