// Rows that cannot be used: what stands in for them, where they are named, and when it is enough.
// SPDX-License-Identifier: MIT
#include "train/broken.h"

#include <gtest/gtest.h>
#include <algorithm>
#include <nlohmann/json.hpp>
#include <sstream>

#include "base/error.h"
#include "files.h"
#include "train/row_source.h"

namespace janus::train {
namespace {

PromptBuilder prompts() {
  return PromptBuilder(Tokenizer::load(golden("tiny-hf/tokenizer.json")), 64, std::string());
}

// Twelve rows that say their number; the given ones have no picture.
std::string rows(const std::filesystem::path& file, const std::vector<int>& broken) {
  write_picture(file.parent_path() / "there.png", 8);
  std::string text;
  for (int i = 0; i < 12; ++i) {
    const bool here = std::find(broken.begin(), broken.end(), i) == broken.end();
    text += "{\"prompt\": \"" + std::to_string(i) + "\", \"image\": \"" +
            (here ? "there.png" : "absent.png") + "\"}\n";
  }
  write_text(file, text);
  return "[[data]]\nformat = \"jsonl\"\npath = \"" + file.string() + "\"\n";
}

Recipe recipe(const std::string& data) {
  std::string text = tiny_recipe(false);
  return parse_recipe(text.substr(0, text.find("[[data]]")) + data, "tiny",
                      std::vector<std::string>{
                          "model.image=64", "model.vq.multipliers=[1, 2, 2, 2]", "batch.micro=12"});
}

// What the rows of the first pass say, in their order.
std::vector<std::string> said(const LanguageBatch& batch, const PromptBuilder& builder) {
  std::vector<std::string> all;
  for (const DrawRow& row : batch.draw) {
    std::string text = builder.tokenizer().decode(row.prompt, false);
    text = text.substr(text.find(": ") + 2);
    all.push_back(text.substr(0, text.find('\n')));
  }
  return all;
}

TEST(Broken, TheNextRowStandsInAndTheOthersKeepTheirPlaces) {
  const Folder folder("stand-in");
  const PromptBuilder builder = prompts();
  const Recipe whole = recipe(rows(folder / "whole.jsonl", {}));
  const Recipe holed = recipe(rows(folder / "holed.jsonl", {3, 4}) + "max_broken = 2\n");
  const auto wanted =
      said(language_batch(whole, builder, open_sources(whole, builder), 0), builder);
  const LanguageBatch batch = language_batch(holed, builder, open_sources(holed, builder), 0);
  const auto got = said(batch, builder);
  ASSERT_EQ(wanted.size(), 12u);
  ASSERT_EQ(got.size(), 12u);
  for (size_t i = 0; i < 12; ++i) {
    EXPECT_EQ(got[i], wanted[i] == "3" || wanted[i] == "4" ? "5" : wanted[i]) << i;
  }
  std::vector<int64_t> met;
  for (const BrokenRow& row : batch.broken) met.push_back(row.row);
  std::sort(met.begin(), met.end());
  EXPECT_EQ(met, (std::vector<int64_t>{3, 4, 4}));  // that of 3 meets 4 on its way
  EXPECT_NE(batch.broken.front().place.find("holed.jsonl, line"), std::string::npos);
  EXPECT_NE(batch.broken.front().reason.find("absent.png"), std::string::npos);
}

TEST(Broken, EachIsNamedOnceAndTooManyEndTheRun) {
  const Folder folder("named");
  const PromptBuilder builder = prompts();
  const Recipe holed = recipe(rows(folder / "rows.jsonl", {3, 4, 9}) + "max_broken = 2\n");
  const RowSources sources = open_sources(holed, builder);
  const auto broken = [](int64_t row) {
    return std::vector<BrokenRow>{{0, row, "place " + std::to_string(row), "caf\xe9"}};
  };
  const auto lines = [&] {
    std::istringstream in(read_text(folder / "broken.jsonl"));
    std::vector<nlohmann::json> all;
    for (std::string line; std::getline(in, line);) all.push_back(nlohmann::json::parse(line));
    return all;
  };
  BrokenRows report(holed, sources, folder / "broken.jsonl");
  report.note(broken(3));
  report.note(broken(3));
  report.note(broken(4));
  EXPECT_EQ(report.count(), 2);
  ASSERT_EQ(lines().size(), 2u);
  EXPECT_EQ(lines()[1]["place"], "place 4");
  EXPECT_EQ(lines()[1]["row"], 4);
  EXPECT_EQ(lines()[1]["reason"], "caf\uFFFD");
  const std::string enough = refusal([&] { report.note(broken(9)); });
  EXPECT_NE(enough.find("more than 2 rows"), std::string::npos) << enough;
  EXPECT_NE(enough.find("data.max_broken"), std::string::npos);
  EXPECT_EQ(lines().size(), 3u);
  BrokenRows later(holed, sources, folder / "broken.jsonl");  // the next sitting
  later.note(broken(3));
  EXPECT_EQ(later.count(), 1);
  EXPECT_EQ(lines().size(), 3u);
}

TEST(Broken, OneInAHundredIsAllowed) {
  Source source;
  EXPECT_EQ(broken_limit(source, 99), 0);
  EXPECT_EQ(broken_limit(source, 1000), 10);
  source.max_broken = 3;
  EXPECT_EQ(broken_limit(source, 99), 3);
}

TEST(Broken, ASourceThatIsOfNoUseIsRefusedBeforeTheFirstStep) {
  const Folder folder("useless");
  const PromptBuilder builder = prompts();
  const std::vector<int> all = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11};
  const Recipe useless = recipe(rows(folder / "rows.jsonl", all) + "max_broken = 100\n");
  const RowSources sources = open_sources(useless, builder);
  const std::string reason = refusal([&] { try_rows(useless, sources); });
  EXPECT_NE(reason.find("of 12 rows 8 were tried"), std::string::npos) << reason;
  EXPECT_NE(reason.find("absent.png"), std::string::npos);
  EXPECT_NE(
      refusal([&] { language_batch(useless, builder, sources, 0); }).find("none of its 12 rows"),
      std::string::npos);
  Recipe narrow = recipe(rows(folder / "rows.jsonl", {}));
  narrow.batch.max_len = 40;  // fewer than a picture has codes
  EXPECT_NE(refusal([&] { try_rows(narrow, open_sources(narrow, builder)); }).find("longer than"),
            std::string::npos);
  EXPECT_NO_THROW(try_rows(recipe(rows(folder / "rows.jsonl", {0, 1, 2, 3, 4, 5, 6})),
                           open_sources(recipe(rows(folder / "rows.jsonl", {0, 1})), builder)));
}

}  // namespace
}  // namespace janus::train
