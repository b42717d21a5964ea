// See optimizer.h.
// SPDX-License-Identifier: MIT
#include "train/optimizer.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <numbers>
#include <numeric>

#include "base/error.h"
#include "train/stage.h"

namespace janus::train {
namespace {

bool is_decayed(const std::string& name, const torch::Tensor& weight) {
  return weight.dim() > 1 && name.find("embed") == std::string::npos;
}

// Their indices in so many parts: the largest first, each to the part that has least.
std::vector<std::vector<size_t>> even_parts(const std::vector<torch::Tensor>& tensors, int parts) {
  std::vector<size_t> order(tensors.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::ranges::stable_sort(order, std::greater(), [&](size_t i) { return tensors[i].numel(); });
  std::vector<std::vector<size_t>> all(static_cast<size_t>(parts));
  std::vector<int64_t> sums(all.size());
  for (const size_t i : order) {
    const auto least = static_cast<size_t>(std::ranges::min_element(sums) - sums.begin());
    all[least].push_back(i);
    sums[least] += tensors[i].numel();
  }
  return all;
}

}  // namespace

void share_out(Shards& shards, const std::vector<torch::Tensor>& tensors,
               const std::function<void(size_t)>& work) {
  const auto parts = even_parts(tensors, shards.count());
  shards.run([&](int shard) {
    const torch::NoGradGuard off;  // the setting belongs to the thread
    for (const size_t i : parts[static_cast<size_t>(shard)]) work(i);
  });
}

double learning_rate(const Recipe& recipe, int64_t step) {
  const auto& s = recipe.schedule;
  const double peak = recipe.optim.lr;
  if (step < s.warmup) return peak * static_cast<double>(step + 1) / static_cast<double>(s.warmup);
  const int64_t rest = std::max<int64_t>(s.steps - s.warmup, 1);
  const double done =
      std::min(1.0, static_cast<double>(step - s.warmup) / static_cast<double>(rest));
  if (s.kind == "linear") return peak * (1 - (1 - s.floor) * done);
  if (s.kind == "cosine") {
    return peak * (s.floor + (1 - s.floor) * 0.5 * (1 + std::cos(std::numbers::pi * done)));
  }
  return peak;
}

Optimizer::Optimizer(const Recipe& recipe, NamedTensors parameters)
    : recipe_(recipe), parameters_(std::move(parameters)) {
  check(!parameters_.empty(), Code::bad_input, "the recipe freezes every parameter");
  for (const auto& [name, weight] : parameters_) {
    first_[name] = torch::zeros_like(weight);
    second_[name] = torch::zeros_like(weight);
    steps_[name] = torch::zeros({}, torch::kFloat);
    if (recipe_.optim.ema > 0) average_[name] = weight.detach().clone();
    paces_[name] = {is_decayed(name, weight), lr_scale(recipe_, name)};
  }
}

double Optimizer::step(double lr, Shards& shards) {
  torch::NoGradGuard off;
  std::vector<std::string> names;
  std::vector<torch::Tensor> weights;
  for (const auto& [name, weight] : parameters_) {
    names.push_back(name);
    weights.push_back(weight);
  }
  const auto each = [&](const auto& work) { share_out(shards, weights, work); };
  std::vector<torch::Tensor> norms(weights.size());
  each([&](size_t i) {
    if (weights[i].grad().defined()) norms[i] = weights[i].grad().norm();
  });
  std::erase_if(norms, [](const torch::Tensor& norm) { return !norm.defined(); });
  check(!norms.empty(), Code::bug, "optimizer step without any gradient");
  const double norm = torch::stack(norms).norm().item<double>();
  if (!std::isfinite(norm)) return norm;
  each([&](size_t i) {
    if (!weights[i].grad().defined()) return;
    if (norm > recipe_.optim.clip) weights[i].mutable_grad().mul_(recipe_.optim.clip / norm);
    update(names[i], lr);
  });
  if (average_.empty()) return norm;
  // A young average forgets faster, or it would hold the random start for a thousand steps.
  const auto done = static_cast<double>(steps_.begin()->second.item<float>());
  const double share = 1 - std::min(recipe_.optim.ema, (1 + done) / (10 + done));
  each([&](size_t i) { average_.at(names[i]).lerp_(weights[i], share); });
  return norm;
}

void Optimizer::update(const std::string& name, double lr) {
  const torch::Tensor& weight = parameters_.at(name);
  const Pace& pace = paces_.at(name);
  const auto& o = recipe_.optim;
  steps_.at(name).add_(1);
  at::_fused_adamw_({weight}, {weight.grad()}, {first_.at(name)}, {second_.at(name)}, {},
                    {steps_.at(name)}, lr * pace.scale, o.beta1, o.beta2,
                    pace.decayed ? o.weight_decay : 0, o.eps, false, false);
}

void Optimizer::zero_grad() {
  for (auto& [name, weight] : parameters_) weight.mutable_grad() = torch::Tensor();
}

void Optimizer::swap_average() {
  torch::NoGradGuard off;
  for (auto& [name, average] : average_) {
    torch::Tensor& weight = parameters_.at(name);
    const torch::Tensor trained = weight.detach().clone();
    weight.copy_(average);
    average.copy_(trained);
  }
}

NamedTensors Optimizer::state() const {
  NamedTensors all;
  for (const auto& [name, tensor] : first_) all["first." + name] = tensor;
  for (const auto& [name, tensor] : second_) all["second." + name] = tensor;
  for (const auto& [name, tensor] : steps_) all["steps." + name] = tensor;
  for (const auto& [name, tensor] : average_) all["average." + name] = tensor;
  return all;
}

void Optimizer::forget_rows(const std::string& name, const torch::Tensor& rows) {
  torch::NoGradGuard off;
  first_.at(name).index_fill_(0, rows, 0);
  second_.at(name).index_fill_(0, rows, 0);
}

}  // namespace janus::train
