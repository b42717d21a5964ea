// See dense.h. SPDX-License-Identifier: MIT
#include "train/dense.h"

#include <utility>

namespace janus::train {
namespace {

thread_local Dropout* current = nullptr;  // owned by the frame that made it
thread_local bool plain = false;

}  // namespace

Dropout::Dropout(uint64_t key) : Dropout(torch::make_generator<at::CPUGeneratorImpl>(key)) {}

Dropout::Dropout(torch::Generator random) : random_(std::move(random)), outer_(current) {
  current = this;
}

Dropout::~Dropout() { current = outer_; }

std::optional<torch::Generator> Dropout::state() {
  return current ? std::optional(current->random_.clone()) : std::nullopt;
}

torch::Tensor Dropout::mask(const torch::Tensor& like, double share) {
  return torch::empty_like(like).bernoulli_(1 - share, random_).div_(1 - share);
}

WithoutAdditions::WithoutAdditions() : outer_(std::exchange(plain, true)) {}

WithoutAdditions::~WithoutAdditions() { plain = outer_; }

torch::Tensor DenseImpl::forward(const torch::Tensor& x) {
  const torch::Tensor y = LinearImpl::forward(x);
  if (!addition.a.defined() || plain) return y;
  const bool dropping = current && addition.dropout > 0;
  const torch::Tensor seen = dropping ? x * current->mask(x, addition.dropout) : x;
  return y + torch::linear(torch::linear(seen, addition.a), addition.b) * addition.scale;
}

}  // namespace janus::train
