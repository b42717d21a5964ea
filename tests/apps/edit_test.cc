// `januspro edit` from outside: what stays, recipes, refusals. SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <span>

#include "januspro/januspro.hpp"
#include "program.h"

namespace janus {
namespace {

std::vector<std::string> edit(std::vector<std::string> more) {
  std::vector<std::string> arguments{"edit", "-m", golden("tiny-hf")};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return arguments;
}

// A picture of the model's own size, in stripes.
std::string striped(const Folder& folder, const std::string& name, int size = 64) {
  Image image{.width = size, .height = size, .rgb = {}};
  for (int i = 0; i < size * size; ++i) {
    for (const int c : {i % 251, i / size * 3 % 256, 90}) {
      image.rgb.push_back(static_cast<uint8_t>(c));
    }
  }
  save_file(folder.file(name), encode_picture(image));
  return folder.file(name);
}

std::string half_white(const Folder& folder, const std::string& name, int size = 64) {
  Image image{.width = size, .height = size, .rgb = {}};
  for (int i = 0; i < size * size; ++i) {
    image.rgb.insert(image.rgb.end(), 3, i % size < size / 2 ? 255 : 0);
  }
  save_file(folder.file(name), encode_picture(image));
  return folder.file(name);
}

TEST(EditProgram, KeepsWhatTheMaskLeaves) {
  const Folder folder;
  const std::string from = striped(folder, "from.png");
  const std::string mask = half_white(folder, "mask.png");
  const Outcome outcome = run_program(edit({"-i", from, "a red apple", "--mask", mask, "--seed",
                                            "7", "-n", "2", "-o", folder.file("to.png")}));
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(outcome.out, folder.file("to-1.png") + "\n" + folder.file("to-2.png") + "\n");
  const Image before = load_picture(from);
  for (const char* name : {"to-1.png", "to-2.png"}) {
    const Image after = load_picture(folder.file(name));
    EXPECT_NE(after, before);
    for (size_t y = 0; y < 64; ++y) {  // a cell of this model is 16 pixels
      const auto begin = static_cast<ptrdiff_t>(y * 64 + 48) * 3;
      EXPECT_TRUE(std::equal(before.rgb.begin() + begin, before.rgb.begin() + begin + 48,
                             after.rgb.begin() + begin))
          << y;
    }
  }
  const auto recipe = nlohmann::json::parse(picture_text(folder.file("to-2.png")).at("parameters"));
  EXPECT_EQ(recipe["seed"], 8);
  EXPECT_EQ(recipe["edit"]["image_sha256"].get<std::string>().size(), 64u);
  EXPECT_TRUE(recipe["edit"].contains("mask_sha256"));
  const Outcome again = run_program({"draw", "--from", folder.file("to-1.png"), "-o", "-"});
  EXPECT_EQ(again.code, 1);
  EXPECT_NE(again.err.find("was edited from another picture"), std::string::npos) << again.err;
}

TEST(EditProgram, KeepingAllIsThePictureItself) {
  const Folder folder;
  const std::string from = striped(folder, "from.png");
  const Outcome all =
      run_program(edit({"-i", from, "--keep", "1", "--quiet", "-o", folder.file("all.png")}));
  ASSERT_EQ(all.code, 0) << all.err;
  EXPECT_EQ(all.err, "");
  EXPECT_EQ(load_picture(folder.file("all.png")), load_picture(from));
  const Outcome side = run_program(edit(
      {"-i", from, "--outpaint", "left", "--seed", "1", "--json", "-o", folder.file("left.png")}));
  ASSERT_EQ(side.code, 0) << side.err;
  EXPECT_EQ(nlohmann::json::parse(side.out)["edit"]["outpaint"], "left");
}

TEST(EditProgram, FollowsAnInstruction) {
  const Folder folder;
  const std::string from = striped(folder, "from.png", 80);
  const auto red = [&](const std::string& to, std::vector<std::string> more) {
    more.insert(more.begin(), {"-i", from, "make the ball red", "--seed", "7", "--edit-layout",
                               "und+gen", "-o", folder.file(to)});
    return run_program(edit(std::move(more)));
  };
  const Outcome outcome = red("red.png", {"-n", "2"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(outcome.out, folder.file("red-1.png") + "\n" + folder.file("red-2.png") + "\n");
  const auto recipe =
      nlohmann::json::parse(picture_text(folder.file("red-2.png")).at("parameters"));
  EXPECT_EQ(recipe["seed"], 8);
  EXPECT_EQ(recipe["prompt"], "make the ball red");
  EXPECT_EQ(recipe["edit"]["instruction"], true);
  EXPECT_EQ(recipe["edit"]["layout"], "und+gen");
  EXPECT_EQ(recipe["edit"]["image_guidance"], 1.5);
  EXPECT_EQ(recipe["edit"]["image_sha256"].get<std::string>().size(), 64u);
  ASSERT_EQ(red("again.png", {"--threads", "2"}).code, 0);
  EXPECT_EQ(load_picture(folder.file("again.png")), load_picture(folder.file("red-1.png")));
  ASSERT_EQ(red("closer.png", {"--image-guidance", "3", "--guidance", "2"}).code, 0);
  EXPECT_NE(load_picture(folder.file("closer.png")), load_picture(folder.file("red-1.png")));
}

TEST(EditProgram, RefusesWhatCannotBe) {
  const Folder folder;
  const std::string from = striped(folder, "from.png");
  const std::string small = half_white(folder, "small.png", 32);
  struct Case {
    std::vector<std::string> arguments;
    int code;
    std::string words;
  };
  const std::vector<Case> cases = {
      {{"a red apple"}, 2, "--image is required"},
      {{"-i", from, "--mask", small, "--outpaint", "left"}, 2, "two edits"},
      {{"-i", from, "--mask", small, "--keep", ".1"}, 2, "--keep is for"},
      {{"-i", from, "--keep", "2"}, 2, "--keep"},
      {{"-i", from, "--outpaint", "up"}, 2, "--outpaint"},
      {{"-i", from, "--keep", ".5", "--quality", "3"}, 2, "--quality is for"},
      {{"-i", from, "--mask", small}, 1, "the mask has 32 x 32 pixels and the picture 64 x 64"},
      {{"-i", folder.file("none.png"), "--keep", "1"}, 1, "none.png"},
      {{"-i", from, "--keep", ".5", "--memory", "1MB"}, 1, "memory"},
      {{"-i", from}, 2, "say what is to change, such as 'make the ball red'"},
      {{"-i", from, " "}, 2, "say what is to change"},
      {{"-i", from, "make it red", "--keep", ".5", "--image-guidance", "2"},
       2,
       "for an instruction"},
      {{"-i", from, "make it red"}, 1, "was not taught to follow instructions"},
      {{"-i", from, "make it red", "--edit-layout", "other"}, 2, "--edit-layout"},
      {{"-i", folder.file("none.png"), "make it red", "--edit-layout", "janus4o"}, 1, "none.png"},
  };
  for (const Case& c : cases) {
    std::vector<std::string> arguments = edit(c.arguments);
    arguments.insert(arguments.end(), {"-o", folder.file("out.png")});
    const Outcome outcome = run_program(arguments);
    EXPECT_EQ(outcome.code, c.code) << c.words;
    EXPECT_NE(outcome.err.find(c.words), std::string::npos) << outcome.err;
  }
  EXPECT_FALSE(std::filesystem::exists(folder.file("out.png")));
}

}  // namespace
}  // namespace janus
