// Adapters in training: nothing changes at first, then the factors alone; runs resume to the bit.
// SPDX-License-Identifier: MIT
#include "train/lora.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "io/file.h"
#include "support.h"
#include "train/checkpoint.h"
#include "train/dense.h"
#include "train/net.h"
#include "train/run.h"

namespace janus::train {
namespace {

const Log kSilent = [](const std::string&) {};

// On the golden model and two rows of a file.
std::string recipe(const std::filesystem::path& rows) {
  return "seed = 4\n[model]\ninit = \"" + golden("tiny-hf").string() +
         "\"\n[lora]\nrank = 4\ndropout = 0.25\n[[data]]\nformat = \"jsonl\"\npath = \"" +
         rows.string() +
         "\"\n[optim]\nlr = 1e-2\n[schedule]\nsteps = 6\n[batch]\nmicro = 2\n[checkpoint]\nevery = "
         "9\n";
}

void write_rows(const std::filesystem::path& path) {
  std::string codes = "1";
  for (int i = 1; i < 64; ++i) codes += ", " + std::to_string(3 * i);
  AtomicFile file(path);
  file.write("{\"prompt\": \"a ball\", \"target_codes\": [" + codes + "]}\n" +
             R"({"messages": [{"role": "user", "content": "hi"}, )" +
             R"({"role": "assistant", "content": "there"}]})" + "\n");
  file.commit();
}

Recipe parsed(const std::vector<std::string>& overrides = {}) {
  return parse_recipe(recipe("rows.jsonl"), "lora", overrides);
}

TEST(Lora, ChangesNothingAtFirst) {
  torch::NoGradGuard off;
  Janus net(load_config(golden("tiny-hf")));
  load_tensors(golden("tiny-hf/model.safetensors"), named_parameters(*net));
  const torch::Tensor x = net->embed_text(torch::arange(20).unsqueeze(0));
  const torch::Tensor before = net->text_logits(net->model->language_model(x));
  const NamedTensors factors =
      add_lora(*net, parsed({"lora.targets=[\"*q_proj\", \"lm_head\", \"model.aligner.*\"]"}));
  EXPECT_TRUE(torch::equal(net->text_logits(net->model->language_model(x)), before));
  // Two layers of the decoder and two of the vision tower, the head, both layers of the adaptor.
  EXPECT_EQ(factors.size(), 2u * (2 + 2 + 1 + 2));
  EXPECT_EQ(factors.at("lm_head.lora_A.weight").sizes(), (std::vector<int64_t>{4, 64}));
  EXPECT_EQ(factors.at("lm_head.lora_B.weight").sizes(), (std::vector<int64_t>{640, 4}));
  EXPECT_EQ(named_parameters(*net).count("lm_head.lora_A.weight"), 0u);
}

TEST(Lora, AddsScaledProductsAndDropsByTheKeyAlone) {
  Dense layer(torch::nn::LinearOptions(8, 3).bias(true));
  const torch::Tensor x = torch::randn({5, 8}), plain = layer(x);
  layer->addition = {torch::randn({2, 8}), torch::randn({3, 2}), 0.5, 0.5};
  const Addition& added = layer->addition;
  EXPECT_LT(distance(layer(x), plain + 0.5 * x.mm(added.a.t()).mm(added.b.t())), 1e-5);
  const auto dropped = [&](uint64_t key) {
    const Dropout dropout(key);
    return layer(x);
  };
  EXPECT_TRUE(torch::equal(dropped(1), dropped(1)));
  EXPECT_FALSE(torch::equal(dropped(1), dropped(2)));
  EXPECT_TRUE(torch::equal(layer(x), layer(x)));  // none without one that lives
  Dropout many(3);
  const torch::Tensor mask = many.mask(torch::empty({200, 200}), 0.25);
  EXPECT_NEAR(mask.mean().item<double>(), 1, 0.02);
  EXPECT_NEAR((mask == 0).to(torch::kFloat).mean().item<double>(), 0.25, 0.01);
}

TEST(Lora, TargetsAreLinearLayers) {
  Janus net(load_config(golden("tiny-hf")));
  const auto refused = [&](const std::string& target) {
    EXPECT_THROW(add_lora(*net, parsed({"lora.targets=[\"" + target + "\"]"})), Error) << target;
  };
  refused("model.language_model.embed_tokens");
  refused("*.q_proj.weight");
  refused("model.vqmodel.*");
}

TEST(Lora, RefusesWhatItCannotBeBeside) {
  const auto refused = [](const std::vector<std::string>& overrides) {
    EXPECT_THROW(parsed(overrides), Error) << overrides.front();
  };
  refused({"lora.rank=-1"});
  refused({"lora.dropout=1.0"});
  refused({"lora.alpha=0.0"});
  refused({"stage.modules=stage1"});
  refused({"stage.train=[\"lm_head.*\"]"});
  EXPECT_EQ(parsed().lora.alpha, 8);  // twice the rank
}

TEST(Lora, RunsResumeToTheBitAndSaveInPeftsForm) {
  const Folder folder("lora");
  write_rows(folder / "rows.jsonl");
  for (const char* name : {"whole", "parts"}) {
    begin_run(folder / name, recipe(folder / "rows.jsonl"));
  }
  train(folder / "whole", 2, kSilent, [] { return false; });
  int steps = 0;
  train(folder / "parts", 2, kSilent, [&steps] { return ++steps == 3; });
  train(folder / "parts", 2, kSilent, [] { return false; });
  const auto whole = bytes_of(folder / "whole" / "step-00000006" / "weights.safetensors");
  EXPECT_EQ(bytes_of(folder / "parts" / "step-00000006" / "weights.safetensors"), whole);
  EXPECT_EQ(whole.size(), 2u * 2 * 4);  // the factors alone
  export_run(folder / "whole", folder / "out", false, false, kSilent);
  const auto saved = bytes_of(folder / "out" / "adapter_model.safetensors");
  EXPECT_EQ(saved.size(), whole.size());
  for (const auto& [name, bytes] : whole) {
    EXPECT_EQ(saved.at("base_model.model." + name), bytes) << name;
    EXPECT_TRUE(std::any_of(bytes.begin(), bytes.end(), [](std::byte b) {
      return b != std::byte{};
    })) << name;  // B has left zero
  }
  const auto config = nlohmann::json::parse(read_text(folder / "out" / "adapter_config.json"));
  EXPECT_EQ(config["r"], 4);
  EXPECT_EQ(config["lora_alpha"], 8.0);
  EXPECT_EQ(config["target_modules"].size(), 8u);
  EXPECT_EQ(config["target_modules"][0], "model.language_model.layers.0.self_attn.k_proj");
}

}  // namespace
}  // namespace janus::train
