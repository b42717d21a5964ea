// What a work costs at best: a sum over its phases, in each of which the slower side counts. How
// far laws are apart, and whose they are. SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <string>

#include "apps/bench_cost.h"
#include "apps/bench_quality.h"
#include "generate/load.h"
#include "generate/observe.h"
#include "kernels/open.h"
#include "model/support.h"

namespace janus {
namespace {

using namespace janus::testing;

// A machine of round numbers.
constexpr Limits kLimits{
    .read_bytes = 100, .f32_operations = 1000, .int8_operations = 4000, .bf16_operations = 0};

TEST(BenchBound, IsTheSumOfTheSlowerSideOfEachPhase) {
  // 2 s of reading beside 1 s of computing, then the other way round: 5 s, and not the 4 s that
  // the larger of two sums gives.
  const Cost cost{{200, 1000, 0}, {100, 3000, 0}};
  const Bound bound = bound_of(cost, kLimits);
  EXPECT_DOUBLE_EQ(bound.seconds(), 5);
  EXPECT_DOUBLE_EQ(bound.reading, 2);
  EXPECT_DOUBLE_EQ(bound.floats, 3);
  EXPECT_STREQ(bound.side(), "f32");
}

TEST(BenchBound, NamesTheSideThatBindsLongest) {
  EXPECT_STREQ(bound_of({{100, 0, 0}}, kLimits).side(), "read");
  EXPECT_STREQ(bound_of({{100, 0, 8000}}, kLimits).side(), "int8");
  EXPECT_STREQ(bound_of({{100, 2000, 0}}, kLimits).side(), "f32");
  // Twice 1 s of reading against 1.5 s of bytes.
  EXPECT_STREQ(bound_of({{100, 0, 0}, {0, 0, 6000}, {100, 0, 0}}, kLimits).side(), "read");
  // Both kinds of operations of a phase take turns: together they bind.
  const Bound both = bound_of({{120, 800, 2000}}, kLimits);
  EXPECT_DOUBLE_EQ(both.seconds(), 1.3);
  EXPECT_STREQ(both.side(), "f32");
}

TEST(BenchBound, CountsRepetitions) {
  const Cost cost = Cost{{200, 1000, 0}, {100, 3000, 4000}} * 3 * 2;
  EXPECT_DOUBLE_EQ(bound_of(cost, kLimits).seconds(), 6 * (2 + 4));
  EXPECT_EQ(total(cost).bytes, 1800);
  EXPECT_EQ(total(cost).operations, 24000);
  EXPECT_EQ(total(cost).byte_operations, 24000);
}

// A rate that is not known counts where it is needed only.
TEST(BenchBound, NothingTakesNoTime) {
  EXPECT_DOUBLE_EQ(bound_of({{100, 0, 0}}, {.read_bytes = 100}).seconds(), 1);
  EXPECT_DOUBLE_EQ(bound_of({}, kLimits).seconds(), 0);
}

TEST(BenchCost, OfAStepIsThatOfItsMatricesAndItsCache) {
  const Model model = open_model(golden("tiny-hf"), open_backend("ref"));
  const LlamaConfig& llama = model.config().llama;
  const int64_t rows = 6, context = 40, shared = 30;
  int64_t bytes = 0, elements = 0;
  for (const LlamaBlock& block : model.weights().blocks) {
    for (const Weight* weight : {&block.qkv, &block.out, &block.gate_up, &block.down}) {
      elements += weight->outputs * weight->inputs;
      bytes += bytes_of(weight->dtype, weight->outputs * weight->inputs);
    }
  }
  const int64_t position = 2 * 4 * llama.kv_heads * llama.head_width * llama.layers;
  const Phase apart = total(step_cost(model, Dtype::f32, rows, context));
  EXPECT_EQ(apart.bytes, bytes + rows * (context + 1) * position);
  EXPECT_EQ(apart.operations, 2 * elements * rows + 4 * llama.heads * llama.head_width *
                                                        llama.layers * rows * (context + 1));
  // Three pictures of one prompt: two beginnings are read, and not six.
  const Phase together = total(step_cost(model, Dtype::f32, rows, context, shared, 3));
  EXPECT_EQ(apart.bytes - together.bytes, (6 - 2) * shared * position);
  EXPECT_EQ(apart.operations, together.operations);
}

// Against the sum over ids by hand, whatever is added to all logits of a law.
TEST(BenchQuality, CountsDivergenceAndFlips) {
  const float third = std::log(3.F);
  LawsApart apart;
  // Shares of 1/2, 1/2 beside 1/4, 3/4; then twice the same.
  apart.add(std::vector<float>{0, 0, 5, 5 + third}, std::vector<float>{7, 7 + third, 0, third}, 2);
  const double expected = .5 * std::log(2.) + .5 * std::log(2. / 3);
  EXPECT_EQ(apart.laws, 2);
  EXPECT_NEAR(apart.sum, expected, 1e-6);
  EXPECT_NEAR(apart.most, expected, 1e-6);
  EXPECT_EQ(apart.flips, 1);
  // Shares of 1/4, 3/4 beside 3/4, 1/4.
  apart.add(std::vector<float>{0, third}, std::vector<float>{third, 0}, 2);
  EXPECT_NEAR(apart.most, .5 * std::log(3.), 1e-6);
  EXPECT_NEAR(apart.sum, expected + apart.most, 1e-6);
  EXPECT_EQ(apart.flips, 2);
}

// The whole picture in one go gives the bits that code after code gives.
TEST(BenchQuality, LogitsAreThoseOfTheTrace) {
  for (const char* backend : {"ref", "cpu"}) {
    for (const Dtype cache : {Dtype::f32, Dtype::bf16, Dtype::q8}) {
      const Model model = open_model(golden("tiny-hf"), open_backend(backend));
      const PromptBuilder prompts = load_prompts(Checkpoint(golden("tiny-hf")));
      const PromptRows rows = prompt_rows(prompts, {.prompt = "a red ball"});
      std::vector<int32_t> codes;
      for (int64_t i = 0; i < model.config().image_tokens(); ++i) {
        codes.push_back(static_cast<int32_t>(i * 7 % model.config().vq.codes));
      }
      Trace trace;
      observe_draw(model, rows, codes, 5, cache, trace);
      const auto& expected = trace.entries().at("gen.logits.guided").bytes;
      const std::vector<float> found = guided_logits(model, cache, rows, codes, 5);
      ASSERT_EQ(found.size() * sizeof(float), expected.size());
      EXPECT_EQ(std::memcmp(found.data(), expected.data(), expected.size()), 0)
          << backend << ", " << traits(cache).name;
    }
  }
}

}  // namespace
}  // namespace janus
