// AdamW over named parameters with clipping by global norm, the learning-rate schedule, and the
// averaged (EMA) copy of the weights that is exported. All state is plain named tensors, so a
// checkpoint can hold it exactly.
// SPDX-License-Identifier: MIT
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "train/recipe.h"
#include "train/shards.h"
#include "train/torch.h"

namespace janus::train {

using NamedTensors = std::map<std::string, torch::Tensor>;

// Calls work(i) for each of the tensors, on the shards' threads, each of which has about as many
// elements to do as the others, and without gradients.
void share_out(Shards& shards, const std::vector<torch::Tensor>& tensors,
               const std::function<void(size_t)>& work);

// lr of 0-based step: linear warm-up, then the recipe's kind down to floor * lr.
double learning_rate(const Recipe& recipe, int64_t step);

class Optimizer {
 public:
  // `parameters`: those to train, each at its stage.lr_scale. Norms, biases, embeddings and
  // codebooks are not decayed.
  Optimizer(const Recipe& recipe, NamedTensors parameters);

  // Clips the gradients, then updates the parameters and their average, each on one of the shards'
  // threads: which one changes no bit. Returns the global norm before clipping; when it is not
  // finite nothing is changed.
  double step(double lr, Shards& shards);
  void zero_grad();

  // Puts the averaged weights in place of the trained ones, and back. No-op without EMA.
  void swap_average();

  // Every state tensor, by name; to be saved, or overwritten in place when resuming.
  NamedTensors state() const;
  // Zeroes both moments of the given rows of one parameter (a replaced codebook row).
  void forget_rows(const std::string& name, const torch::Tensor& rows);

 private:
  struct Pace {
    bool decayed = false;
    double scale = 1;  // of the learning rate
  };
  void update(const std::string& name, double lr);

  Recipe recipe_;
  NamedTensors parameters_, first_, second_, steps_, average_;
  std::map<std::string, Pace> paces_;
};

}  // namespace janus::train
