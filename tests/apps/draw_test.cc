// `januspro draw` from outside: files, names, recipes, interrupts. SPDX-License-Identifier: MIT
#include <gtest/gtest.h>
#include <signal.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "januspro/januspro.hpp"
#include "program.h"

namespace janus {
namespace {

std::vector<std::string> draw(std::vector<std::string> more) {
  std::vector<std::string> arguments{"draw", "-m", golden("tiny-hf")};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return arguments;
}

TEST(DrawProgram, PrintsThePathsOfWhatItWroteAndNothingElse) {
  const Folder folder;
  const Outcome one = run_program(draw({"a red apple", "--seed", "7", "-o", folder.file("a.png")}));
  EXPECT_EQ(one.code, 0) << one.err;
  EXPECT_EQ(one.out, folder.file("a.png") + "\n");
  EXPECT_EQ(one.err, "");
  const Outcome many = run_program(
      draw({"a red apple", "blue", "-n", "2", "--seed", "7", "-o", folder.file("b.png")}));
  EXPECT_EQ(many.code, 0) << many.err;
  std::string expected;
  for (int i = 1; i <= 4; ++i) expected += folder.file("b-" + std::to_string(i) + ".png") + "\n";
  EXPECT_EQ(many.out, expected);
  EXPECT_EQ(folder.names(),
            (std::vector<std::string>{"a.png", "b-1.png", "b-2.png", "b-3.png", "b-4.png"}));
  EXPECT_EQ(read_file(folder.file("a.png")), read_file(folder.file("b-1.png")));
  const auto recipe = nlohmann::json::parse(picture_text(folder.file("b-4.png")).at("parameters"));
  EXPECT_EQ(recipe["prompt"], "blue");
  EXPECT_EQ(recipe["seed"], 8);
}

TEST(DrawProgram, SaysTheRandomSeedAndQuietDoesNot) {
  const Folder folder;
  const Outcome first = run_program(draw({"blue", "-o", folder.file("a.png")}));
  ASSERT_EQ(first.err.rfind("seed ", 0), 0u) << first.err;
  const std::string seed = first.err.substr(5, first.err.find('\n') - 5);
  run_program(draw({"blue", "--seed", seed, "-o", folder.file("b.png")}));
  EXPECT_EQ(read_file(folder.file("a.png")), read_file(folder.file("b.png")));
  const Outcome quiet = run_program(draw({"blue", "--quiet", "-o", folder.file("c.png")}));
  EXPECT_EQ(quiet.err, "");
  EXPECT_NE(read_file(folder.file("a.png")), read_file(folder.file("c.png")));
}

TEST(DrawProgram, FromRepeatsByteForByte) {
  const Folder folder;
  const Outcome made =
      run_program(draw({"a red apple", "--seed", "3", "--negative", "dark \"x\"", "--guidance",
                        "3.3", "--temperature", "0.9", "--top-k", "50", "--top-p", "0.95", "-n",
                        "2", "--backend", "ref", "-o", folder.file("a.png")}));
  ASSERT_EQ(made.code, 0) << made.err;
  const Outcome again =
      run_program({"draw", "--from", folder.file("a-2.png"), "-o", folder.file("b.png")},
                  {.environment = {{"JANUSPRO_MODEL", golden("tiny-hf")}}});
  EXPECT_EQ(again.code, 0) << again.err;
  EXPECT_EQ(again.err, "");
  EXPECT_EQ(read_file(folder.file("a-2.png")), read_file(folder.file("b.png")));
  run_program(draw({"--from", folder.file("a-2.png"), "--seed", "9", "-o", folder.file("c.png")}));
  EXPECT_NE(load_picture(folder.file("c.png")), load_picture(folder.file("b.png")));
}

TEST(DrawProgram, FromRefusesWhatCannotBeRepeated) {
  const Folder folder;
  const Outcome plain = run_program(draw({"--from", golden("images/astronaut-64.png")}));
  EXPECT_EQ(plain.code, 1);
  EXPECT_NE(plain.err.find("holds no recipe"), std::string::npos) << plain.err;
  ASSERT_EQ(run_program(draw({"blue", "--seed", "1", "-o", folder.file("a.png")})).code, 0);
  ASSERT_EQ(run_program({"random-model", folder.file("m"), "--preset", "tiny"}).code, 0);
  const Outcome other = run_program({"draw", "--from", folder.file("a.png")},
                                    {.environment = {{"JANUSPRO_MODEL", folder.file("m")}}});
  EXPECT_EQ(other.code, 1);
  EXPECT_NE(other.err.find("was drawn by tiny-hf"), std::string::npos) << other.err;
  const Outcome meant = run_program(
      {"draw", "--from", folder.file("a.png"), "-m", folder.file("m"), "-o", folder.file("b.png")});
  EXPECT_EQ(meant.code, 0);
  EXPECT_NE(meant.err.find("warning"), std::string::npos) << meant.err;
  EXPECT_EQ(run_program(draw({"blue", "--from", folder.file("a.png")})).code, 2);
}

TEST(DrawProgram, JsonIsOneObjectAPicture) {
  const Folder folder;
  const Outcome outcome = run_program(
      draw({"a \"red\" apple", "-n", "2", "--seed", "5", "--json", "-o", folder.file("a.png")}));
  const std::vector<std::string> lines = lines_of(outcome.out);
  ASSERT_EQ(lines.size(), 2u);
  for (int i = 0; i < 2; ++i) {
    const auto object = nlohmann::json::parse(lines[static_cast<size_t>(i)]);
    EXPECT_EQ(object["path"], folder.file("a-" + std::to_string(i + 1) + ".png"));
    EXPECT_EQ(object["seed"], 5 + i);
    EXPECT_EQ(object["prompt"], "a \"red\" apple");
    EXPECT_GT(object["seconds"].get<double>(), 0);
  }
}

TEST(DrawProgram, DashWritesThePngToStdout) {
  const Folder folder;
  run_program(draw({"blue", "--seed", "2", "-o", folder.file("a.png")}));
  const Outcome piped = run_program(draw({"blue", "--seed", "2", "-o", "-"}));
  EXPECT_EQ(piped.out, read_file(folder.file("a.png")));
  EXPECT_EQ(run_program(draw({"blue", "-n", "2", "-o", "-"})).code, 2);
  EXPECT_EQ(run_program(draw({"blue", "--json", "-o", "-"})).code, 2);
}

TEST(DrawProgram, PromptsComeFromAFile) {
  const Folder folder;
  // A mark of UTF-8, comments, blank lines, ends of lines of two kinds, none at the end.
  std::ofstream(folder.file("p.txt"))
      << "\xEF\xBB\xBF# two\r\na red apple\r\n\n  \n \t# not \"this\"\r\n\r\nblue";
  const Outcome outcome =
      run_program(draw({"--prompts", folder.file("p.txt"), "--seed", "7", "-o",
                        folder.file("a.png"), "--sheet", folder.file("s.png")}));
  EXPECT_EQ(outcome.out, folder.file("a-1.png") + "\n" + folder.file("a-2.png") + "\n" +
                             folder.file("s.png") + "\n");
  run_program(draw({"blue", "--seed", "7", "-o", folder.file("b.png")}));
  const Image second = load_picture(folder.file("a-2.png"));
  EXPECT_EQ(second, load_picture(folder.file("b.png")));
  const Image sheet = load_picture(folder.file("s.png"));
  ASSERT_EQ(sheet.width, 2 * (64 + 6) + 6);
  ASSERT_EQ(sheet.height, 64 + 12);
  for (int c = 0; c < 3; ++c) {
    EXPECT_EQ(sheet.rgb[static_cast<size_t>((6 * sheet.width + 76) * 3 + c)],
              second.rgb[static_cast<size_t>(c)]);
  }
  EXPECT_EQ(run_program(draw({"--prompts", folder.file("none.txt")})).code, 1);
  std::ofstream(folder.file("p.txt")) << "# nothing\n\n";
  const Outcome empty = run_program(draw({"--prompts", folder.file("p.txt")}));
  EXPECT_EQ(empty.code, 1);
  EXPECT_NE(empty.err.find("holds no prompt"), std::string::npos) << empty.err;
}

TEST(DrawProgram, TheExtensionDecidesTheFormat) {
  const Folder folder;
  const auto drawn = [&](const std::string& name, std::vector<std::string> more = {}) {
    more.insert(more.begin(), {"a red apple", "--seed", "7", "-o", folder.file(name)});
    const Outcome outcome = run_program(draw(more));
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    EXPECT_EQ(outcome.out, folder.file(name) + "\n");
    return read_file(folder.file(name));
  };
  const std::string png = drawn("a.png");
  const std::string jpeg = drawn("a.JPG");
  const std::string webp = drawn("a.webp");
  EXPECT_EQ(png.substr(1, 3), "PNG");
  EXPECT_EQ(jpeg.substr(0, 3), "\xff\xd8\xff");
  EXPECT_EQ(webp.substr(8, 4), "WEBP");
  EXPECT_EQ(drawn("plain"), png);
  EXPECT_EQ(drawn("a.jpeg"), jpeg);
  // WebP loses nothing unless a quality is given.
  EXPECT_EQ(load_picture(folder.file("a.webp")), load_picture(folder.file("a.png")));
  EXPECT_NE(load_picture(folder.file("a.JPG")), load_picture(folder.file("a.png")));
  EXPECT_LT(drawn("b.jpg", {"--quality", "20"}).size(), jpeg.size());
  drawn("b.webp", {"--quality", "20"});
  EXPECT_NE(load_picture(folder.file("b.webp")), load_picture(folder.file("a.png")));
  EXPECT_EQ(picture_text(folder.file("a.webp")), picture_text(folder.file("a.png")));
  EXPECT_EQ(picture_text(folder.file("a.JPG")), picture_text(folder.file("a.png")));
}

TEST(DrawProgram, EveryFormatRepeatsFromItsRecipe) {
  const Folder folder;
  for (const std::string name : {"a.png", "a.jpg", "a.webp"}) {
    run_program(draw({"eine \"Möwe\" 🐦", "--seed", "3", "--guidance", "3.3", "-n", "2", "-o",
                      folder.file(name)}));
  }
  for (const std::string name : {"a-2.png", "a-2.jpg", "a-2.webp"}) {
    const Outcome again =
        run_program({"draw", "--from", folder.file(name), "-o", folder.file("b.png")},
                    {.environment = {{"JANUSPRO_MODEL", golden("tiny-hf")}}});
    EXPECT_EQ(again.code, 0) << again.err;
    EXPECT_EQ(read_file(folder.file("b.png")), read_file(folder.file("a-2.png"))) << name;
  }
  const Outcome photo = run_program(draw({"--from", golden("images/rocket.jpg")}));
  EXPECT_EQ(photo.code, 1);
  EXPECT_NE(photo.err.find("holds no recipe"), std::string::npos) << photo.err;
}

TEST(DrawProgram, SheetsOfAnyNumberComeInEveryFormat) {
  const Folder folder;
  std::ofstream(folder.file("p.txt")) << "a red apple\nblue\n";
  const std::vector<std::tuple<std::string, int, int, int>> cases = {
      {"s.png", 1, 2, 1}, {"s.jpg", 3, 3, 2}, {"s.webp", 5, 4, 3}};
  for (const auto& [name, number, columns, rows] : cases) {
    const Outcome outcome =
        run_program(draw({"--prompts", folder.file("p.txt"), "-n", std::to_string(number), "--seed",
                          "1", "-o", folder.file("a.webp"), "--sheet", folder.file(name)}));
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    EXPECT_EQ(lines_of(outcome.out).size(), static_cast<size_t>(2 * number + 1));
    const Image sheet = load_picture(folder.file(name));
    EXPECT_EQ(sheet.width, columns * 70 + 6);
    EXPECT_EQ(sheet.height, rows * 70 + 6);
  }
}

// Before minutes are spent on drawing.
TEST(DrawProgram, WhatAFormatCannotHoldIsFoundBeforeDrawing) {
  const Folder folder;
  const Outcome wide = run_program(
      draw({"blue", "-n", "60000", "-o", folder.file("a.png"), "--sheet", folder.file("s.webp")}));
  EXPECT_EQ(wide.code, 1);
  EXPECT_NE(wide.err.find("does not fit in a WebP"), std::string::npos) << wide.err;
  std::string prompt;  // that fits the context, a token a word
  while (prompt.size() < 40000) prompt += " lighthouse";
  const Outcome lengthy = run_program(draw({prompt, "-o", folder.file("a.jpg")}));
  EXPECT_EQ(lengthy.code, 1);
  EXPECT_NE(lengthy.err.find("does not fit in a JPEG"), std::string::npos) << lengthy.err;
  EXPECT_TRUE(folder.names().empty());
}

TEST(DrawProgram, InterruptKeepsWhatIsFinishedAndLeavesNothingHalf) {
  const Folder folder;
  Setting setting;
  setting.signal = SIGINT;
  setting.until = [&] { return std::filesystem::exists(folder.file("a-3.png")); };
  const Outcome outcome = run_program(
      draw({"blue", "-n", "100000", "--batch", "2", "--seed", "1", "-o", folder.file("a.png")}),
      setting);
  EXPECT_EQ(outcome.code, 130);
  EXPECT_NE(outcome.err.find("stopped"), std::string::npos) << outcome.err;
  const std::vector<std::string> names = folder.names();
  EXPECT_GE(names.size(), 3u);
  EXPECT_LT(names.size(), 90000u);
  EXPECT_EQ(lines_of(outcome.out).size(), names.size());
  for (const std::string& name : names) {
    EXPECT_EQ(load_picture(folder.file(name)).width, 64) << name;
  }
}

TEST(DrawProgram, OutputThatCannotBeIsFoundBeforeDrawing) {
  const Folder folder;
  const Outcome missing = run_program(draw({"blue", "-o", folder.file("no/a.png")}));
  EXPECT_EQ(missing.code, 1);
  EXPECT_NE(missing.err.find("no such directory"), std::string::npos) << missing.err;
  const Outcome directory = run_program(draw({"blue", "-o", folder.path().string()}));
  EXPECT_EQ(directory.code, 1);
  const Outcome other = run_program(draw({"blue", "-o", folder.file("a.tif")}));
  EXPECT_EQ(other.code, 2);
  EXPECT_NE(other.err.find(".png, .jpg, .jpeg or .webp"), std::string::npos) << other.err;
  const Outcome full = run_program(draw({"blue", "-o", "/dev/full"}));
  EXPECT_EQ(full.code, 1);
  EXPECT_NE(full.err.find("No space left"), std::string::npos) << full.err;
  EXPECT_TRUE(std::filesystem::is_character_file("/dev/full"));
}

TEST(DrawProgram, ATerminalShowsProgressAndTheGrowingPicture) {
  const Folder folder;
  Setting setting;
  setting.terminal = true;
  setting.environment = {{"TERM", "xterm"}, {"XDG_CACHE_HOME", folder.file("cache")}};
  const std::vector<std::string> arguments =
      draw({"blue", "-n", "24", "--seed", "1", "-o", folder.file("a.png")});
  const Outcome shown = run_program(arguments, setting);
  EXPECT_EQ(shown.code, 0) << shown.err;
  EXPECT_NE(shown.err.find("codes"), std::string::npos);
  EXPECT_NE(shown.err.find("\033[38;2;"), std::string::npos);
  EXPECT_NE(shown.err.find("\u2580"), std::string::npos);
  EXPECT_EQ(lines_of(shown.out).size(), 24u);
  EXPECT_FALSE(std::filesystem::is_empty(folder.file("cache/januspro")));
  std::vector<std::string> more = arguments;
  more.push_back("--no-preview");
  EXPECT_EQ(run_program(more, setting).err.find("\u2580"), std::string::npos);
  more.push_back("--quiet");
  EXPECT_EQ(run_program(more, setting).err, "");
}

}  // namespace
}  // namespace janus
