// What a training is told to take: how it follows from the recipe, and what refusals offer. That it
// is what one takes: tests/train_parity/memory.py. SPDX-License-Identifier: MIT
#include "train/memory.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include "base/error.h"
#include "files.h"
#include "io/file.h"
#include "train/run.h"

namespace janus::train {
namespace {

std::string recipe_text() {
  return "seed = 4\n[model]\ninit = \"" +
         (std::filesystem::path(JANUSPRO_SOURCE_DIR) / "models" / "toyland").string() +
         "\"\n[[data]]\npath = \"toyland/single\"\ntask = \"generate\"\n[[data]]\npath = "
         "\"toyland/short\"\ntask = \"understand\"\n[schedule]\nsteps = 1\n[batch]\nmicro = 32\n"
         "max_len = 176\n";
}

Recipe parsed(const std::vector<std::string>& changes = {}) {
  return parse_recipe(recipe_text(), "memory", changes);
}

TrainingMemory memory(const std::vector<std::string>& changes = {}, int threads = 2) {
  return training_memory(parsed(changes), threads);
}

// The refusal; empty where it fits.
std::string refusal(int64_t limit, const std::vector<std::string>& changes = {}, int threads = 2,
                    int processes = 1) {
  try {
    check_memory(parsed(changes), threads, limit, processes);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::out_of_memory);
    return error.what();
  }
  return {};
}

bool holds(const std::string& text, const std::string& words) {
  return text.find(words) != std::string::npos;
}

TEST(TrainingMemory, FollowsFromTheRecipe) {
  const TrainingMemory plain = memory();
  EXPECT_EQ(plain.moments, plain.gradients);  // two moments, two threads
  EXPECT_EQ(memory({}, 3).gradients, plain.gradients / 2 * 3);
  EXPECT_EQ(memory({"batch.accumulate=2"}).gradients, plain.gradients / 2 * 3);
  EXPECT_EQ(plain.average, 0);
  EXPECT_EQ(memory({"optim.ema=0.9"}).average, plain.moments / 2);
  EXPECT_EQ(memory({"batch.micro=16"}).activations * 2, plain.activations);
  EXPECT_EQ(memory({"batch.micro=16"}).logits * 2, plain.logits);
  EXPECT_LT(memory({"batch.checkpoint=true"}).activations, plain.activations / 2);
  EXPECT_LT(memory({"precision=bf16"}).activations, plain.activations);
  EXPECT_GT(memory({"precision=bf16"}).casts, 0);
  const TrainingMemory adapter = memory({"lora.rank=8"});
  EXPECT_LT(adapter.moments, plain.moments / 10);
  EXPECT_LT(adapter.activations, plain.activations);
  EXPECT_GT(adapter.weights, plain.weights);
  // Answers alone go through the frozen codec and image head nowhere.
  const TrainingMemory head = memory({"stage.train=[\"lm_head.*\"]"});
  EXPECT_EQ(head.activations,
            memory({"stage.train=[\"lm_head.*\"]", "batch.checkpoint=true"}).activations);
  EXPECT_LT(head.activations, adapter.activations);
}

TEST(TrainingMemory, RefusalsNameWhatIsMissingAndTheNearestThatFits) {
  const TrainingMemory plain = memory();
  EXPECT_EQ(refusal(plain.total()), "");
  const std::string less = refusal(plain.total() - 1);
  EXPECT_TRUE(holds(less, "activations ")) << less;
  EXPECT_TRUE(holds(less, "0.0 kB are missing")) << less;
  EXPECT_TRUE(holds(less, "what fits: batch.micro=16, batch.accumulate=2, ")) << less;
  // The largest pass that fits, not the smallest.
  const int64_t eighth = memory({"batch.micro=4", "batch.accumulate=8"}).total();
  const std::string eight = refusal(eighth);
  EXPECT_TRUE(holds(eight, "batch.micro=4, batch.accumulate=8")) << eight;
  // Where one sample is too much already, the next way; then several together.
  const std::vector<std::string> one = {"batch.micro=1", "optim.ema=0.9"};
  const int64_t again = memory({"batch.micro=1", "optim.ema=0.9", "batch.checkpoint=true"}).total();
  EXPECT_TRUE(holds(refusal(again, one), "what fits: batch.checkpoint=true, "));
  const int64_t alone = memory({"batch.micro=1", "batch.checkpoint=true"}, 1).total();
  EXPECT_TRUE(
      holds(refusal(alone, one), "what fits: batch.checkpoint=true, --threads 1, optim.ema=0, "))
      << refusal(alone, one);
  const std::string never = refusal(1'000'000);
  EXPECT_TRUE(holds(never, "no change of the recipe is enough")) << never;
}

TEST(TrainingMemory, RunsThatDoNotFitAreRefusedBeforeTheyBegin) {
  const Folder folder("memory");
  begin_run(folder / "run", recipe_text());
  std::string said;
  const auto log = [&said](const std::string& line) { said += line + "\n"; };
  EXPECT_THROW(train(
                   folder / "run", 2, log, [] { return true; }, 1'000'000),
               Error);
  EXPECT_EQ(said, "");
  EXPECT_FALSE(std::filesystem::exists(folder / "run" / "metrics.jsonl"));
}

// Of four processes each has a quarter of the rows, and of what the recipe shares out.
TEST(Memory, ProcessesTakeTheirParts) {
  const auto each = [](int zero, const std::vector<std::string>& more = {}) {
    std::vector<std::string> changes = {"parallel.zero=" + std::to_string(zero)};
    changes.insert(changes.end(), more.begin(), more.end());
    return training_memory(parsed(changes), 1, 4);
  };
  const TrainingMemory alone = training_memory(parsed({}), 1);
  for (const int zero : {0, 1, 2}) {
    const int owners = zero == 0 ? 1 : 4;
    EXPECT_EQ(each(zero).weights, alone.weights);
    EXPECT_EQ(each(zero).moments, alone.moments / owners);
    EXPECT_EQ(each(zero).average, alone.average / owners);
    EXPECT_EQ(each(zero).activations, alone.activations / 4);
  }
  EXPECT_LT(each(1).gradients, each(0).gradients);
  const std::vector<std::string> passes = {"batch.accumulate=2"};
  EXPECT_LT(each(2, passes).gradients, each(1, passes).gradients);
  // No smaller passes where each process has one row of them already.
  const std::vector<std::string> rows = {"batch.micro=4"};
  const int64_t limit = each(0, rows).total() - 1;
  EXPECT_NE(refusal(limit, rows, 1, 4).find("parallel.zero=1"), std::string::npos);
}

}  // namespace
}  // namespace janus::train
