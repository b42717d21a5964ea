// Rows that change a picture: they stand in the prompt as the engine has it, the network gives what
// the engine gives, and parts of the condition are dropped for their shares of the rows.
// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <sstream>

#include "base/error.h"
#include "generate/by_hand.h"
#include "generate/load.h"
#include "io/edit_source.h"
#include "io/file.h"
#include "kernels/open.h"
#include "support.h"
#include "train/checkpoint.h"
#include "train/drawing.h"
#include "train/inputs.h"
#include "train/row_file.h"
#include "train/row_source.h"
#include "train/run.h"

namespace janus::train {
namespace {

using Ids = std::vector<int32_t>;

PromptBuilder prompts_of(const std::string& layout) {
  return load_prompts(janus::Checkpoint(golden("tiny-hf")), {}, layout);
}

FileRow row_of_files(const std::string& instruction) {
  FileRow row = parse_row(R"({"prompt": ")" + instruction +
                              R"(", "source": "rocket.jpg", "image": "coffee-portrait.png"})",
                          golden("images"));
  EXPECT_EQ(row.task, "edit");
  return row;
}

// The prompt as ids again: what is no text becomes what stands for it.
Ids ids_of(const Inputs& inputs, int64_t row, size_t length, const Config& config, int64_t rows,
           int64_t sources, int32_t image) {
  const int64_t codes = config.llama.vocabulary + rows * config.image_tokens();
  const int64_t patches = codes + sources * config.image_tokens();
  Ids ids;
  for (size_t t = 0; t < length; ++t) {
    const int64_t slot = inputs.slots[static_cast<size_t>(row * inputs.length) + t];
    ids.push_back(slot < config.llama.vocabulary ? static_cast<int32_t>(slot)
                  : slot < codes                 ? -2
                  : slot < patches               ? kSourceCode
                                                 : image);
  }
  return ids;
}

TEST(EditRows, StandInThePromptAsTheEngineHasIt) {
  const Config config = load_config(golden("tiny-hf"));
  for (const char* layout : {"und+gen", "janus4o"}) {
    const PromptBuilder prompts = prompts_of(layout);
    std::vector<DrawRow> rows(3);
    rows[0] = draw_row(row_of_files("make it red"), prompts, config);
    rows[1].prompt = prompts.draw("a ball");
    rows[2] = draw_row(row_of_files("remove the cup"), prompts, config);
    const int64_t N = config.image_tokens();
    EXPECT_EQ(rows[0].prompt, prompts.edit("make it red", N));
    rows[2].prompt = prompts.without_codes(rows[2].prompt);
    const Inputs inputs = draw_inputs(rows, config, prompts.ids());
    for (size_t i = 0; i < rows.size(); ++i) {
      EXPECT_EQ(ids_of(inputs, static_cast<int64_t>(i), rows[i].prompt.size(), config, 3, 2,
                       prompts.ids().image),
                rows[i].prompt)
          << layout << ' ' << i;
    }
    // Places of the first source are numbered in order, those of the second go on behind.
    const int64_t first = config.llama.vocabulary + 3 * N;
    const auto at = std::find(rows[0].prompt.begin(), rows[0].prompt.end(), kSourceCode);
    const auto place = static_cast<size_t>(at - rows[0].prompt.begin());
    for (int64_t k = 0; k < N; ++k) {
      EXPECT_EQ(inputs.slots[place + static_cast<size_t>(k)], first + k);
    }
    const int64_t patches = first + 2 * N;
    EXPECT_EQ(inputs.slots[5], patches);
    EXPECT_EQ(inputs.slots[static_cast<size_t>(2 * inputs.length) + 5],
              patches + config.vision.tokens());
    // Begin-of-image gives code 0, and so on; nothing of the source is a target.
    ASSERT_EQ(std::ssize(inputs.at), 3 * N);
    EXPECT_EQ(inputs.at[0], std::ssize(rows[0].prompt) - 1);
    EXPECT_EQ(inputs.at[static_cast<size_t>(N) - 1], std::ssize(rows[0].prompt) + N - 2);
  }
}

// Teacher-forced logits of both rows that show the picture, and of the one that shows nothing.
TEST(EditRows, TheNetworkGivesWhatTheEngineGives) {
  torch::NoGradGuard off;
  constexpr double kBound = 2e-4;  // of the rms, as for drawings
  const Config config = load_config(golden("tiny-hf"));
  Janus net(config);
  load_tensors(golden("tiny-hf/model.safetensors"), named_parameters(*net));
  LoadOptions options;
  options.checkpoint = golden("tiny-hf");
  options.backend = open_backend("ref", 1);
  options.weights = Dtype::f32;
  const Model engine = Model::load(options);
  const FileRow file = row_of_files("make it red");
  for (const char* layout : {"und+gen", "janus4o"}) {
    const PromptBuilder prompts = prompts_of(layout);
    const Image shown =
        edit_source(load_upright(file.source), config.image, prompts.edits(), config.preprocessing);
    const ByHand by_hand(engine, prompts.ids().image, shown);
    DrawRow row = draw_row(file, prompts, config);
    const Ids full = row.prompt;
    for (const Ids& ids :
         {full, prompts.without_instruction(full, config.image_tokens()),
          prompts.without_codes(full), prompts.without_vectors(full), prompts.unguided(full)}) {
      row.prompt = ids;
      const std::span<const DrawRow> rows(&row, 1);
      const torch::Tensor codes = codes_of(net, rows);
      const Inputs inputs = draw_inputs(rows, config, prompts.ids());
      const torch::Tensor logits = net->code_logits(
          net->decode_at(inputs, draw_vectors(net, codes, source_codes(net, rows), rows)));
      Ids fed;
      for (int64_t k = 0; k < codes.numel(); ++k) fed.push_back(codes[0][k].item<int>());
      std::vector<float> flat;
      for (const auto& one : by_hand.logits(ids, fed)) {
        flat.insert(flat.end(), one.begin(), one.end());
      }
      EXPECT_LT(distance(torch::tensor(flat).view_as(logits), logits), kBound) << layout;
    }
  }
}

