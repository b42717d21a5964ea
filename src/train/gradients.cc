// See gradients.h. SPDX-License-Identifier: MIT
#include "train/gradients.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "base/error.h"
#include "train/recompute.h"

namespace janus::train {
namespace {

// Numbers of a bucket: of a small model a part that leaves something to overlap.
constexpr int64_t kLeast = 1 << 13, kSome = 12;
constexpr int kNobody = -1;

thread_local int shard_at_work = kNobody;  // of this thread, while it goes back through its loss

// Numbers of a parameter as one row.
torch::Tensor flat(const torch::Tensor& values) { return values.detach().view({-1}); }

}  // namespace

std::vector<Stretch> Division::updated(size_t bucket, int rank) const {
  return sharing == Sharing::none ? buckets.stretches(bucket) : buckets.owned(bucket, rank);
}

Division divide(const NamedTensors& parameters, const std::vector<std::string>& order,
                int processes, Sharing sharing) {
  std::vector<std::string> names;
  for (const auto& [name, weight] : parameters) {
    if (std::ranges::find(order, name) == order.end()) names.push_back(name);
  }
  for (auto name = order.rbegin(); name != order.rend(); ++name) {
    if (parameters.count(*name)) names.push_back(*name);
  }
  std::vector<torch::Tensor> tensors;
  std::vector<int64_t> sizes;
  for (const std::string& name : names) {
    tensors.push_back(parameters.at(name));
    check(tensors.back().is_contiguous(), Code::bug, name, " is not in one stretch");
    sizes.push_back(tensors.back().numel());
  }
  const int64_t all = std::accumulate(sizes.begin(), sizes.end(), int64_t{0});
  const int64_t most = std::clamp(all / kSome, kLeast, kMostInBucket);
  return {names, tensors, Buckets(sizes, processes, most), sharing};
}

Gradients::Gradients(const NamedTensors& parameters, Shards& shards) : shards_(shards) {
  for (const auto& [name, weight] : parameters) {
    names_.push_back(name);
    parameters_.push_back(weight);
  }
}

Gradients::Gradients(const Division& division, Shards& shards, Processes& processes)
    : names_(division.names),
      parameters_(division.parameters),
      shards_(shards),
      division_(&division),
      processes_(&processes),
      buckets_of_(parameters_.size()),
      sums_(division.buckets.count()),
      kept_(division.buckets.count()),
      met_(parameters_.size()),
      next_(division.buckets.count()) {
  for (size_t bucket = 0; bucket < division.buckets.count(); ++bucket) {
    for (const Stretch& stretch : division.buckets.stretches(bucket)) {
      buckets_of_[stretch.parameter].push_back(bucket);
    }
  }
  for (size_t k = 0; k < parameters_.size(); ++k) watch(k);
  sender_ = std::thread([this] { serve(); });
}

Gradients::~Gradients() {
  if (!sender_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  wake_.notify_all();
  sender_.join();
}

void Gradients::begin() {
  for (torch::Tensor& weight : parameters_) weight.mutable_grad() = torch::Tensor();
  std::ranges::fill(sums_, torch::Tensor());
  std::ranges::fill(kept_, torch::Tensor());
  met_.assign(parameters_.size(), false);
  result_ = {};
}

// Adds shard after shard, so that the sum does not depend on which thread was first.
void Gradients::add_alone(const std::function<torch::Tensor(int)>& loss) {
  std::vector<torch::autograd::variable_list> grads(static_cast<size_t>(shards_.count()));
  shards_.run([&](int shard) {
    grads[static_cast<size_t>(shard)] =
        torch::autograd::grad({loss(shard)}, parameters_, {}, std::nullopt, false, true);
  });
  share_out(shards_, parameters_, [&](size_t k) {
    torch::Tensor& sum = parameters_[k].mutable_grad();
    for (torch::autograd::variable_list& part : grads) {
      if (!part[k].defined()) continue;
      const torch::Tensor grad = part[k].contiguous();  // the optimizer walks flat memory
      part[k].reset();
      sum.defined() ? sum.add_(grad) : sum = grad;
    }
  });
}

void Gradients::add(bool last, const std::function<torch::Tensor(int)>& loss) {
  if (!processes_) {
    add_alone(loss);
    if (!last) return;
    for (const torch::Tensor& weight : parameters_) {
      result_.parts.push_back(weight.grad());
      result_.met.push_back(weight.grad().defined());
    }
    return;
  }
  const auto shards = static_cast<size_t>(shards_.count());
  {
    const std::lock_guard lock(mutex_);
    last_ = last;
    given_up_ = false;
    failure_ = nullptr;
    grads_.assign(shards, std::vector<torch::Tensor>(parameters_.size()));
    delivered_.assign(shards, std::vector<bool>(parameters_.size()));
    wanted_.clear();
    for (size_t bucket = 0; bucket < division_->buckets.count(); ++bucket) {
      wanted_.push_back(division_->buckets.stretches(bucket).size() * shards);
    }
    next_ = 0;
  }
  try {
    shards_.run([&](int shard) {
      const torch::Tensor sum = loss(shard);
      shard_at_work = shard;
      torch::autograd::grad({sum}, parameters_, {}, std::nullopt, false, true);
      shard_at_work = kNobody;
      close(shard);
    });
  } catch (...) {
    shard_at_work = kNobody;
    const std::lock_guard lock(mutex_);
    given_up_ = true;
    wake_.notify_all();
    throw;
  }
  std::unique_lock lock(mutex_);
  wake_.wait(lock, [this] { return next_ == division_->buckets.count() || failure_; });
  if (failure_) std::rethrow_exception(failure_);
  lock.unlock();
  if (last) finish();
}

// Backward hands every gradient over as soon as it is whole, and is given nothing to keep of it.
void Gradients::watch(size_t parameter) {
  parameters_[parameter].register_hook([this, parameter](const torch::Tensor& grad) {
    if (shard_at_work == kNobody || recomputing()) return grad;
    deliver(shard_at_work, parameter, grad.contiguous());
    return torch::zeros({}, grad.options()).expand_as(grad);
  });
}

void Gradients::deliver(int shard, size_t parameter, const torch::Tensor& grad) {
  {
    const std::lock_guard lock(mutex_);
    const auto s = static_cast<size_t>(shard);
    grads_[s][parameter] = grad;
    delivered_[s][parameter] = true;
    if (grad.defined()) met_[parameter] = true;
    for (const size_t bucket : buckets_of_[parameter]) --wanted_[bucket];
  }
  wake_.notify_all();
}

// What a shard's loss does not depend on never comes.
void Gradients::close(int shard) {
  for (size_t k = 0; k < parameters_.size(); ++k) {
    if (!delivered_[static_cast<size_t>(shard)][k]) deliver(shard, k, torch::Tensor());
  }
}

// Buckets go in their order, which is the same in every process.
void Gradients::serve() {
  const torch::NoGradGuard off;
  at::set_num_threads(1);
  std::unique_lock lock(mutex_);
  for (;;) {
    const auto ready = [this] { return next_ < wanted_.size() && wanted_[next_] == 0; };
    wake_.wait(lock, [&] { return stop_ || (ready() && !given_up_ && !failure_); });
    if (stop_) return;
    const size_t bucket = next_;
    lock.unlock();
    std::exception_ptr failure;
    try {
      send(bucket);
    } catch (...) {
      failure = std::current_exception();
    }
    lock.lock();
    if (failure)
      failure_ = failure;
    else
      ++next_;
    wake_.notify_all();
  }
}

torch::Tensor Gradients::local_sum(size_t bucket) {
  torch::Tensor sum = std::exchange(sums_[bucket], torch::Tensor());
  if (!sum.defined()) sum = torch::zeros({division_->buckets.length(bucket)});
  for (const Stretch& stretch : division_->buckets.stretches(bucket)) {
    torch::Tensor into = sum.narrow(0, stretch.at, stretch.count);
    const bool ends = stretch.begin + stretch.count == parameters_[stretch.parameter].numel();
    for (std::vector<torch::Tensor>& part : grads_) {
      torch::Tensor& grad = part[stretch.parameter];
      if (!grad.defined()) continue;
      into.add_(flat(grad).narrow(0, stretch.begin, stretch.count));
      if (ends) grad.reset();
    }
  }
  return sum;
}

void Gradients::send(size_t bucket) {
  torch::Tensor sum = local_sum(bucket);
  if (!last_ && division_->sharing != Sharing::gradients) {
    sums_[bucket] = sum;
    return;
  }
  const torch::Tensor part = processes_->sum_part(sum);
  torch::Tensor& kept = kept_[bucket];
  if (division_->sharing == Sharing::none) {
    processes_->gather(part, sum);
    kept = sum;
  } else {
    kept.defined() ? kept.add_(part) : kept = part;
  }
}

// A parameter on which no loss of any process depends stays as it is.
void Gradients::finish() {
  std::vector<double> met(met_.begin(), met_.end());
  processes_->sum(met);
  for (size_t bucket = 0; bucket < division_->buckets.count(); ++bucket) {
    for (const Stretch& stretch : division_->updated(bucket, processes_->rank())) {
      result_.parts.push_back(met[stretch.parameter] > 0
                                  ? kept_[bucket].narrow(0, stretch.at, stretch.count)
                                  : torch::Tensor());
    }
  }
  for (const double processes : met) result_.met.push_back(processes > 0);
}

std::string Gradients::not_finite() const {
  const auto infinite = [](const torch::Tensor& values) {
    return values.defined() && !values.isfinite().all().item<bool>();
  };
  size_t part = 0;
  if (!division_) {
    for (; part < result_.parts.size(); ++part) {
      if (infinite(result_.parts[part])) return names_[part];
    }
    return "";
  }
  for (size_t bucket = 0; bucket < division_->buckets.count(); ++bucket) {
    for (const Stretch& stretch : division_->updated(bucket, processes_->rank())) {
      if (infinite(result_.parts[part++])) return names_[stretch.parameter];
    }
  }
  return "";
}

}  // namespace janus::train
