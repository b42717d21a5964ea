// See not_finite.h. SPDX-License-Identifier: MIT
#include "train/not_finite.h"

#include <algorithm>

namespace janus::train {
namespace {

constexpr int64_t kMostShards = 64;  // of larger passes a few samples are tried at once

bool finite(const torch::Tensor& values) {
  return !values.defined() || values.isfinite().all().item<bool>();
}

}  // namespace

std::string samples_not_finite(Task& task, int64_t step, int64_t passes, int64_t rows,
                               const NamedTensors& trained) {
  std::vector<torch::Tensor> inputs;
  for (const auto& [name, weight] : trained) inputs.push_back(weight);
  const int shards = static_cast<int>(std::min(rows, kMostShards));
  for (int64_t pass = 0; pass < passes; ++pass) {
    for (int row = 0; row < shards; ++row) {
      const std::string samples = task.samples(pass, row, shards);
      if (samples.empty()) continue;
      Figures figures;
      const torch::Tensor loss = task.loss(step, pass, row, shards, figures);
      if (!finite(loss)) return "from the loss of " + samples;
      for (const torch::Tensor& grad :
           torch::autograd::grad({loss}, inputs, {}, std::nullopt, false, true)) {
        if (!finite(grad)) return "from " + samples + ", whose loss is finite";
      }
    }
  }
  return "";
}

}  // namespace janus::train
