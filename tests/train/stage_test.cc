// What each stage trains, how fast, and that the rest stays as it was; AdamW against libtorch's.
// SPDX-License-Identifier: MIT
#include "train/stage.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstring>
#include <set>

#include "base/error.h"
#include "support.h"
#include "train/checkpoint.h"
#include "train/net.h"
#include "train/optimizer.h"
#include "train/run.h"

namespace janus::train {
namespace {

Recipe tiny(const std::vector<std::string>& overrides) {
  return parse_recipe(tiny_recipe(false), "tiny", overrides);
}

std::string refusal(bool codec, const std::vector<std::string>& overrides) {
  try {
    parse_recipe(tiny_recipe(codec), "tiny", overrides);
  } catch (const Error& error) {
    return error.what();
  }
  return "accepted";
}

// "model.aligner.fc1.weight" -> "aligner"
std::string module_of(const std::string& name) {
  const std::string inner = name.starts_with("model.") ? name.substr(6) : name;
  return inner.substr(0, inner.find('.'));
}

TEST(Stage, TrainsTheModulesOfThePublishedTable) {
  const Janus net(load_config(golden("tiny-hf")));
  const std::set<std::string> first = {"aligner", "generation_aligner", "generation_embeddings",
                                       "generation_head"};
  std::set<std::string> second = first;
  second.insert({"language_model", "lm_head"});
  std::set<std::string> third = second;
  third.insert("vision_model");
  const std::map<std::string, std::set<std::string>> stages = {
      {"stage1", first}, {"stage2", second}, {"stage3", third}};
  for (const auto& [stage, wanted] : stages) {
    const Recipe recipe = tiny({"stage.modules=" + stage});
    for (const auto& [name, weight] : named_parameters(*net)) {
      EXPECT_EQ(is_trained(recipe, name), wanted.count(module_of(name)) == 1) << stage << name;
    }
  }
}

TEST(Stage, ListsNarrowThePreset) {
  const Recipe recipe = tiny({"stage.modules=stage2", "stage.train=[\"model.*\"]",
                              "stage.freeze=[\"model.language_model.layers.0.*\"]"});
  EXPECT_TRUE(is_trained(recipe, "model.language_model.layers.1.mlp.up_proj.weight"));
  EXPECT_FALSE(is_trained(recipe, "model.language_model.layers.0.mlp.up_proj.weight"));
  EXPECT_FALSE(is_trained(recipe, "lm_head.weight"));
  EXPECT_FALSE(is_trained(recipe, "model.vision_model.post_layernorm.weight"));
}

TEST(Stage, ScalesMultiply) {
  const Recipe recipe = tiny({"stage.lr_scale={\"model.*\" = 0.5, \"*.bias\" = 0.1}"});
  EXPECT_EQ(lr_scale(recipe, "lm_head.weight"), 1);
  EXPECT_EQ(lr_scale(recipe, "model.aligner.fc1.weight"), 0.5);
  EXPECT_DOUBLE_EQ(lr_scale(recipe, "model.aligner.fc1.bias"), 0.05);
}

TEST(Stage, RefusesWhatCannotBe) {
  EXPECT_NE(refusal(false, {"stage.modules=stage4"}).find("stage.modules is none of"),
            std::string::npos);
  EXPECT_NE(refusal(true, {"stage.modules=stage1"}).find("no stage trains the codec"),
            std::string::npos);
  EXPECT_NE(refusal(false, {"stage.lr_scale={\"lm_head.*\" = 0.0}"}).find("must be positive"),
            std::string::npos);
  EXPECT_NE(refusal(false, {"stage.lr_scale.lm_head=\"slow\""}).find("is no number"),
            std::string::npos);
  const std::vector<std::string> names = {"lm_head.weight"};
  EXPECT_NO_THROW(check_patterns(tiny({"stage.train=[\"lm_*\"]"}), names));
  EXPECT_THROW(check_patterns(tiny({"stage.train=[\"lmhead.*\"]"}), names), Error);
  EXPECT_THROW(check_patterns(tiny({"stage.freeze=[\"lmhead.*\"]"}), names), Error);
  EXPECT_THROW(check_patterns(tiny({"stage.lr_scale={\"lmhead.*\" = 0.5}"}), names), Error);
}

// Of a whole run: frozen parameters keep their bits, all others move.
TEST(Stage, FrozenModulesKeepTheirBits) {
  const Folder folder("stage");
  const auto weights_after = [&](const std::string& run, const std::string& stop_after) {
    begin_run(folder / run,
              merge_recipe(tiny_recipe(false), "tiny",
                           std::vector<std::string>{
                               "stage.modules=stage1", "condition_drop=0.5",
                               "schedule.steps=" + stop_after, "model.language.vocabulary=640",
                               "model.tokenizer=" + golden("tiny-hf/tokenizer.json").string()}));
    train(
        folder / run, 2, [](const std::string&) {}, [] { return false; });
    return read_safetensors(*newest_checkpoint(folder / run) / "weights.safetensors");
  };
  const StoredTensors before = weights_after("one", "1"), after = weights_after("four", "4");
  const Recipe recipe = tiny({"stage.modules=stage1"});
  for (const auto& [name, tensor] : before) {
    const bool same =
        std::memcmp(tensor.data.data(), after.at(name).data.data(), tensor.data.size()) == 0;
    EXPECT_NE(same, is_trained(recipe, name)) << name;
  }
}

// Ten clipped steps with decay and with two paces, against torch::optim::AdamW with the same
// groups.
TEST(Stage, TenStepsAreThoseOfAdamW) {
  Recipe recipe = tiny({"optim.weight_decay=0.1", "optim.lr=1e-2", "optim.ema=0",
                        "stage.lr_scale={\"slow.*\" = 0.25}"});
  torch::manual_seed(3);
  NamedTensors ours, theirs;
  for (const char* name : {"fast.weight", "fast.bias", "slow.weight", "slow.bias"}) {
    const bool bias = std::string(name).ends_with("bias");
    const torch::Tensor value = bias ? torch::randn({7}) : torch::randn({7, 5});
    ours[name] = value.clone().set_requires_grad(true);
    theirs[name] = value.clone().set_requires_grad(true);
  }
  std::vector<torch::optim::OptimizerParamGroup> groups;
  std::vector<torch::Tensor> all;
  for (const auto& [name, weight] : theirs) {
    const double scale = name.starts_with("slow") ? 0.25 : 1;
    auto options = std::make_unique<torch::optim::AdamWOptions>(1e-2 * scale);
    options->betas({0.9, 0.95}).eps(1e-8).weight_decay(weight.dim() > 1 ? 0.1 : 0);
    groups.emplace_back(std::vector<torch::Tensor>{weight}, std::move(options));
    all.push_back(weight);
  }
  torch::optim::AdamW reference(groups);
  Optimizer optimizer(recipe, ours);
  Shards shards(2);
  for (int step = 0; step < 10; ++step) {
    StepGradients gradients;
    for (auto& [name, weight] : ours) {
      gradients.parts.push_back(torch::randn_like(weight));
      gradients.met.push_back(true);
      theirs.at(name).mutable_grad() = gradients.parts.back().clone();
    }
    torch::nn::utils::clip_grad_norm_(all, recipe.optim.clip);
    reference.step();
    EXPECT_GT(optimizer.step(1e-2, gradients, shards), recipe.optim.clip);
  }
  for (const auto& [name, weight] : ours) {
    EXPECT_LT(distance(weight.detach(), theirs.at(name).detach()), 1e-5) << name;
  }
}

}  // namespace
}  // namespace janus::train
