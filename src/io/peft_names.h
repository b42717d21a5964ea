// How the `peft` package names an adapter's files and tensors (its utils/constants.py and
// utils/save_and_load.py). SPDX-License-Identifier: MIT
#pragma once

#include <string_view>

namespace janus {

// PREFIX module A ".weight" is the first factor of a module, with B the second.
inline constexpr std::string_view kPeftPrefix = "base_model.model.";
inline constexpr std::string_view kPeftA = ".lora_A", kPeftB = ".lora_B";
inline constexpr const char* kPeftConfig = "adapter_config.json";
inline constexpr const char* kPeftWeights = "adapter_model.safetensors";

}  // namespace janus
