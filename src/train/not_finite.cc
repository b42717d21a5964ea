// See not_finite.h. SPDX-License-Identifier: MIT
#include "train/not_finite.h"

#include <algorithm>

namespace janus::train {
namespace {

constexpr int64_t kMostShards = 64;  // of larger passes a few samples are tried at once

bool finite(const torch::Tensor& values) {
  return !values.defined() || values.isfinite().all().item<bool>();
}

std::string first_gradient(const NamedTensors& trained) {
  for (const auto& [name, weight] : trained) {
    if (!finite(weight.grad())) return "the gradient of " + name;
  }
  return "the sum of all gradients' squares";
}

}  // namespace

std::string where_not_finite(Task& task, int64_t step, int64_t passes, int64_t rows,
                             const NamedTensors& trained) {
  const std::string gradient = first_gradient(trained);
  std::vector<torch::Tensor> inputs;
  for (const auto& [name, weight] : trained) inputs.push_back(weight);
  const int shards = static_cast<int>(std::min(rows, kMostShards));
  for (int64_t pass = 0; pass < passes; ++pass) {
    for (int row = 0; row < shards; ++row) {
      const std::string samples = task.samples(pass, row, shards);
      if (samples.empty()) continue;
      Figures figures;
      const torch::Tensor loss = task.loss(step, pass, row, shards, figures);
      if (!finite(loss)) return gradient + ", from the loss of " + samples;
      for (const torch::Tensor& grad :
           torch::autograd::grad({loss}, inputs, {}, std::nullopt, false, true)) {
        if (!finite(grad)) return gradient + ", from " + samples + ", whose loss is finite";
      }
    }
  }
  return gradient + "; each sample by itself gives finite ones";
}

}  // namespace janus::train
