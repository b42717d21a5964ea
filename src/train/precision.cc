// SPDX-License-Identifier: MIT
#include "train/precision.h"

#include <ATen/autocast_mode.h>

#include <algorithm>
#include <chrono>

#include "train/torch.h"

namespace janus::train {

namespace {

// The best of some: what else runs on the machine only slows.
double speed_of(at::ScalarType type) {
  constexpr int64_t side = 512;
  constexpr int rounds = 5;
  const torch::NoGradGuard no_grad;
  const torch::Tensor a = torch::ones({side, side}).to(type),
                      b = torch::ones({side, side}).to(type);
  torch::mm(a, b);  // what is made once
  double best = 0;
  for (int i = 0; i < rounds; ++i) {
    const auto began = std::chrono::steady_clock::now();
    torch::mm(a, b);
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
    best = std::max(best, 2e-9 * side * side * side / took.count());
  }
  return best;
}

}  // namespace

Precision::Precision(const Recipe& recipe) : before_(at::autocast::is_autocast_enabled(at::kCPU)) {
  at::autocast::set_autocast_dtype(at::kCPU, at::kBFloat16);
  at::autocast::set_autocast_enabled(at::kCPU, recipe.precision == "bf16");
}

Precision::~Precision() {
  at::autocast::clear_cache();
  at::autocast::set_autocast_enabled(at::kCPU, before_);
}

ProductSpeeds measure_products() {
  const int before = at::get_num_threads();
  at::set_num_threads(1);
  const ProductSpeeds speeds{speed_of(at::kFloat), speed_of(at::kBFloat16)};
  at::set_num_threads(before);
  return speeds;
}

double product_peak(Shards& shards, const std::string& precision, double seconds) {
  constexpr int64_t side = 1024;
  const auto type = precision == "bf16" ? at::kBFloat16 : at::kFloat;
  const torch::Tensor a = torch::ones({side, side}).to(type);
  const double operations = 2.0 * side * side * side * shards.count();
  double best = 0, spent = 0;
  do {
    const auto began = std::chrono::steady_clock::now();
    shards.run([&](int) {
      const torch::NoGradGuard no_grad;
      torch::mm(a, a);
    });
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
    spent += took.count();
    best = std::max(best, operations / took.count());
  } while (spent < seconds);
  return best;
}

}  // namespace janus::train
