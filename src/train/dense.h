// A linear layer that may have a low-rank addition: y = x Wᵀ + b + scale · drop(x) Aᵀ Bᵀ. The
// parameters are those of torch::nn::Linear; the addition's are kept apart (lora.h).
// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>

#include "train/torch.h"

namespace janus::train {

struct Addition {
  torch::Tensor a;  // [rank, inputs]; undefined: there is none
  torch::Tensor b;  // [outputs, rank]
  double scale = 0;
  double dropout = 0;  // share of the inputs left out while a Dropout lives
};

struct DenseImpl : torch::nn::LinearImpl {
  using LinearImpl::LinearImpl;
  torch::Tensor forward(const torch::Tensor& x);  // [.., inputs] -> [.., outputs]
  Addition addition;
};
TORCH_MODULE(Dense);

// While it lives, additions leave out inputs on this thread, by random numbers that `key` alone
// decides: nothing random has to be kept between steps.
class Dropout {
 public:
  explicit Dropout(uint64_t key);
  explicit Dropout(torch::Generator random);  // goes on where that one of state() was
  ~Dropout();
  Dropout(const Dropout&) = delete;
  Dropout& operator=(const Dropout&) = delete;
  // The next mask, of ones over 1 - share and zeros.
  torch::Tensor mask(const torch::Tensor& like, double share);
  // A copy of the random numbers to come of the one that lives on this thread, if any.
  static std::optional<torch::Generator> state();

 private:
  torch::Generator random_;
  Dropout* outer_;  // lived before it
};

// While it lives, no layer has its addition on this thread: the network as it was before any.
class WithoutAdditions {
 public:
  WithoutAdditions();
  ~WithoutAdditions();
  WithoutAdditions(const WithoutAdditions&) = delete;
  WithoutAdditions& operator=(const WithoutAdditions&) = delete;

 private:
  bool outer_;  // whether one lived before it
};

}  // namespace janus::train
