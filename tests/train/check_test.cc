// A look at data before training: counts, what is broken, what is taught, the sheet.
// SPDX-License-Identifier: MIT
#include "train/check.h"

#include <gtest/gtest.h>
#include "base/error.h"
#include "files.h"
#include "train/recipe_data.h"

namespace janus::train {
namespace {

PromptBuilder prompts() {
  return PromptBuilder(Tokenizer::load(golden("tiny-hf/tokenizer.json")), 64, std::string());
}

Recipe recipe(const std::filesystem::path& data) {
  const std::string text = tiny_recipe(false);
  return parse_recipe(text.substr(0, text.find("[[data]]")) + "[[data]]\nformat = \"" +
                          guessed_format(data.string()) + "\"\npath = \"" + data.string() + "\"\n",
                      "tiny",
                      std::vector<std::string>{"model.image=64", "model.vision.patch=8",
                                               "model.vq.multipliers=[1, 2, 2, 2]"});
}

// Rows of three kinds, the fourth without its picture, the fifth too long.
std::filesystem::path mixed(const Folder& folder) {
  write_picture(folder / "grey.png", 64, 90);
  std::string words;
  for (int i = 0; i < 400; ++i) words += "word ";
  const auto talk = [](const std::string& question) {
    return "\"messages\": [{\"role\": \"user\", \"content\": \"" + question +
           R"("}, {"role": "assistant", "content": "A <ball>."}]})";
  };
  write_text(folder / "rows.jsonl",
             "{\"prompt\": \"a ball\", \"image\": \"grey.png\"}\n{" + talk("Hello") +
                 "\n{\"images\": [\"grey.png\"], " + talk("What?") +
                 "\n{\"prompt\": \"a ball\", \"image\": \"absent.png\"}\n{" + talk(words));
  return folder / "rows.jsonl";
}

TEST(Check, CountsLengthsAndWhatIsBroken) {
  const Folder folder("check");
  const Recipe one = recipe(mixed(folder));
  const PromptBuilder builder = prompts();
  for (const int64_t workers : {1, 4}) {
    const Checked found = check_source(one, 0, builder, {.workers = workers});
    EXPECT_EQ(found.rows, 5);
    EXPECT_EQ(found.looked_at, 5);
    const std::map<std::string, int64_t> tasks = {{"generate", 1}, {"text", 1}, {"understand", 1}};
    EXPECT_EQ(found.tasks, tasks);
    ASSERT_EQ(found.lengths.size(), 3u);
    EXPECT_TRUE(std::is_sorted(found.lengths.begin(), found.lengths.end()));
    ASSERT_EQ(found.broken.size(), 2u);
    EXPECT_NE(found.broken[0].place.find("line 4"), std::string::npos);
    EXPECT_NE(found.broken[0].reason.find("absent.png"), std::string::npos);
    EXPECT_NE(found.broken[1].reason.find("longer than batch.max_len = 320"), std::string::npos);
    EXPECT_EQ(found.allowed, 0);
    ASSERT_EQ(found.shown.size(), 3u);
    EXPECT_EQ(found.shown[0].task, "generate");
  }
  EXPECT_EQ(check_source(one, 0, builder, {.rows = 2}).looked_at, 2);
}

// What is taught in brackets, what is special in braces.
std::string marked(const std::vector<Piece>& pieces) {
  std::string all;
  for (const Piece& piece : pieces) {
    const std::string text = piece.special ? "{" + piece.text + "}" : piece.text;
    all += piece.taught ? "[" + text + "]" : text;
  }
  return all;
}

TEST(Check, AnEditShowsBothPicturesAndWhereTheFirstStands) {
  const Folder folder("edit");
  write_picture(folder / "a.png", 64, 90);
  write_picture(folder / "b.png", 64, 200);
  write_text(folder / "rows.jsonl",
             R"({"prompt": "lighter", "source": "a.png", "image": "b.png"})");
  const PromptBuilder builder(Tokenizer::load(golden("tiny-hf/tokenizer.json")), 64, std::string(),
                              {}, EditLayout::und_gen);
  const Checked found = check_source(recipe(folder / "rows.jsonl"), 0, builder, {});
  ASSERT_EQ(found.shown.size(), 1u);
  EXPECT_EQ(found.shown[0].task, "edit");
  ASSERT_EQ(found.shown[0].pictures.size(), 2u);
  EXPECT_EQ(found.shown[0].pictures[0].rgb.front(), 90);
  EXPECT_EQ(found.shown[0].pictures[1].rgb.front(), 200);
  EXPECT_NE(marked(found.shown[0].pieces)
                .find("{<begin_of_image>[64 × picture]<end_of_image><begin_of_image>[64 × code]"
                      "<end_of_image>}"),
            std::string::npos)
      << marked(found.shown[0].pieces);
}

