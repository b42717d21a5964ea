// Rows that say what is worse, and trainings on them. The loss itself is held against the formula
// on transformers' classes in tests/train_parity/preference.py.
// SPDX-License-Identifier: MIT
#include "train/preference.h"

#include <gtest/gtest.h>
#include <algorithm>
#include <nlohmann/json.hpp>
#include <sstream>

#include "support.h"
#include "train/check.h"
#include "train/checkpoint.h"
#include "train/dense.h"
#include "train/row_file.h"
#include "train/row_source.h"
#include "train/run.h"

namespace janus::train {
namespace {

const Log kSilent = [](const std::string&) {};

std::string codes(int first) {
  std::string all = std::to_string(first);
  for (int i = 1; i < 64; ++i) all += ", " + std::to_string((first + 3 * i) % 256);
  return "[" + all + "]";
}

const std::string kTalk =
    R"({"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello."}])";

// A drawing by codes and a reply, each with what is worse.
std::string pairs() {
  return R"({"prompt": "a ball", "target_codes": )" + codes(1) + R"(, "rejected_codes": )" +
         codes(7) + "}\n" + kTalk + R"(, "rejected": "Go away!"})" + "\n";
}

std::string recipe_text(const std::filesystem::path& rows) {
  return "seed = 4\n[model]\ninit = \"" + golden("tiny-hf").string() +
         "\"\n[preference]\nbeta = 0.1\n[[data]]\nformat = \"jsonl\"\npath = \"" + rows.string() +
         "\"\n[optim]\nlr = 1e-3\n[schedule]\nsteps = 6\n[batch]\nmicro = 2\n[checkpoint]\nevery = "
         "9\n[log]\nevery = 1\n";
}

Recipe parsed(const std::vector<std::string>& overrides = {}) {
  return parse_recipe(recipe_text("rows.jsonl"), "preference", overrides);
}

PromptBuilder prompts() {
  return PromptBuilder(Tokenizer::load(golden("tiny-hf/tokenizer.json")), 64, std::string());
}

std::vector<nlohmann::json> metrics(const std::filesystem::path& run) {
  std::istringstream lines(read_text(run / "metrics.jsonl"));
  std::vector<nlohmann::json> all;
  for (std::string line; std::getline(lines, line);) all.push_back(nlohmann::json::parse(line));
  return all;
}

TEST(Preference, RowsSayWhatIsWorse) {
  const auto parse = [](const std::string& line) { return parse_row(line, "/data"); };
  EXPECT_EQ(parse(kTalk + R"(, "rejected": "No."})").rejected_reply, "No.");
  EXPECT_FALSE(parse(kTalk + "}").rejected_reply.has_value());
  EXPECT_EQ(parse(R"({"prompt": "a", "image": "b.png", "rejected": "c.png"})").rejected.path,
            "/data/c.png");
  EXPECT_EQ(parse(R"({"prompt": "a", "image": "b.png", "rejected_codes": [4, 2]})").rejected_codes,
            (std::vector<int64_t>{4, 2}));
  EXPECT_NE(refusal([&] {
              parse(R"({"prompt": "a", "image": "b", "rejected": "c", "rejected_codes": [1]})");
            }).find("one of them is meant"),
            std::string::npos);
  EXPECT_NE(refusal([&] { parse(kTalk + R"(, "rejected": ["No."]})"); }).find("string"),
            std::string::npos);
}

TEST(Preference, OfAConversationTheLastReplyAloneDiffers) {
  const PromptBuilder builder = prompts();
  const AskRow row = ask_row(parse_row(R"({"messages": [{"role": "user", "content": "Hi"},
                            {"role": "assistant", "content": "Hello."},
                            {"role": "user", "content": "So?"},
                            {"role": "assistant", "content": "Well."}], "rejected": "Go away!"})",
                                       {}),
                             builder, load_config(golden("tiny-hf")));
  const std::vector<int32_t>&better = row.dialogue.ids, &worse = row.rejected->ids;
  const auto apart = std::mismatch(better.begin(), better.end(), worse.begin(), worse.end());
  EXPECT_EQ(builder.tokenizer().decode({apart.second, worse.end() - 1}, true), "Go away!");
  EXPECT_EQ(row.rejected->taught.back(), true);
}

TEST(Preference, CodesOfWhatIsWorseAreChecked) {
  const PromptBuilder builder = prompts();
  const Config config = load_config(golden("tiny-hf"));
  const auto refused = [&](const std::string& worse) {
    return refusal([&] {
      draw_row(parse_row(R"({"prompt": "a", "target_codes": )" + codes(1) +
                             R"(, "rejected_codes": )" + worse + "}",
                         {}),
               builder, config);
    });
  };
  EXPECT_NE(refused("[1]").find("1 rejected_codes, the model draws 64"), std::string::npos);
  std::string outside = codes(0);
  outside.replace(1, 1, "9999");
  EXPECT_NE(refused(outside).find("rejected code 9999 is outside 0..255"), std::string::npos);
}

TEST(Preference, EveryRowHasToSayIt) {
  const Folder folder("preference-missing");
  write_text(folder / "rows.jsonl",
             kTalk + "}\n" + R"({"prompt": "a ball", "target_codes": )" + codes(1) + "}\n");
  const Recipe recipe = parse_recipe(recipe_text(folder / "rows.jsonl"), "preference", {});
  const PromptBuilder builder = prompts();
  const auto source = open_source(recipe.data.front(), builder, recipe.model.config);
  for (const uint64_t row : {0, 1}) {
    EXPECT_NE(refusal([&] { usable_row(recipe, *source, row); }).find("\"rejected\" is missing"),
              std::string::npos);
  }
  Recipe plain = recipe;
  plain.preference.beta = 0;
  EXPECT_NO_THROW(usable_row(plain, *source, 0));
}

