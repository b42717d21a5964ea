// Operations of a step against the products that libtorch is asked for in one, and by hand.
// SPDX-License-Identifier: MIT
#include "train/operations.h"

#include <ATen/record_function.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <sstream>

#include "io/file.h"
#include "support.h"
#include "train/checkpoint.h"
#include "train/run.h"
#include "train/stage.h"
#include "train/task.h"

namespace janus::train {
namespace {

// Those of the products and convolutions on this thread while it lives. Attention is one operation
// of libtorch's, which says nothing of what it multiplies.
class Counted {
 public:
  Counted() {
    sum = 0;
    handle_ = at::addThreadLocalCallback(at::RecordFunctionCallback(&count).needsInputs(true));
  }
  ~Counted() { at::removeCallback(handle_); }
  Counted(const Counted&) = delete;
  Counted& operator=(const Counted&) = delete;
  static inline double sum = 0;

 private:
  static std::unique_ptr<at::ObserverContext> count(const at::RecordFunction& call) {
    const std::string name = call.name();
    const auto inputs = call.inputs();
    const auto tensor = [&](size_t i) { return inputs[i].toTensor(); };
    const auto product = [](const torch::Tensor& a, const torch::Tensor& b) {
      return 2.0 * static_cast<double>(a.numel() * b.size(-1));
    };
    if (name == "aten::mm" || name == "aten::bmm") sum += product(tensor(0), tensor(1));
    if (name == "aten::addmm") sum += product(tensor(1), tensor(2));
    if (name == "aten::convolution") {
      const torch::Tensor x = tensor(0), weight = tensor(1);
      const int64_t stride = inputs[3].toIntVector()[0], padding = inputs[4].toIntVector()[0];
      const int64_t side = (x.size(2) + 2 * padding - weight.size(2)) / stride + 1;
      sum += 2.0 * static_cast<double>(x.size(0) * side * side * weight.numel());
    }
    if (name == "aten::convolution_backward") {
      const torch::Tensor gradient = tensor(0), weight = tensor(2);
      const auto wanted = inputs[10].toBoolList();
      sum += 2.0 * ((wanted[0] ? 1 : 0) + (wanted[1] ? 1 : 0)) *
             static_cast<double>(gradient.numel() / gradient.size(1) * weight.numel());
    }
    return nullptr;
  }
  at::CallbackHandle handle_;
};

// That of the golden model, which takes no time to make.
const std::vector<std::string> kTokenizer = {
    "model.language.vocabulary=640",
    "model.tokenizer=" + golden("tiny-hf/tokenizer.json").string()};

struct Step {
  double told = 0, counted = 0;
  int64_t positions = 0;
};

Step step_of(const Recipe& recipe) {
  torch::manual_seed(1);
  Processes alone;
  const auto trained =
      recipe.trains_codec() ? make_codec_task(recipe, alone) : make_language_task(recipe, alone);
  std::vector<torch::Tensor> learners;
  for (auto& [name, weight] : trained->adapter()) learners.push_back(weight);
  for (auto& [name, weight] : named_parameters(trained->network())) {
    const bool learns = weight.requires_grad() && recipe.lora.rank == 0 && is_trained(recipe, name);
    weight.requires_grad_(learns);
    if (learns) learners.push_back(weight);
  }
  trained->open_data({});
  trained->start(0);
  trained->next();
  Figures figures;
  const Counted counted;
  const torch::Tensor loss = trained->loss(0, 0, 0, 1, figures);
  torch::autograd::grad({loss}, learners, {}, std::nullopt, false, true);
  return {trained->work().operations, Counted::sum, trained->work().positions};
}

// One pass of one sample, so that there are no pads.
// `lora`: targets of an adapter, none for none.
Step step_of(bool codec, const char* task, std::vector<std::string> overrides,
             const std::vector<std::string>& lora = {}) {
  overrides.insert(overrides.end(), kTokenizer.begin(), kTokenizer.end());
  overrides.push_back("batch.micro=1");
  if (!codec) {
    overrides.push_back("data=[{path=\"toyland\", samples=4, task=\"" + std::string(task) + "\"}]");
  }
  Recipe recipe = parse_recipe(tiny_recipe(codec), "tiny", overrides);
  recipe.lora.rank = lora.empty() ? 0 : 4;
  recipe.lora.targets = lora;
  return step_of(recipe);
}

// Of the tiny recipe: two layers of width 48, a vision tower of one layer of width 32 with 16
// places. `times`: 3 where gradients go back through it.
double decoder_attention(int64_t positions, double times) {
  const auto places = static_cast<double>(positions);
  return times * 2 * 4 * 48 * places * (places + 1) / 2;
}
double vision_attention(double times) { return times * 4 * 32 * 16 * 16; }

TEST(Operations, AreTheProductsThatLibtorchIsAskedFor) {
  struct Case {
    const char* name;
    std::vector<std::string> overrides, lora;
    // 3 where gradients go back through the attention of all layers, 1 where through none.
    double decoder, vision;
  };
  const Case cases[] = {
      {"everything", {}, {}, 3, 3},
      {"stage1", {"stage.modules=stage1"}, {}, 3, 1},
      {"stage2", {"stage.modules=stage2"}, {}, 3, 1},
      {"heads", {"stage.train=[\"lm_head.*\",\"model.generation_head.*\"]"}, {}, 1, 1},
      {"the last layer", {"stage.train=[\"model.language_model.layers.1.mlp.*\"]"}, {}, 1, 1},
      {"adapter", {}, {"model.language_model.*.q_proj", "lm_head"}, 3, 1},
      {"adapter behind the first attention", {}, {"*.o_proj"}, 2, 1},
  };
  for (const auto& one : cases) {
    const Step draw = step_of(false, "generate", one.overrides, one.lora);
    EXPECT_DOUBLE_EQ(draw.told, draw.counted + decoder_attention(draw.positions, one.decoder))
        << one.name << ", drawing";
    const Step ask = step_of(false, "understand", one.overrides, one.lora);
    EXPECT_DOUBLE_EQ(ask.told, ask.counted + decoder_attention(ask.positions, one.decoder) +
                                   vision_attention(one.vision))
        << one.name << ", reading";
  }
}

// Of a pair both, and both again without gradients by the model before.
TEST(Operations, OfAPreferenceAreThoseOfBothNetworks) {
  const Folder folder("pairs");
  write_picture(folder / "a.png", 32);
  std::string codes = "[0";
  for (int i = 1; i < 64; ++i) codes += ", " + std::to_string(i % 7);
  codes += "]";
  const std::string rows[] = {
      R"({"prompt": "a ball", "target_codes": )" + codes + R"(, "rejected_codes": )" + codes + "}",
      R"({"messages": [{"role": "user", "content": "<image> What?"}, )"
      R"({"role": "assistant", "content": "A ball."}], "images": ["a.png"], "rejected": "Two."})"};
  for (const std::string& row : rows) {
    write_text(folder / "rows.jsonl", row);
    std::vector<std::string> overrides = kTokenizer;
    overrides.push_back("data=[{path=\"" + (folder / "rows.jsonl").string() +
                        "\", format=\"jsonl\"}]");
    overrides.push_back("batch.micro=1");
    Recipe recipe = parse_recipe(tiny_recipe(false), "tiny", overrides);
    const Step plain = step_of(recipe);
    recipe.preference.beta = 0.1;
    const Step pair = step_of(recipe);
    // Of both halves; a forward pass of attention costs a third of one with gradients.
    const bool draws = row.starts_with("{\"prompt");
    const double vision = draws ? 0 : vision_attention(3 + 1);
    double attention = 0;
    if (draws) {
      EXPECT_EQ(pair.positions, 2 * plain.positions);
      attention = 2 * decoder_attention(plain.positions, 3 + 1);
    } else {
      const int64_t worse = pair.positions - plain.positions;
      attention = decoder_attention(plain.positions, 3 + 1) + decoder_attention(worse, 3 + 1);
    }
    EXPECT_DOUBLE_EQ(pair.told, pair.counted + attention + vision) << row;
  }
}

TEST(Operations, OfTheCodecAreTheProductsThatLibtorchIsAskedFor) {
  for (const std::vector<std::string>& overrides :
       {std::vector<std::string>{},
        {"codec.crop=16", "codec.crop_until=1.0"},
        {"stage.freeze=[\"model.vqmodel.encoder.*\",\"model.vqmodel.quant*\"]"}}) {
    const Step step = step_of(true, "", overrides);
    EXPECT_EQ(step.positions, overrides.size() == 2 ? 16 : 64);
    EXPECT_DOUBLE_EQ(step.told, step.counted);
  }
}

// 6 for each parameter of the products and each position, and twelve times width for each pair.
TEST(Operations, ByHand) {
  Recipe recipe = parse_recipe(tiny_recipe(false), "tiny");
  const Operations operations(recipe);
  LanguageBatch batch;
  batch.ask.emplace_back();
  batch.ask[0].dialogue.ids.assign(11, 1);
  batch.ask[0].dialogue.taught.assign(11, false);
  batch.ask[0].dialogue.taught.back() = true;
  const double layer = 4 * 48 * 48 + 3 * 48 * 96, head = 400 * 48;
  const StepWork work = operations.of(batch);
  EXPECT_EQ(work.positions, 10);
  EXPECT_DOUBLE_EQ(work.operations, 6 * (10 * 2 * layer + head) + 2 * 12 * 48 * (10 * 11 / 2));
}

TEST(Operations, AreToldByARunAsAShareOfAMeasuredPeak) {
  const Folder folder("share");
  begin_run(folder / "run", merge_recipe(tiny_recipe(false), "tiny", kTokenizer));
  std::vector<std::string> lines;
  train(
      folder / "run", 2, [&lines](const std::string& line) { lines.push_back(line); },
      [] { return false; });
  const auto has = [&lines](const char* words) {
    return std::ranges::any_of(
        lines, [words](const std::string& line) { return line.find(words) != std::string::npos; });
  };
  EXPECT_TRUE(has("products in f32 on 2 threads: "));
  EXPECT_TRUE(has(" positions/s  "));
  EXPECT_TRUE(has(" % of peak"));
  std::istringstream metrics(read_text(folder / "run" / "metrics.jsonl"));
  for (std::string line; std::getline(metrics, line);) {
    const auto json = nlohmann::json::parse(line);
    EXPECT_GT(json.at("positions_per_s").get<double>(), 0);
    EXPECT_GT(json.at("peak_share").get<double>(), 0);
    EXPECT_LT(json.at("peak_share").get<double>(), 1);
  }
}

}  // namespace
}  // namespace janus::train