Recipe toyland_edits(const std::vector<std::string>& overrides = {}) {
  std::string text = tiny_recipe(false);
  text = text.substr(0, text.find("[[data]]")) + "[[data]]\npath = \"toyland/edits\"\n" +
         "task = \"edit\"\n";
  return parse_recipe(text, "tiny", overrides);
}

TEST(EditRows, PartsOfTheConditionAreDroppedForTheirShares) {
  const Recipe recipe = toyland_edits();
  EXPECT_EQ(recipe.model.processor.edit_layout, EditLayout::und_gen);
  const PromptBuilder prompts(Tokenizer::load(golden("tiny-hf/tokenizer.json")), 16, std::string(),
                              {}, EditLayout::und_gen);
  const SpecialIds& ids = prompts.ids();
  const RowSources sources = open_sources(recipe, prompts);
  constexpr int64_t kPasses = 150;
  double whole = 0, no_codes = 0, no_vectors = 0, no_instruction = 0, nothing = 0;
  for (int64_t pass = 0; pass < kPasses; ++pass) {
    for (const DrawRow& row : language_batch(recipe, prompts, sources, pass).draw) {
      const bool codes = std::count(row.prompt.begin(), row.prompt.end(), kSourceCode) == 64;
      const bool vectors = std::count(row.prompt.begin(), row.prompt.end(), ids.image) == 16;
      const bool roles = std::count(row.prompt.begin(), row.prompt.end(), ids.user) == 1;
      const bool padded = row.prompt[16 + 64 + 8] == ids.pad;  // where the instruction begins
      EXPECT_EQ(row.source.empty(), !roles);
      EXPECT_EQ(row.pixels.size(), size_t{3 * 32 * 32});
      EXPECT_EQ(row.prompt.front(), ids.bos);
      EXPECT_EQ(row.prompt.back(), ids.boi);
      double& which = !roles     ? nothing
                      : !codes   ? no_codes
                      : !vectors ? no_vectors
                      : padded   ? no_instruction
                                 : whole;
      which += 1.0 / static_cast<double>(kPasses * recipe.batch.micro);
    }
  }
  EXPECT_NEAR(no_codes, .3, .04);
  EXPECT_NEAR(no_vectors, .05, .02);
  EXPECT_NEAR(no_instruction, .05, .02);
  EXPECT_NEAR(nothing, .05, .02);
  EXPECT_NEAR(whole, .55, .045);
}

TEST(EditRows, CodesThatChangeMayCountForMore) {
  std::vector<DrawRow> rows(3);
  rows[0].source = rows[2].source = {0};
  const torch::Tensor codes = torch::tensor({{1, 2, 3, 4}, {1, 2, 3, 4}, {5, 6, 7, 8}});
  const torch::Tensor sources = torch::tensor({{1, 2, 3, 9}, {5, 6, 7, 8}});
  const torch::Tensor weights = changed_weights(codes, sources, rows, 3);
  const torch::Tensor expected =
      torch::tensor({2, 2, 2, 6, 3, 3, 3, 3, 3, 3, 3, 3}).to(torch::kFloat).view({3, 4}) / 3;
  EXPECT_TRUE(torch::allclose(weights, expected));
}

TEST(EditRows, RecipesSayHow) {
  EXPECT_EQ(toyland_edits({"edit.layout=janus4o"}).model.processor.edit_layout,
            EditLayout::janus_4o);
  for (const char* bad : {"edit.layout=other", "edit.drop_codes=.9", "edit.drop_all=-.1",
                          "edit.changed=0", "edit.drop_everything=1"}) {
    EXPECT_THROW(toyland_edits({bad}), Error) << bad;
  }
  const PromptBuilder plain = prompts_of("none");
  EXPECT_THROW(draw_row(row_of_files("make it red"), plain, load_config(golden("tiny-hf"))), Error);
  EXPECT_THROW(parse_row(R"({"task": "edit", "prompt": "x", "image": "a.png"})", "."), Error);
}

// A run learns edits by heart, and what it exports says that it follows instructions.
TEST(EditRows, ARunLearnsThemByHeart) {
  const Folder folder("edits");
  std::string text = tiny_recipe(false);
  text = text.substr(0, text.find("[[data]]")) +
         "[[data]]\npath = \"toyland/edits\"\ntask = \"edit\"\nsamples = 4\n";
  const std::vector<std::string> overrides = {
      "schedule.steps=200", "optim.lr=5e-3",   "log.every=10",        "edit.drop_codes=0",
      "edit.changed=2",     "edit.drop_all=0", "edit.drop_vectors=0", "edit.drop_instruction=0"};
  begin_run(folder / "run", merge_recipe(text, "tiny", overrides));
  train(
      folder / "run", 2, [](const std::string&) {}, [] { return false; });
  std::istringstream lines(read_text(folder / "run" / "metrics.jsonl"));
  std::string last;
  for (std::string line; std::getline(lines, line);) {
    if (line.find("code_loss") != std::string::npos) last = line;
  }
  const size_t at = last.find("\"code_loss\":") + 12;
  EXPECT_LT(std::stod(last.substr(at)), 1.0) << last;  // from ln 64 = 4.2
  export_run(folder / "run", folder / "model", false, false, [](const std::string&) {});
  EXPECT_NE(read_text(folder / "model" / "processor_config.json").find("und+gen"),
            std::string::npos);
}

}  // namespace
}  // namespace janus::train
