// See optimizer.h.
// SPDX-License-Identifier: MIT
#include "train/optimizer.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <numbers>
#include <numeric>
#include <optional>

#include "base/error.h"
#include "train/checkpoint.h"
#include "train/gradients.h"
#include "train/processes.h"
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
  const auto numel = [&](size_t i) { return tensors[i].defined() ? tensors[i].numel() : 0; };
  std::ranges::stable_sort(order, std::greater(), numel);
  std::vector<std::vector<size_t>> all(static_cast<size_t>(parts));
  std::vector<int64_t> sums(all.size());
  for (const size_t i : order) {
    const auto least = static_cast<size_t>(std::ranges::min_element(sums) - sums.begin());
    all[least].push_back(i);
    sums[least] += numel(i);
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

KeptTensors kept(const NamedTensors& tensors) {
  KeptTensors all;
  for (const auto& [name, tensor] : tensors) {
    all[name] = {tensor.sizes().vec(), tensor.scalar_type(), [tensor = tensor] { return tensor; }};
  }
  return all;
}

Optimizer::Optimizer(const Recipe& recipe, NamedTensors parameters)
    : recipe_(recipe), parameters_(std::move(parameters)) {
  for (const auto& [name, weight] : parameters_) names_.push_back(name);
  add_parts();
}

Optimizer::Optimizer(const Recipe& recipe, NamedTensors parameters, const Division& division,
                     Processes& processes)
    : recipe_(recipe),
      division_(&division),
      processes_(&processes),
      parameters_(std::move(parameters)),
      names_(division.names) {
  add_parts();
}

bool Optimizer::shared_out() const { return division_ && division_->sharing != Sharing::none; }

void Optimizer::add_parts() {
  check(!parameters_.empty(), Code::bad_input, "the recipe freezes every parameter");
  torch::NoGradGuard off;
  const auto add = [this](size_t parameter, int64_t begin, const torch::Tensor& weight) {
    parts_.push_back({parameter, begin, weight, torch::zeros_like(weight),
                      torch::zeros_like(weight),
                      recipe_.optim.ema > 0 ? weight.clone() : torch::Tensor()});
  };
  for (size_t i = 0; i < names_.size(); ++i) {
    const torch::Tensor weight = parameters_.at(names_[i]).detach();
    steps_[names_[i]] = torch::zeros({}, torch::kFloat);
    paces_[names_[i]] = {is_decayed(names_[i], weight), lr_scale(recipe_, names_[i])};
    if (!division_) add(i, 0, weight);
  }
  if (!division_) return;
  for (size_t bucket = 0; bucket < division_->buckets.count(); ++bucket) {
    for (const Stretch& stretch : division_->updated(bucket, processes_->rank())) {
      const torch::Tensor row = parameters_.at(names_[stretch.parameter]).detach().view({-1});
      add(stretch.parameter, stretch.begin, row.narrow(0, stretch.begin, stretch.count));
    }
  }
}

double Optimizer::norm_of(const std::vector<torch::Tensor>& gradients, Shards& shards) {
  std::vector<torch::Tensor> norms(gradients.size());
  share_out(shards, gradients, [&](size_t i) {
    if (gradients[i].defined()) norms[i] = gradients[i].norm();
  });
  std::erase_if(norms, [](const torch::Tensor& norm) { return !norm.defined(); });
  check(!norms.empty() || shared_out(), Code::bug, "optimizer step without any gradient");
  const double mine = norms.empty() ? 0 : torch::stack(norms).norm().item<double>();
  if (!shared_out()) return mine;
  std::vector<double> squares = {mine * mine};
  processes_->sum(squares);
  return std::sqrt(squares[0]);
}

double Optimizer::step(double lr, const StepGradients& gradients, Shards& shards) {
  torch::NoGradGuard off;
  const double norm = norm_of(gradients.parts, shards);
  if (!std::isfinite(norm)) return norm;
  for (size_t i = 0; i < names_.size(); ++i) {
    if (gradients.met[i]) steps_.at(names_[i]).add_(1);
  }
  share_out(shards, gradients.parts, [&](size_t i) {
    torch::Tensor grad = gradients.parts[i];
    if (!grad.defined()) return;
    if (norm > recipe_.optim.clip) grad.mul_(recipe_.optim.clip / norm);
    update(parts_[i], grad, lr);
  });
  if (recipe_.optim.ema > 0) {
    // A young average forgets faster, or it would hold the random start for a thousand steps.
    const auto done = static_cast<double>(steps_.begin()->second.item<float>());
    const double share = 1 - std::min(recipe_.optim.ema, (1 + done) / (10 + done));
    std::vector<torch::Tensor> averages;
    for (const Part& part : parts_) averages.push_back(part.average);
    share_out(shards, averages, [&](size_t i) { averages[i].lerp_(parts_[i].weight, share); });
  }
  if (shared_out()) gather_weights();
  return norm;
}

// The step was counted already, for all parts of a parameter and in every process.
void Optimizer::update(const Part& part, const torch::Tensor& grad, double lr) {
  const std::string& name = names_[part.parameter];
  const Pace& pace = paces_.at(name);
  const auto& o = recipe_.optim;
  at::_fused_adamw_({part.weight}, {grad}, {part.first}, {part.second}, {}, {steps_.at(name)},
                    lr * pace.scale, o.beta1, o.beta2, pace.decayed ? o.weight_decay : 0, o.eps,
                    false, false);
}

// Every process gives the weights that it has updated.
void Optimizer::gather_weights() {
  const Buckets& buckets = division_->buckets;
  for (size_t bucket = 0; bucket < buckets.count(); ++bucket) {
    torch::Tensor mine = torch::zeros({buckets.part(bucket)});
    for (const Stretch& stretch : buckets.owned(bucket, processes_->rank())) {
      mine.narrow(0, stretch.at, stretch.count)
          .copy_(part_at(stretch.parameter, stretch.begin)->weight);
    }
    torch::Tensor all = torch::empty({buckets.length(bucket)});
    processes_->gather(mine, all);
    for (const Stretch& stretch : buckets.stretches(bucket)) {
      torch::Tensor row = division_->parameters[stretch.parameter].detach().view({-1});
      row.narrow(0, stretch.begin, stretch.count).copy_(all.narrow(0, stretch.at, stretch.count));
    }
  }
}

// Of a parameter's elements that this process updates; null for others.
const Optimizer::Part* Optimizer::part_at(size_t parameter, int64_t begin) const {
  const auto found = std::ranges::find_if(
      parts_, [&](const Part& part) { return part.parameter == parameter && part.begin == begin; });
  return found == parts_.end() ? nullptr : &*found;
}

// Put together of the parts that processes have.
torch::Tensor Optimizer::whole(size_t parameter, Member member) {
  const torch::Tensor& weight = division_->parameters[parameter];
  torch::Tensor all = torch::empty({weight.numel()});
  const auto take = [&](const Stretch& stretch, const torch::Tensor& values) {
    all.narrow(0, stretch.begin, stretch.count).copy_(values.narrow(0, 0, stretch.count));
  };
  if (!shared_out()) {
    for (const Part& part : parts_) {
      if (part.parameter == parameter)
        take({parameter, part.begin, part.weight.numel(), 0}, part.*member);
    }
    return all.view(weight.sizes());
  }
  for (size_t bucket = 0; bucket < division_->buckets.count(); ++bucket) {
    std::vector<std::optional<Stretch>> owned;
    int64_t longest = 0;
    for (int rank = 0; rank < processes_->size(); ++rank) {
      owned.emplace_back();
      for (const Stretch& stretch : division_->buckets.owned(bucket, rank)) {
        if (stretch.parameter == parameter) owned.back() = stretch;
      }
      if (owned.back()) longest = std::max(longest, owned.back()->count);
    }
    if (longest == 0) continue;
    torch::Tensor mine = torch::zeros({longest});
    if (const auto& stretch = owned[static_cast<size_t>(processes_->rank())]) {
      mine.narrow(0, 0, stretch->count).copy_(part_at(parameter, stretch->begin)->*member);
    }
    torch::Tensor theirs = torch::empty({longest * processes_->size()});
    processes_->gather(mine, theirs);
    for (size_t rank = 0; rank < owned.size(); ++rank) {
      if (owned[rank])
        take(*owned[rank], theirs.narrow(0, static_cast<int64_t>(rank) * longest, longest));
    }
  }
  return all.view(weight.sizes());
}

void Optimizer::swap_average() {
  torch::NoGradGuard off;
  if (recipe_.optim.ema <= 0) return;
  for (Part& part : parts_) {
    const torch::Tensor trained = part.weight.clone();
    part.weight.copy_(part.average);
    part.average.copy_(trained);
  }
  if (shared_out()) gather_weights();
}

KeptTensors Optimizer::state() {
  KeptTensors all = kept(steps_with_names());
  const auto add = [&](const char* what, Member member) {
    for (size_t i = 0; i < names_.size(); ++i) {
      KeptTensor& one = all[what + names_[i]];
      one.shape = parameters_.at(names_[i]).sizes().vec();
      // Alone, parameters and parts are in the same order.
      one.whole = [this, i, member] { return division_ ? whole(i, member) : parts_[i].*member; };
    }
  };
  add("first.", &Part::first);
  add("second.", &Part::second);
  if (recipe_.optim.ema > 0) add("average.", &Part::average);
  return all;
}

void Optimizer::load(const std::filesystem::path& file) {
  std::vector<FilePart> wanted;
  const auto add = [&](const char* what, const Part& part, Member member) {
    const std::string& name = names_[part.parameter];
    wanted.push_back({what + name, parameters_.at(name).sizes().vec(), part.begin, part.*member});
  };
  for (const Part& part : parts_) {
    add("first.", part, &Part::first);
    add("second.", part, &Part::second);
    if (recipe_.optim.ema > 0) add("average.", part, &Part::average);
  }
  load_parts(file, wanted);
  load_tensors(file, steps_with_names());
}

NamedTensors Optimizer::steps_with_names() const {
  NamedTensors all;
  for (const auto& [name, tensor] : steps_) all["steps." + name] = tensor;
  return all;
}

void Optimizer::forget_rows(const std::string& name, const torch::Tensor& rows) {
  torch::NoGradGuard off;
  torch::Tensor all = torch::zeros(parameters_.at(name).sizes(), torch::kBool);
  all.index_fill_(0, rows, true);
  for (Part& part : parts_) {
    if (names_[part.parameter] != name) continue;
    const torch::Tensor forgotten =
        all.view({-1}).narrow(0, part.begin, part.weight.numel()).view(part.weight.sizes());
    part.first.masked_fill_(forgotten, 0);
    part.second.masked_fill_(forgotten, 0);
  }
}

}  // namespace janus::train
