// See optimizer.h.
// SPDX-License-Identifier: MIT
#include "train/optimizer.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "base/error.h"
#include "train/stage.h"

namespace janus::train {
namespace {

bool is_decayed(const std::string& name, const torch::Tensor& weight) {
  return weight.dim() > 1 && name.find("embed") == std::string::npos;
}

}  // namespace

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
    paces_[{is_decayed(name, weight), lr_scale(recipe_, name)}].push_back(name);
  }
}

double Optimizer::step(double lr) {
  torch::NoGradGuard off;
  std::vector<torch::Tensor> grads;
  for (const auto& [name, weight] : parameters_) {
    if (weight.grad().defined()) grads.push_back(weight.grad());
  }
  check(!grads.empty(), Code::bug, "optimizer step without any gradient");
  const double norm = torch::stack(at::_foreach_norm(grads, 2)).norm().item<double>();
  if (!std::isfinite(norm)) return norm;
  if (norm > recipe_.optim.clip) at::_foreach_mul_(grads, recipe_.optim.clip / norm);
  for (const auto& [pace, names] : paces_) {
    update(names, pace.decayed ? recipe_.optim.weight_decay : 0, lr * pace.scale);
  }
  if (!average_.empty()) {
    std::vector<torch::Tensor> averages, weights;
    for (const auto& [name, weight] : parameters_) {
      averages.push_back(average_.at(name));
      weights.push_back(weight);
    }
    // A young average forgets faster, or it would hold the random start for a thousand steps.
    const auto done = static_cast<double>(steps_.begin()->second.item<float>());
    at::_foreach_lerp_(averages, weights,
                       1 - std::min(recipe_.optim.ema, (1 + done) / (10 + done)));
  }
  return norm;
}

void Optimizer::update(const std::vector<std::string>& names, double decay, double lr) {
  Group g;
  for (const std::string& name : names) {
    const torch::Tensor& weight = parameters_.at(name);
    if (!weight.grad().defined()) continue;
    g.weights.push_back(weight);
    g.grads.push_back(weight.grad());
    g.first.push_back(first_.at(name));
    g.second.push_back(second_.at(name));
    g.steps.push_back(steps_.at(name));
  }
  if (g.weights.empty()) return;
  at::_foreach_add_(g.steps, 1);
  const auto& o = recipe_.optim;
  at::_fused_adamw_(g.weights, g.grads, g.first, g.second, {}, g.steps, lr, o.beta1, o.beta2, decay,
                    o.eps, false, false);
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
