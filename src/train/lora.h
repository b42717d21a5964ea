// Low-rank adapters: small additions to the linear layers of a network that stays as it is, and the
// directory they are saved as, in the form of the `peft` package. What merges them into weights is
// model/adapter.
// SPDX-License-Identifier: MIT
#pragma once

#include <filesystem>
#include <string>

#include "train/optimizer.h"
#include "train/recipe.h"
#include "train/torch.h"

namespace janus::train {

// Adds to every linear layer whose name matches recipe.lora.targets. A is random as peft has it
// (uniform, bound 1 / √inputs), B zero, so the network is at first what it was. -> both factors of
// each, by "NAME.lora_A.weight" and "NAME.lora_B.weight", to be trained. Throws Code::bad_input for
// a target that matches no linear layer.
NamedTensors add_lora(torch::nn::Module& network, const Recipe& recipe);

// Writes adapter_config.json and adapter_model.safetensors into `dir`. `factors`: as add_lora()
// names them; `bf16` rounds them. `base`: what the adapter belongs to.
void save_adapter(const std::filesystem::path& dir, const Recipe& recipe, const std::string& base,
                  const NamedTensors& factors, bool bf16);

}  // namespace janus::train
