// Layers that keep their inputs alone: the same outputs, the same gradients and the same runs, to
// the bit. SPDX-License-Identifier: MIT
#include "train/recompute.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include "io/file.h"
#include "support.h"
#include "train/checkpoint.h"
#include "train/dense.h"
#include "train/net.h"
#include "train/run.h"

namespace janus::train {
namespace {

constexpr int64_t kWidth = 16;

// A layer with an addition, of inputs that ask for gradients or not.
struct Sample {
  explicit Sample(bool input_learns) : layer(torch::nn::LinearOptions(kWidth, kWidth)) {
    torch::manual_seed(5);
    x = torch::randn({6, kWidth}).set_requires_grad(input_learns);
    Addition& added = layer->addition;
    added.a = torch::randn({2, kWidth}).set_requires_grad(true);
    added.b = torch::randn({kWidth, 2}).set_requires_grad(true);
    added.scale = 0.5;
    added.dropout = 0.3;
  }

  // Output and gradients; two layers in a row, so that the second drops other inputs.
  torch::autograd::variable_list results(bool again) {
    const auto run = [this](const torch::Tensor& in) { return torch::silu(layer(in)); };
    const auto once = [&](const torch::Tensor& in) {
      return again ? recomputed(*layer, run, in) : run(in);
    };
    torch::Tensor y;
    {
      const Dropout dropout(9);
      y = once(once(x));
    }
    const Addition& added = layer->addition;
    torch::autograd::variable_list inputs = {layer->weight, layer->bias, added.a, added.b};
    if (x.requires_grad()) inputs.push_back(x);
    auto all = torch::autograd::grad({y.square().sum()}, inputs);
    all.push_back(y.detach());
    return all;
  }

  Dense layer;
  torch::Tensor x;
};

TEST(Recompute, GivesOutputsAndGradientsToTheBitThroughDropout) {
  for (const bool input_learns : {true, false}) {
    Sample sample(input_learns);
    const auto plain = sample.results(false), again = sample.results(true);
    ASSERT_EQ(again.size(), plain.size());
    for (size_t i = 0; i < plain.size(); ++i) EXPECT_TRUE(torch::equal(again[i], plain[i])) << i;
  }
}

TEST(Recompute, RunsOnceWhereNoGradientIsWanted) {
  Sample sample(true);
  int runs = 0;
  const auto run = [&](const torch::Tensor& in) {
    ++runs;
    return sample.layer(in);
  };
  {
    const torch::NoGradGuard off;
    EXPECT_FALSE(recomputed(*sample.layer, run, sample.x).requires_grad());
    EXPECT_EQ(runs, 1);
  }
  recomputed(*sample.layer, run, sample.x).sum().backward();
  EXPECT_EQ(runs, 3);
}

// Weights of three steps on drawings and answers, a stage that trains the vision tower.
std::string weights_of(const Folder& folder, const std::string& name, const std::string& settings,
                       bool again) {
  const std::string recipe =
      "seed = 4\n" + settings + "[model]\ninit = \"" + golden("tiny-hf").string() +
      "\"\n[[data]]\npath = \"toyland/single\"\ntask = \"generate\"\n[[data]]\npath = "
      "\"toyland/short\"\ntask = \"understand\"\n[optim]\nlr = 1e-3\n[schedule]\nsteps = 3\n"
      "[checkpoint]\nevery = 9\n[batch]\nmicro = 4\nmax_len = 256\npack = true\ncheckpoint = " +
      (again ? "true" : "false") + "\n";
  const auto run = folder / (name + (again ? "-again" : "-plain"));
  begin_run(run, recipe);
  train(
      run, 2, [](const std::string&) {}, [] { return false; });
  return read_text(run / "step-00000003" / "weights.safetensors");
}

TEST(Recompute, RunsLearnTheSame) {
  const Folder folder("recompute");
  for (const char* settings : {"precision = \"f32\"\n", "precision = \"bf16\"\n"}) {
    const std::string name(settings, 16);
    EXPECT_EQ(weights_of(folder, name.substr(13, 3), settings, true),
              weights_of(folder, name.substr(13, 3), settings, false))
        << settings;
  }
  const std::string lora = "lora = { rank = 4, dropout = 0.25 }\n";
  EXPECT_EQ(weights_of(folder, "lora", lora, true), weights_of(folder, "lora", lora, false));
}

}  // namespace
}  // namespace janus::train
