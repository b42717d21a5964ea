// AdamW over named parameters with clipping by global norm, the learning-rate schedule, and the
// averaged (EMA) copy of the weights that is exported. All state is plain named tensors, so a
// checkpoint can hold it exactly.
// SPDX-License-Identifier: MIT
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "train/recipe.h"
#include "train/shards.h"
#include "train/torch.h"

namespace janus::train {

using NamedTensors = std::map<std::string, torch::Tensor>;

// A tensor as it is kept in a file: put together when it is written, so that not all of them need
// be there at once.
struct KeptTensor {
  std::vector<int64_t> shape;
  torch::ScalarType type = torch::kFloat;
  std::function<torch::Tensor()> whole;
};
using KeptTensors = std::map<std::string, KeptTensor>;
KeptTensors kept(const NamedTensors& tensors);

// What a step goes by: a gradient for each part that is updated, undefined where there is none, and
// for each parameter whether any process has one.
struct StepGradients {
  std::vector<torch::Tensor> parts;
  std::vector<bool> met;
};

// Calls work(i) for each of the tensors, on the shards' threads, each of which has about as many
// elements to do as the others, and without gradients.
void share_out(Shards& shards, const std::vector<torch::Tensor>& tensors,
               const std::function<void(size_t)>& work);

// lr of 0-based step: linear warm-up, then the recipe's kind down to floor * lr.
double learning_rate(const Recipe& recipe, int64_t step);

// Of a process among many: which elements it updates (gradients.h).
struct Division;
class Processes;

class Optimizer {
 public:
  // `parameters`: those to train, each at its stage.lr_scale. Norms, biases, embeddings and
  // codebooks are not decayed.
  Optimizer(const Recipe& recipe, NamedTensors parameters);
  // The same of many processes, which must outlive it, and so must the division.
  Optimizer(const Recipe& recipe, NamedTensors parameters, const Division& division,
            Processes& processes);

  // Clips the gradients, then updates the parameters and their average, each on one of the shards'
  // threads: which one changes no bit. Returns the global norm before clipping; when it is not
  // finite nothing is changed. Gradients are of all parameters in the order of their names, or of
  // the division's stretches.
  double step(double lr, const StepGradients& gradients, Shards& shards);

  // Puts the averaged weights in place of the trained ones, and back. No-op without EMA.
  void swap_average();

  // Every state tensor, by name; to be saved, or overwritten from a file when resuming. Where every
  // process has a part of them, all save at the same time, in the same order.
  KeptTensors state();
  void load(const std::filesystem::path& file);
  // Zeroes both moments of the given rows of one parameter (a replaced codebook row).
  void forget_rows(const std::string& name, const torch::Tensor& rows);

 private:
  struct Pace {
    bool decayed = false;
    double scale = 1;  // of the learning rate
  };
  // What is updated as one: a parameter, or some of its elements in a row.
  struct Part {
    size_t parameter = 0;
    int64_t begin = 0;
    torch::Tensor weight, first, second, average;
  };
  using Member = torch::Tensor Part::*;

  void add_parts();
  void update(const Part& part, const torch::Tensor& grad, double lr);
  double norm_of(const std::vector<torch::Tensor>& gradients, Shards& shards);
  bool shared_out() const;
  void gather_weights();
  torch::Tensor whole(size_t parameter, Member member);
  NamedTensors steps_with_names() const;
  const Part* part_at(size_t parameter, int64_t begin) const;

  Recipe recipe_;
  const Division* division_ = nullptr;
  Processes* processes_ = nullptr;
  NamedTensors parameters_, steps_;
  std::vector<std::string> names_;  // of them, in the order of the gradients
  std::vector<Part> parts_;
  std::map<std::string, Pace> paces_;
};

}  // namespace janus::train