TEST(Check, WhatIsTaughtIsMarked) {
  const Folder folder("marked");
  const Recipe one = recipe(mixed(folder));
  const PromptBuilder builder = prompts();
  const Checked found = check_source(one, 0, builder, {});
  ASSERT_EQ(found.shown.size(), 3u);
  const std::vector<Piece>& drawn = found.shown[0].pieces;
  EXPECT_EQ(marked(drawn),
            "{<｜begin▁of▁sentence｜><|User|>}: a ball\n\n{<|Assistant|>}:{<begin_of_image>}"
            "[{[64 × code]}]");
  const std::vector<Piece>& read = found.shown[2].pieces;
  EXPECT_EQ(marked(read),
            "{<｜begin▁of▁sentence｜><|User|>}: {<begin_of_image>[64 × picture]<end_of_image>}\n"
            "What?\n\n{<|Assistant|>}:[ A <ball>.][{<｜end▁of▁sentence｜>}]");
  const Image grey{64, 64, std::vector<uint8_t>(64 * 64 * 3, 90)};
  EXPECT_EQ(found.shown[0].pictures, std::vector<Image>{grey});
  EXPECT_EQ(found.shown[2].pictures, std::vector<Image>{grey});
}

TEST(Check, TheSheetShowsThem) {
  const Folder folder("sheet");
  const Recipe one = recipe(mixed(folder));
  const PromptBuilder builder = prompts();
  write_sheet(folder / "out", "a & b", check_source(one, 0, builder, {}));
  const std::string page = read_text(folder / "out/sheet.html");
  EXPECT_NE(page.find("<h1>a &amp; b</h1>"), std::string::npos);
  EXPECT_NE(page.find("<mark> A &lt;ball&gt;."), std::string::npos) << page;
  EXPECT_NE(page.find("<mark><i>[64 × code]</i></mark>"), std::string::npos);
  EXPECT_NE(page.find("<summary>2 broken, 0 allowed</summary>"), std::string::npos);
  EXPECT_NE(page.find("absent.png"), std::string::npos);
  EXPECT_EQ(load_image(folder / "out/0002.png").width, 64);
  EXPECT_FALSE(std::filesystem::exists(folder / "out/0003.png"));
}

TEST(Check, TheWorldIsASourceLikeOthers) {
  const Recipe one = parse_recipe(
      tiny_recipe(false), "tiny",
      std::vector<std::string>{"model.language.vocabulary=640", "model.vision.patch=8"});
  const PromptBuilder builder(Tokenizer::load(golden("tiny-hf/tokenizer.json")), 16, std::string());
  const Checked found = check_source(one, 1, builder, {.rows = 30, .shown = 4});
  EXPECT_EQ(found.rows, 0);
  EXPECT_EQ(found.lengths.size(), 30u);
  EXPECT_TRUE(found.broken.empty());
  EXPECT_EQ(found.shown.size(), 4u);
}

TEST(Check, FormatsAreToldByWhatLiesThere) {
  const Folder folder("formats");
  EXPECT_EQ(guessed_format("a.jsonl"), "jsonl");
  EXPECT_EQ(guessed_format("a.json"), "llava");
  EXPECT_EQ(guessed_format("a-{00..12}.tar"), "webdataset");
  EXPECT_EQ(guessed_format("toyland/dense"), "world");
  write_text(folder / "s/1.tar", "x");
  EXPECT_EQ(guessed_format((folder / "s").string()), "webdataset");
  write_picture(folder / "c/ball/1.png", 4);
  EXPECT_EQ(guessed_format((folder / "c").string()), "classes");
  write_picture(folder / "d/ball/1.png", 4);
  write_text(folder / "d/ball/1.txt", "a ball");
  EXPECT_EQ(guessed_format((folder / "d").string()), "folder");
  write_picture(folder / "c/1.png", 4);
  EXPECT_EQ(guessed_format((folder / "c").string()), "folder");
  std::filesystem::create_directories(folder / "empty");
  EXPECT_THROW(guessed_format((folder / "empty").string()), Error);
  EXPECT_THROW(guessed_format((folder / "absent").string()), Error);
}

}  // namespace
}  // namespace janus::train
