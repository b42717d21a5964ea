// Whole runs of tiny models: they learn one batch by heart, resume to the bit, stop when told to,
// and export what they learnt.
// SPDX-License-Identifier: MIT
#include "train/run.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstring>
#include <nlohmann/json.hpp>
#include <sstream>

#include "base/error.h"
#include "io/file.h"
#include "support.h"
#include "train/checkpoint.h"
#include "train/rows.h"
#include "train/task.h"

namespace janus::train {
namespace {

const Log kSilent = [](const std::string&) {};
const std::function<bool()> kGoOn = [] { return false; };

void begin(const std::filesystem::path& run, bool codec,
           const std::vector<std::string>& overrides) {
  begin_run(run, merge_recipe(tiny_recipe(codec), "tiny", overrides));
}

// The figure of the last line of metrics.jsonl that has it.
double last_figure(const std::filesystem::path& run, const std::string& name) {
  std::istringstream lines(read_text(run / "metrics.jsonl"));
  double value = -1;
  for (std::string line; std::getline(lines, line);) {
    value = nlohmann::json::parse(line).value(name, value);
  }
  return value;
}

class Runs : public ::testing::TestWithParam<bool> {};

TEST_P(Runs, ResumeIsExact) {
  const Folder folder(GetParam() ? "resume-codec" : "resume-language");
  begin(folder / "whole", GetParam(), {});
  begin(folder / "parts", GetParam(), {});
  EXPECT_EQ(train(folder / "whole", 2, kSilent, kGoOn), Ended::finished);
  int steps = 0;
  EXPECT_EQ(train(folder / "parts", 2, kSilent, [&steps] { return ++steps == 3; }), Ended::stopped);
  EXPECT_EQ(newest_checkpoint(folder / "parts")->filename(), "step-00000003");
  EXPECT_EQ(train(folder / "parts", 2, kSilent, kGoOn), Ended::finished);
  for (const char* file : {"weights.safetensors", "optimizer.safetensors"}) {
    EXPECT_EQ(bytes_of(folder / "whole" / "step-00000008" / file),
              bytes_of(folder / "parts" / "step-00000008" / file))
        << file;
  }
}

TEST_P(Runs, LearnOneBatchByHeart) {
  const Folder folder(GetParam() ? "heart-codec" : "heart-language");
  begin(folder / "run", GetParam(),
        {"schedule.steps=300", "optim.lr=5e-3", "log.every=10", "codec.revive_until=0.2"});
  train(folder / "run", 2, kSilent, kGoOn);
  if (GetParam()) {
    EXPECT_LT(last_figure(folder / "run", "picture"), 0.5);  // from about 4
  } else {
    EXPECT_LT(last_figure(folder / "run", "code_loss"), 0.1);  // from ln 64 = 4.2
    EXPECT_LT(last_figure(folder / "run", "answer_loss"), 0.02);
  }
}

INSTANTIATE_TEST_SUITE_P(Both, Runs, ::testing::Values(true, false),
                         [](const auto& one) { return one.param ? "codec" : "language"; });

TEST(Run, KeepsTheNewestCheckpointsAndRefusesToStartTwice) {
  const Folder folder("keep");
  begin(folder / "run", true, {"checkpoint.every=2", "checkpoint.keep=2"});
  train(folder / "run", 1, kSilent, kGoOn);
  EXPECT_TRUE(std::filesystem::exists(folder / "run" / "step-00000006"));
  EXPECT_TRUE(std::filesystem::exists(folder / "run" / "step-00000008"));
  EXPECT_FALSE(std::filesystem::exists(folder / "run" / "step-00000004"));
  EXPECT_THROW(begin(folder / "run", true, {}), Error);
}

// Nothing survives its codec, so that the first report stays the best.
TEST(Run, KeepsTheBestOfItsReportsAndExportsIt) {
  const Folder folder("best");
  begin(folder / "run", true,
        {"checkpoint.every=4", "checkpoint.keep=1", "eval.every=2", "eval.samples=2"});
  train(folder / "run", 1, kSilent, kGoOn);
  EXPECT_TRUE(std::filesystem::exists(folder / "run" / "step-00000002"));
  EXPECT_FALSE(std::filesystem::exists(folder / "run" / "step-00000004"));
  ASSERT_TRUE(best_checkpoint(folder / "run").has_value());
  EXPECT_EQ(best_checkpoint(folder / "run")->step, 2);
  export_run(folder / "run", folder / "best", false, true, kSilent);
  export_run(folder / "run", folder / "newest", false, false, kSilent);
  EXPECT_NE(bytes_of(folder / "best" / "model.safetensors"),
            bytes_of(folder / "newest" / "model.safetensors"));
}

// A step that is lost was looked at sample by sample; the codes its samples picked count nowhere.
TEST(Run, ASkippedStepLeavesNoCodesBehind) {
  std::map<bool, torch::Tensor> usage;
  for (const bool skipped : {false, true}) {
    const Recipe recipe = parse_recipe(tiny_recipe(true), "tiny");
    torch::manual_seed(recipe.seed);
    Processes alone;
    const std::unique_ptr<Task> task = make_codec_task(recipe, alone);
    Optimizer optimizer(recipe, named_parameters(task->network()));
    Figures figures;
    task->start(0);
    task->next();
    for (int shard = 0; skipped && shard < 4; ++shard) task->loss(0, 0, shard, 4, figures);
    task->next();
    task->loss(1, 0, 0, 1, figures);
    task->meet(1);
    task->after(1, optimizer, figures);
    usage[skipped] = task->state().at("codec.usage").clone();
  }
  EXPECT_TRUE(torch::equal(usage[false], usage[true]));
}

TEST(Run, AnImageOfAReportThatIsNotThereIsSaidAtOnce) {
  const Folder folder("ask");
  begin(folder / "run", false,
        {"eval.every=8", "eval.ask=[{question=\"what?\", image=\"/nowhere.png\"}]"});
  EXPECT_NE(refusal([&] { train(folder / "run", 1, kSilent, kGoOn); }).find("/nowhere.png"),
            std::string::npos);
}

TEST(Run, WithoutReportsThereIsNoBest) {
  const Folder folder("no-best");
  begin(folder / "run", true, {});
  train(folder / "run", 1, kSilent, kGoOn);
  EXPECT_FALSE(best_checkpoint(folder / "run").has_value());
  EXPECT_THROW(export_run(folder / "run", folder / "out", false, true, kSilent), Error);
}

// The first step throws the weights out of all bounds.
TEST_P(Runs, NotFiniteNamesTensorAndSampleAndStopsInTime) {
  const Folder folder(GetParam() ? "infinite-codec" : "infinite-language");
  begin(folder / "run", GetParam(),
        {"optim.lr=1e38", "schedule.steps=40", "schedule.warmup=0", "checkpoint.every=1"});
  std::vector<std::string> lines;
  try {
    train(
        folder / "run", 1, [&lines](const std::string& line) { lines.push_back(line); }, kGoOn);
    FAIL() << "it went on";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("10 steps in a row"), std::string::npos);
  }
  const auto skipped = std::ranges::find_if(
      lines, [](const std::string& line) { return line.find("is skipped") != std::string::npos; });
  ASSERT_NE(skipped, lines.end());
  EXPECT_NE(skipped->find("the gradient of "), std::string::npos) << *skipped;
  const char* sample = GetParam() ? "picture 0" : " \"";
  EXPECT_NE(skipped->find(sample), std::string::npos) << *skipped;
}

// Of a run of `steps` with the tokenizer of the golden model, which takes no time to make. Epsilon
// outweighs the gradients, so that weights move as these do and rounding is not blown up.
std::map<std::string, torch::Tensor> weights_after(const std::filesystem::path& run, int steps,
                                                   std::vector<std::string> overrides) {
  const std::vector<std::string> common = {
      "model.language.vocabulary=640",
      "model.tokenizer=" + golden("tiny-hf/tokenizer.json").string(),
      "optim.eps=1.0",
      "optim.ema=0",
      "optim.lr=0.1",
      "schedule.kind=constant",
      "schedule.warmup=0",
      "loss.object=3.0",
      "loss.subject=0.2",
      "loss.outline=0.3",
      "loss.probe=0.3",
      "condition_drop=0.5",
      "schedule.steps=" + std::to_string(steps)};
  overrides.insert(overrides.begin(), common.begin(), common.end());
  begin(run, false, overrides);
  train(run, 2, kSilent, kGoOn);
  std::map<std::string, torch::Tensor> all;
  const auto file = *newest_checkpoint(run) / "weights.safetensors";
  for (const auto& [name, tensor] : read_safetensors(file)) {
    all[name] = torch::empty(tensor.shape);
    tensor.read_f32(0, {all[name].data_ptr<float>(), static_cast<size_t>(all[name].numel())});
  }
  return all;
}

// A step does not depend on how its rows are cut into passes or laid into sequences.
TEST(Run, PassesAndPackingLeaveAStepAsItIs) {
  const Folder folder("passes");
  const auto start = weights_after(folder / "start", 1, {"optim.lr=1e-30"});
  for (const std::string norm : {"token", "sample", "task"}) {
    const auto whole = weights_after(folder / norm, 2, {"loss.norm=" + norm});
    const auto moved = [&](const std::map<std::string, torch::Tensor>& to) {
      double furthest = 0, largest = 0;
      for (const auto& [name, weight] : whole) {
        largest = std::max(largest, (weight - start.at(name)).abs().max().item<double>());
      }
      for (const auto& [name, weight] : whole) {
        const double change = (weight - start.at(name)).abs().max().item<double>();
        const double error = (weight - to.at(name)).abs().max().item<double>();
        // Either step rounds a weight once. Biases of keys in attention move by rounding alone.
        const double rounding = 2 * 0x1p-23 * weight.abs().max().item<double>();
        furthest = std::max(furthest, (error - rounding) / std::max(change, 1e-3 * largest));
      }
      return furthest;
    };
    EXPECT_GT(moved(start), 0.99);
    EXPECT_LT(moved(weights_after(folder / (norm + "-passes"), 2,
                                  {"loss.norm=" + norm, "batch.micro=2", "batch.accumulate=4"})),
              1e-4);
    EXPECT_LT(moved(weights_after(folder / (norm + "-packed"), 2,
                                  {"loss.norm=" + norm, "batch.pack=true"})),
              1e-4);
  }
}

// Codec, then a language model on it, then one that starts from that export: its weights and its
// tokenizer are the exported ones, and a frozen codec never moves.
TEST(Run, ExportIsWhatTheNextRunStartsFrom) {
  const Folder folder("chain");
  begin(folder / "codec", true, {});
  train(folder / "codec", 2, kSilent, kGoOn);
  export_run(folder / "codec", folder / "codec-out", false, false, kSilent);
  begin(folder / "language", false, {"model.codec=" + (folder / "codec-out").string()});
  train(folder / "language", 2, kSilent, kGoOn);
  export_run(folder / "language", folder / "out", false, false, kSilent);
  const auto codec = bytes_of(folder / "codec-out" / "model.safetensors");
  const auto whole = bytes_of(folder / "out" / "model.safetensors");
  for (const auto& [name, bytes] : codec) EXPECT_EQ(whole.at(name), bytes) << name;
  EXPECT_EQ(load_config(folder / "out").vq.groups, 4);
  begin(folder / "next", false,
        {"model.init=" + (folder / "out").string(), "optim.lr=1e-30", "schedule.steps=1"});
  train(folder / "next", 2, kSilent, kGoOn);
  EXPECT_EQ(bytes_of(*newest_checkpoint(folder / "next") / "weights.safetensors"), whole);
}

// The tiny checkpoint's published logits give the same loss.
TEST(Run, LossOfRowsIsThatOfThePublishedLogits) {
  const Folder folder("rows");
  nlohmann::json drawn = {{"task", "generate"}};
  drawn["messages"] = {{{"role", "user"}, {"content", "a red apple on a blue table"}}};
  const torch::Tensor codes = (torch::arange(64) * 91 + 13) % 256;
  for (int64_t i = 0; i < 64; ++i) drawn["target_codes"].push_back(codes[i].item<int64_t>());
  AtomicFile file(folder / "rows.jsonl");
  file.write(
      drawn.dump() + "\n" +
      R"({"task": "text", "messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "a"}]})" +
      "\n");
  file.commit();
  std::vector<RowLoss> losses;
  row_losses(golden("tiny-hf"), folder / "rows.jsonl", {}, kSilent,
             [&losses](const RowLoss& loss) { losses.push_back(loss); });
  ASSERT_EQ(losses.size(), 2u);
  EXPECT_EQ(losses[0].targets, 64);
  const torch::Tensor published = golden_tensor("draw.safetensors", "gen.logits.cond");
  const double wanted =
      torch::cross_entropy_loss(published, codes, {}, at::Reduction::Sum).item<double>();
  EXPECT_NEAR(losses[0].sum, wanted, 1e-3);
  EXPECT_EQ(losses[1].task, "text");
  EXPECT_EQ(losses[1].targets, 2);  // the word and the end token
}

}  // namespace
}  // namespace janus::train