TEST(Preference, RefusesWhatItCannotBeBeside) {
  const auto refused = [](const std::vector<std::string>& overrides) {
    EXPECT_NE(refusal([&] { parsed(overrides); }), "accepted") << overrides.front();
  };
  refused({"preference.beta=-0.1"});
  refused({"preference.beta=0.0", "preference.supervised=0.1"});
  refused({"preference.gamma=1.0"});
  refused({"loss.object=1.0"});
  refused({"data=[{path=\"toyland\", task=\"generate\"}]"});
  EXPECT_EQ(parsed().preference.beta, 0.1);
  EXPECT_EQ(parse_recipe(tiny_recipe(false), "tiny").preference.beta, 0);
}

TEST(Preference, NoPromptIsDropped) {
  const Folder folder("preference-drop");
  write_text(folder / "rows.jsonl", pairs());
  const std::vector<std::string> all = {"condition_drop=1.0"};
  const Recipe recipe = parse_recipe(recipe_text(folder / "rows.jsonl"), "preference", all);
  const PromptBuilder builder = prompts();
  const RowSources sources = open_sources(recipe, builder);
  EXPECT_EQ(language_batch(recipe, builder, sources, 0).draw.at(0).prompt, builder.draw("a ball"));
  Recipe plain = recipe;
  plain.preference.beta = 0;
  EXPECT_NE(language_batch(plain, builder, sources, 0).draw.at(0).prompt, builder.draw("a ball"));
}

TEST(Preference, TheSheetShowsBoth) {
  const Folder folder("preference-sheet");
  write_picture(folder / "a.png", 64, 90);
  write_picture(folder / "b.png", 64, 200);
  write_text(folder / "rows.jsonl", R"({"prompt": "a ball", "image": "a.png", "rejected": "b.png"})"
                                    "\n" +
                                        kTalk + R"(, "rejected": "Go away!"})" + "\n");
  const Recipe recipe = parse_recipe(recipe_text(folder / "rows.jsonl"), "preference", {});
  const Checked found = check_source(recipe, 0, prompts(), {});
  ASSERT_EQ(found.shown.size(), 2u);
  ASSERT_EQ(found.shown[0].pictures.size(), 2u);
  EXPECT_EQ(found.shown[0].pictures[1].rgb.front(), 200);
  const auto text = [](const ShownRow& row) {
    std::string all;
    for (const Piece& piece : row.pieces) all += piece.taught ? "" : piece.text;
    return all;
  };
  EXPECT_NE(text(found.shown[0]).find("\nrather than [64 × code]"), std::string::npos);
  EXPECT_NE(text(found.shown[1]).find("\nrather than Go away!"), std::string::npos)
      << text(found.shown[1]);
}

TEST(Preference, TheNetworkBeforeIsTheOneWithoutAdditions) {
  Dense layer(torch::nn::LinearOptions(8, 3).bias(true));
  const torch::Tensor x = torch::randn({5, 8}), plain = layer(x);
  layer->addition = {torch::randn({2, 8}), torch::randn({3, 2}), 0.5, 0};
  EXPECT_FALSE(torch::equal(layer(x), plain));
  {
    const WithoutAdditions before;
    EXPECT_TRUE(torch::equal(layer(x), plain));
    { const WithoutAdditions again; }
    EXPECT_TRUE(torch::equal(layer(x), plain));
  }
  EXPECT_FALSE(torch::equal(layer(x), plain));
}

class PreferenceRuns : public ::testing::TestWithParam<bool> {};

// What is measured from is the model that the recipe starts from, not where a sitting begins.
TEST_P(PreferenceRuns, LearnThePairsAndResumeToTheBit) {
  const Folder folder(GetParam() ? "preference-adapter" : "preference-all");
  write_text(folder / "rows.jsonl", pairs());
  std::vector<std::string> overrides = {"optim.lr=3e-3"};
  if (GetParam()) overrides.insert(overrides.end(), {"lora.rank=4", "lora.dropout=0.25"});
  for (const char* name : {"whole", "parts"}) {
    begin_run(folder / name,
              merge_recipe(recipe_text(folder / "rows.jsonl"), "preference", overrides));
  }
  train(folder / "whole", 2, kSilent, [] { return false; });
  int steps = 0;
  train(folder / "parts", 2, kSilent, [&steps] { return ++steps == 3; });
  train(folder / "parts", 2, kSilent, [] { return false; });
  const auto weights = [&](const char* name) {
    return bytes_of(folder / name / "step-00000006" / "weights.safetensors");
  };
  EXPECT_TRUE(weights("parts") == weights("whole"));
  const auto lines = metrics(folder / "whole");
  const auto& first = lines.front();
  const auto& last = lines.back();
  EXPECT_NEAR(first.at("preference_loss").get<double>(), std::log(2.0), 1e-6);
  EXPECT_NEAR(first.at("chosen_gain").get<double>(), 0, 1e-6);
  EXPECT_LT(last.at("preference_loss").get<double>(), 0.8 * std::log(2.0));
  EXPECT_EQ(last.at("preferred").get<double>(), 1);
  EXPECT_GT(last.at("margin").get<double>(), 0);
}

INSTANTIATE_TEST_SUITE_P(Of, PreferenceRuns, ::testing::Bool(), [](const auto& one) {
  return std::string(one.param ? "adapter" : "all");
});

}  // namespace
}  // namespace janus::train
