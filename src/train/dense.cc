// See dense.h. SPDX-License-Identifier: MIT
#include "train/dense.h"

namespace janus::train {
namespace {

thread_local Dropout* current = nullptr;  // owned by the frame that made it

}  // namespace

Dropout::Dropout(uint64_t key) : random_(torch::make_generator<at::CPUGeneratorImpl>(key)) {
  current = this;
}

Dropout::~Dropout() { current = nullptr; }

torch::Tensor Dropout::mask(const torch::Tensor& like, double share) {
  return torch::empty_like(like).bernoulli_(1 - share, random_).div_(1 - share);
}

torch::Tensor DenseImpl::forward(const torch::Tensor& x) {
  const torch::Tensor y = LinearImpl::forward(x);
  if (!addition.a.defined()) return y;
  const bool dropping = current && addition.dropout > 0;
  const torch::Tensor seen = dropping ? x * current->mask(x, addition.dropout) : x;
  return y + torch::linear(torch::linear(seen, addition.a), addition.b) * addition.scale;
}

}  // namespace janus::train
