// The fused GroupNorm and SiLU against libtorch's own operations, forward and backward.
// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>
#include <unistd.h>

#include "support.h"
#include "train/codec.h"

namespace janus::train {
namespace {

struct Results {
  torch::Tensor y, dx, dweight, dbias;
};

template <class F>
Results run(const torch::Tensor& x0, const torch::Tensor& dy, const F& f) {
  const torch::Tensor x = x0.detach().clone().requires_grad_();
  torch::manual_seed(3);
  torch::nn::GroupNorm norm(torch::nn::GroupNormOptions(4, x0.size(1)).eps(1e-6));
  {
    torch::NoGradGuard off;
    norm->weight.normal_(1, 0.3);
    norm->bias.normal_(0, 0.3);
  }
  const torch::Tensor y = f(norm, x);
  const auto grads = torch::autograd::grad({y}, {x, norm->weight, norm->bias}, {dy.to(y.dtype())});
  return {y.detach().to(torch::kFloat), grads[0].to(torch::kFloat), grads[1], grads[2]};
}

void compare(torch::ScalarType type, double bound) {
  torch::manual_seed(1);
  const torch::Tensor x = (torch::randn({3, 24, 19, 15}) * 2 + 0.7).to(type);
  const torch::Tensor dy = torch::randn({3, 24, 19, 15});
  const Results made =
      run(x, dy, [](auto& norm, const torch::Tensor& v) { return group_norm_silu(norm, v); });
  const Results wanted = run(x.to(torch::kFloat), dy, [](auto& norm, const torch::Tensor& v) {
    return torch::silu(norm(v));
  });
  EXPECT_LT(distance(made.y, wanted.y), bound);
  EXPECT_LT(distance(made.dx, wanted.dx), bound);
  EXPECT_LT(distance(made.dweight, wanted.dweight), bound);
  EXPECT_LT(distance(made.dbias, wanted.dbias), bound);
}

TEST(NormRows, EqualsLibtorchInF32) { compare(torch::kFloat, 2e-5); }

// Half a unit in the last of eight bits, of values up to ten times the rms.
TEST(NormRows, EqualsLibtorchInBf16) { compare(torch::kBFloat16, 4e-2); }

}  // namespace
}  // namespace janus::train
