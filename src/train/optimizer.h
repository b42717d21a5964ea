// AdamW over named parameters with clipping by global norm, the learning-rate schedule, and the
// averaged (EMA) copy of the weights that is exported. All state is plain named tensors, so a
// checkpoint can hold it exactly.
// SPDX-License-Identifier: MIT
#pragma once

#include <compare>
#include <map>
#include <string>
#include <vector>

#include "train/recipe.h"
#include "train/torch.h"

namespace janus::train {

using NamedTensors = std::map<std::string, torch::Tensor>;

// lr of 0-based step: linear warm-up, then the recipe's kind down to floor * lr.
double learning_rate(const Recipe& recipe, int64_t step);

class Optimizer {
 public:
  // `parameters`: those to train, each at its stage.lr_scale. Norms, biases, embeddings and
  // codebooks are not decayed.
  Optimizer(const Recipe& recipe, NamedTensors parameters);

  // Clips the gradients, then updates the parameters and their average. Returns the global norm
  // before clipping; when it is not finite nothing is changed.
  double step(double lr);
  void zero_grad();

  // Puts the averaged weights in place of the trained ones, and back. No-op without EMA.
  void swap_average();

  // Every state tensor, by name; to be saved, or overwritten in place when resuming.
  NamedTensors state() const;
  // Zeroes both moments of the given rows of one parameter (a replaced codebook row).
  void forget_rows(const std::string& name, const torch::Tensor& rows);

 private:
  struct Group {
    std::vector<torch::Tensor> weights, grads, first, second, steps;
  };
  void update(const std::vector<std::string>& names, double decay, double lr);

  struct Pace {  // what parameters updated in one call have in common
    bool decayed;
    double scale;  // of the learning rate
    auto operator<=>(const Pace&) const = default;
  };

  Recipe recipe_;
  NamedTensors parameters_, first_, second_, steps_, average_;
  std::map<Pace, std::vector<std::string>> paces_;
};

}  // namespace janus::train
