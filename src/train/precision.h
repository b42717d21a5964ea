// Which numbers products are computed in. SPDX-License-Identifier: MIT
#pragma once

#include <string>

#include "train/recipe.h"
#include "train/shards.h"

namespace janus::train {

// bf16 in convolutions and matrix products while it lives, where the recipe asks for it.
class Precision {
 public:
  explicit Precision(const Recipe& recipe);
  ~Precision();
  Precision(const Precision&) = delete;
  Precision& operator=(const Precision&) = delete;

 private:
  bool before_;
};

// Of a product of two 512 x 512 matrices on one core of this machine, GFLOP/s.
struct ProductSpeeds {
  double f32 = 0, bf16 = 0;

  std::string faster() const { return bf16 > f32 ? "bf16" : "f32"; }
};
ProductSpeeds measure_products();

// What all threads of the shards do at once at most: operations a second in products of two
// 1024 x 1024 matrices in "f32" or "bf16", the best of those that begin in so many seconds.
double product_peak(Shards& shards, const std::string& precision, double seconds);

}  // namespace janus::train
