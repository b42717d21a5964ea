// A checkpoint directory in the transformers layout, as januspro loads it: config.json and its
// companions, tokenizer files, model.safetensors.
// SPDX-License-Identifier: MIT
#pragma once

#include <filesystem>
#include <string>

#include "io/processor_config.h"
#include "model/config.h"
#include "train/optimizer.h"

namespace janus::train {

// `tokenizer_json`: empty for a codec alone, which is config.json and weights. `weights` in f32;
// `bf16` rounds them. config.json is written last: a directory with it is whole.
void write_checkpoint(const std::filesystem::path& dir, const Config& config,
                      const ProcessorConfig& processor, const std::string& tokenizer_json,
                      const NamedTensors& weights, bool bf16);

}  // namespace janus::train
