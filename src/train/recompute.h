// Activation checkpointing: a layer keeps its input alone, and what lies between is computed again
// when its gradient is wanted. Less memory for a second forward pass (docs/training.md).
// SPDX-License-Identifier: MIT
#pragma once

#include <functional>

#include "train/torch.h"

namespace janus::train {

// run(x), with the gradients it would have by x and by the weights of `layer` (low-rank additions
// included), to the bit. `run` must be a function of them and of what it holds that asks for no
// gradient; the second run is given the first one's Dropout and precision.
torch::Tensor recomputed(const torch::nn::Module& layer,
                         std::function<torch::Tensor(const torch::Tensor&)> run,
                         const torch::Tensor& x);

// Whether this thread is inside such a second run, whose gradients of weights are parts of theirs.
bool recomputing();

}  // namespace janus::train
