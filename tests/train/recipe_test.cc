// Recipes: what is read, what is refused.
// SPDX-License-Identifier: MIT
#include "train/recipe.h"

#include <gtest/gtest.h>
#include "base/error.h"
#include "files.h"
#include "io/file.h"

namespace janus::train {
namespace {

std::string refusal(const std::string& toml, const std::vector<std::string>& overrides = {}) {
  try {
    parse_recipe(toml, "r.toml", overrides);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::bad_input);
    return error.what();
  }
  return "accepted";
}

TEST(Recipe, ReadsEverySection) {
  const Recipe recipe = parse_recipe(tiny_recipe(true), "r.toml");
  EXPECT_EQ(recipe.seed, 5u);
  EXPECT_EQ(recipe.model.config.vq.multipliers, (std::vector<int>{1, 2, 2}));
  EXPECT_EQ(recipe.model.config.grid(), 8);
  EXPECT_EQ(recipe.model.config.llama.head_width, 12);
  EXPECT_EQ(recipe.schedule.kind, "cosine");
  EXPECT_TRUE(recipe.trains_codec());
  EXPECT_FALSE(parse_recipe(tiny_recipe(false), "r.toml").trains_codec());
}

TEST(Recipe, ShippedRecipesAreGood) {
  const std::filesystem::path tree(JANUSPRO_SOURCE_DIR);
  // What one of our own begins with is made by the one before it.
  const std::vector<std::string> begins = {"model.init=" + (tree / "models/toyland").string()};
  int count = 0;
  for (const auto& entry : std::filesystem::directory_iterator(tree / "recipes")) {
    const std::string text = read_text(entry.path());
    const bool has_beginning = text.find("\ninit = ") != std::string::npos;
    const std::span<const std::string> overrides(begins.data(), has_beginning ? 1 : 0);
    EXPECT_NO_THROW(parse_recipe(text, entry.path().string(), overrides)) << entry.path();
    ++count;
  }
  EXPECT_GE(count, 15);
}

// Rates, warm-up, steps, batch and shares of reading : text : drawing, as the report has them.
TEST(Recipe, PublishedStagesAreAsPublished) {
  struct Stage {
    double lr;
    int64_t warmup, steps, batch;
    std::vector<double> shares;
  };
  const Stage stages[] = {{1e-3, 600, 20000, 256, {1, 3}},
                          {1e-4, 5000, 360000, 512, {2, 3, 5}},
                          {4e-5, 0, 80000, 128, {5, 1, 4}}};
  const std::filesystem::path tree(JANUSPRO_SOURCE_DIR);
  for (const std::string size : {"1b", "7b"}) {
    for (size_t i = 0; i < 3; ++i) {
      const std::string name =
          "recipes/janus-pro-" + size + "-stage" + std::to_string(i + 1) + ".toml";
      const Recipe recipe = parse_recipe(
          read_text(tree / name), name,
          std::vector<std::string>{"model.init=" + (tree / "models/toyland").string()});
      const Stage& wanted = stages[i];
      EXPECT_EQ(recipe.stage.modules, "stage" + std::to_string(i + 1)) << name;
      EXPECT_EQ(recipe.optim.lr, wanted.lr) << name;
      EXPECT_EQ(recipe.optim.beta2, 0.95) << name;
      EXPECT_EQ(recipe.optim.weight_decay, 0) << name;
      EXPECT_EQ(recipe.optim.clip, 1) << name;
      EXPECT_EQ(recipe.schedule.kind, "constant") << name;
      EXPECT_EQ(recipe.schedule.warmup, wanted.warmup) << name;
      EXPECT_EQ(recipe.schedule.steps, i == 2 && size == "7b" ? 40000 : wanted.steps) << name;
      EXPECT_EQ(recipe.batch.micro * recipe.batch.accumulate, wanted.batch) << name;
      std::vector<double> shares;
      for (const Source& source : recipe.data) shares.push_back(source.weight);
      EXPECT_EQ(shares, wanted.shares) << name;
    }
  }
}

// Reading : text : drawing by rows, in the three stages of the larger small model; of the third's
// drawing 1.5 of 4 are edits. Of what is drawn from prompts three tenths are dense after the first,
// and half of the third's are of composed scenes, which have as many dense ones themselves.
TEST(Recipe, SmallStagesShareTheirRows) {
  struct Stage {
    double reading, text, drawing, edits, dense, gallery;
  };
  constexpr Stage kStages[] = {
      {1, 0, 3, 0, 0, 0}, {3, 1, 6, 0, 1.8, 0}, {5, 1, 2.5, 1.5, .375, 1.25}};
  for (size_t i = 0; i < 3; ++i) {
    const std::string name = "recipes/small-language-" + std::to_string(i + 1) + ".toml";
    const std::filesystem::path tree(JANUSPRO_SOURCE_DIR);
    const Recipe recipe =
        parse_recipe(read_text(tree / name), name,
                     std::vector<std::string>{"model.init=" + (tree / "models/toyland").string()});
    Stage found{};
    for (const Source& source : recipe.data) {
      double& share = source.task == Teaches::edit       ? found.edits
                      : source.task == Teaches::generate ? found.drawing
                      : source.stream == "talk"          ? found.text
                                                         : found.reading;
      share += source.weight;
      if (source.stream == "dense") found.dense += source.weight;
      if (source.stream == "gallery") found.gallery += source.weight;
    }
    EXPECT_NEAR(found.reading, kStages[i].reading, 1e-9) << name;
    EXPECT_NEAR(found.text, kStages[i].text, 1e-9) << name;
    EXPECT_NEAR(found.drawing, kStages[i].drawing, 1e-9) << name;
    EXPECT_NEAR(found.edits, kStages[i].edits, 1e-9) << name;
    EXPECT_NEAR(found.dense, kStages[i].dense, 1e-9) << name;
    EXPECT_NEAR(found.gallery, kStages[i].gallery, 1e-9) << name;
    const EditLayout layout = found.edits > 0 ? EditLayout::und_gen : EditLayout::none;
    EXPECT_EQ(recipe.model.processor.edit_layout, layout) << name;
  }
}

// Without sizes a model is as its beginning, and is talked to as that is.
TEST(Recipe, SizesAreThoseOfTheBeginning) {
  const std::string text =
      "[schedule]\nsteps = 1\n[[data]]\npath = \"toyland\"\ntask = \"understand\"\n";
  EXPECT_NE(refusal(text).find("neither model.init nor sizes"), std::string::npos);
  for (const char* name : {"tiny-hf", "tiny-official"}) {
    const Recipe recipe = parse_recipe(
        text, "r.toml", std::vector<std::string>{"model.init=" + golden(name).string()});
    EXPECT_EQ(recipe.model.config.llama.width, 64) << name;
    EXPECT_EQ(recipe.model.config.image_tokens(), 64) << name;
    EXPECT_EQ(recipe.model.config.layout, Layout::transformers) << name;
    EXPECT_FALSE(recipe.model.processor.system_prompt.has_value()) << name;
    EXPECT_EQ(recipe.eval.guidance, name == std::string("tiny-hf") ? 5 : 4);
  }
  const Recipe fresh = parse_recipe(tiny_recipe(false), "r.toml");
  EXPECT_EQ(fresh.model.processor.system_prompt, "");
}

TEST(Recipe, OverridesReplaceAndAreKept) {
  const std::vector<std::string> overrides = {"optim.lr=0.5", "model.codec=some/where",
                                              "schedule.steps=77"};
  const std::string merged = merge_recipe(tiny_recipe(true), "r.toml", overrides);
  for (const Recipe& recipe :
       {parse_recipe(tiny_recipe(true), "r.toml", overrides), parse_recipe(merged, "m.toml")}) {
    EXPECT_EQ(recipe.optim.lr, 0.5);
    EXPECT_EQ(recipe.model.codec, "some/where");
    EXPECT_EQ(recipe.schedule.steps, 77);
    EXPECT_EQ(recipe.optim.ema, 0.9);
  }
}

TEST(Recipe, RefusesWhatItDoesNotKnow) {
  EXPECT_NE(refusal(tiny_recipe(true) + "[optim2]\nx = 1\n").find("unknown key optim2"),
            std::string::npos);
  EXPECT_NE(refusal(tiny_recipe(true), {"optim.momentum=0.9"}).find("unknown key optim.momentum"),
            std::string::npos);
  EXPECT_NE(refusal(tiny_recipe(true), {"model.vq.code=3"}).find("unknown key model.vq.code"),
            std::string::npos);
}

TEST(Recipe, RefusesSamplesThatNoReportWouldShow) {
  const std::string text = tiny_recipe(false);
  EXPECT_NE(refusal(text, {"eval.prompts=[\"a cat\"]"}).find("eval.every is 0"), std::string::npos);
  EXPECT_NE(refusal(text, {"eval.every=1", "eval.ask=[{image=\"x.png\"}]"}).find("no question"),
            std::string::npos);
}

TEST(Recipe, RefusesWhatCannotBe) {
  EXPECT_NE(refusal(tiny_recipe(true), {"optim.lr=\"fast\""}).find("optim.lr has the wrong type"),
            std::string::npos);
  EXPECT_NE(refusal(tiny_recipe(true), {"schedule.steps=0"}).find("schedule.steps"),
            std::string::npos);
  EXPECT_NE(refusal(tiny_recipe(true), {"model.image=33"}).find("model.image"), std::string::npos);
  EXPECT_NE(refusal(tiny_recipe(true), {"model.vq.groups=3"}).find("model.vq.groups"),
            std::string::npos);
  EXPECT_NE(refusal(tiny_recipe(true), {"model.language.heads=5"}).find("model.language.width"),
            std::string::npos);
  EXPECT_NE(refusal("seed = 1\n[schedule]\nsteps = 3\n[model.vq]\ngroups = 32\n").find("[[data]]"),
            std::string::npos);
  EXPECT_NE(refusal(tiny_recipe(true), {"precision=f16"}).find("precision is none of"),
            std::string::npos);
  EXPECT_EQ(refusal(tiny_recipe(true), {"precision=auto"}), "accepted");
  EXPECT_NE(refusal("seed = = 1").find("line 1"), std::string::npos);
}

}  // namespace
}  // namespace janus::train
