// Batches are functions of their number; codes and replies line up with the outputs that give them.
// SPDX-License-Identifier: MIT
#include "train/data.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>

#include "base/error.h"
#include "support.h"
#include "train/inputs.h"
#include "train/vocabulary.h"

namespace janus::train {
namespace {

Recipe tiny(bool codec, const std::vector<std::string>& overrides = {}) {
  return parse_recipe(tiny_recipe(codec), "tiny", overrides);
}

PromptBuilder tiny_prompts() {
  return PromptBuilder(Tokenizer::load(golden("tiny-hf/tokenizer.json")), 16, std::string());
}

TEST(Data, CodecBatchIsAFunctionOfItsNumber) {
  const Recipe recipe = tiny(true, {"codec.crop=16", "codec.crop_until=0.5"});
  const PictureBatch a = codec_batch(recipe, 0, 3);
  const PictureBatch b = codec_batch(recipe, 0, 3);
  EXPECT_EQ(a.pixels, b.pixels);
  EXPECT_EQ(a.side, 16);
  EXPECT_EQ(a.pixels.size(), static_cast<size_t>(8 * 3 * 16 * 16));
  EXPECT_EQ(a.coverage.size(), static_cast<size_t>(8 * 16 * 16));
  EXPECT_EQ(codec_batch(recipe, 4, 3).side, 32);  // half of the eight steps are over
  EXPECT_TRUE(
      std::all_of(a.pixels.begin(), a.pixels.end(), [](float v) { return v >= -1 && v <= 1; }));
}

TEST(Data, CropsShowTheirObject) {
  const Recipe recipe = parse_recipe(
      tiny_recipe(true), "tiny",
      std::vector<std::string>{"codec.crop=16", "codec.crop_until=1.0", "batch.micro=64"});
  const PictureBatch batch = codec_batch(recipe, 0, 0);
  int covered = 0;
  for (int64_t i = 0; i < batch.count; ++i) {
    const auto begin = batch.coverage.begin() + i * 16 * 16;
    covered += *std::max_element(begin, begin + 16 * 16) > 0.5f;
  }
  EXPECT_GE(covered, 48);  // scenes without objects are a few
}

TEST(Data, ConditionsAreDroppedAsOftenAsSaid) {
  const PromptBuilder prompts = tiny_prompts();
  const Recipe recipe =
      parse_recipe(tiny_recipe(false), "tiny",
                   std::vector<std::string>{"condition_drop=0.25", "batch.micro=800",
                                            "model.image=16", "model.language.vocabulary=640"});
  Recipe unbounded = recipe;
  for (Source& source : unbounded.data) source.samples = 0;
  const LanguageBatch batch = language_batch(unbounded, prompts, 0);
  ASSERT_EQ(batch.draw.size(), 400u);
  int dropped = 0;
  for (const DrawRow& row : batch.draw) {
    EXPECT_EQ(row.prompt.front(), prompts.ids().bos);
    EXPECT_EQ(row.prompt.back(), prompts.ids().boi);
    dropped += std::all_of(row.prompt.begin() + 1, row.prompt.end() - 1,
                           [&](int32_t id) { return id == prompts.ids().pad; });
  }
  EXPECT_NEAR(dropped, 100, 35);  // four standard deviations
}

TEST(Data, CodesAlignWithTheOutputsThatGiveThem) {
  Config config = tiny(false).model.config;
  config.image = 8;  // two codes a side: N = 4
  SpecialIds ids;
  ids.pad = 7;
  const std::vector<DrawRow> rows = {{{1, 5, 2}, {}}, {{1, 5, 5, 2}, {}}};
  const Inputs inputs = draw_inputs(rows, config, ids);
  const int64_t v = config.llama.vocabulary;
  EXPECT_EQ(inputs.length, 7);
  EXPECT_EQ(inputs.slots, (std::vector<int64_t>{1, 5, 2, v, v + 1, v + 2, 7,  //
                                                1, 5, 5, 2, v + 4, v + 5, v + 6}));
  EXPECT_EQ(inputs.at, (std::vector<int64_t>{2, 3, 4, 5, 10, 11, 12, 13}));
}

TEST(Data, SupervisedTokensAreTheReplyAndItsEnd) {
  const PromptBuilder prompts = tiny_prompts();
  const Recipe recipe = tiny(false, {"model.language.vocabulary=640"});
  const LanguageBatch batch = language_batch(recipe, prompts, 0);
  ASSERT_FALSE(batch.ask.empty());
  for (const AskRow& row : batch.ask) {
    const Inputs inputs = ask_inputs({&row, 1}, recipe.model.config, prompts.ids());
    std::vector<int32_t> labels(inputs.labels.begin(), inputs.labels.end());
    EXPECT_EQ(labels.back(), prompts.ids().eos);
    labels.pop_back();
    const std::vector<int32_t> reply(row.dialogue.begin() + static_cast<ptrdiff_t>(row.reply),
                                     row.dialogue.end() - 1);
    EXPECT_EQ(labels, reply);
    EXPECT_EQ(inputs.at.front(), static_cast<int64_t>(row.reply) - 1);
    EXPECT_EQ(std::count_if(inputs.slots.begin(), inputs.slots.end(),
                            [](int64_t slot) { return slot >= 640; }),
              16);
    EXPECT_EQ(row.shapes.size(), 16u);
  }
}

TEST(Data, AheadGivesItemsInOrderAndHandsOnFailures) {
  Ahead<int64_t> numbers(
      [](int64_t i) {
        check(i < 9, Code::bad_input, "nine is enough");
        return i * i;
      },
      5);
  for (int64_t i = 5; i < 9; ++i) EXPECT_EQ(numbers.next(), i * i);
  EXPECT_THROW(numbers.next(), Error);
}

}  // namespace
}  // namespace janus::train
