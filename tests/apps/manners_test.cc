// What people type who come from other programs, and what they keep in the environment.
// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <functional>
#include <nlohmann/json.hpp>
#include <set>

#include "apps/command_line.h"
#include "apps/description.h"
#include "apps/environment.h"
#include "januspro/januspro.hpp"
#include "program.h"

namespace janus {
namespace {

using Json = nlohmann::json;

// Draws small pictures with the tiny model; one JSON object a picture.
class Manners : public ::testing::Test {
 protected:
  Manners() { setting_.environment["JANUSPRO_MODEL"] = golden("tiny-hf"); }

  Outcome run(std::vector<std::string> arguments) const { return run_program(arguments, setting_); }
  std::vector<Json> draw(std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(), "draw");
    arguments.insert(arguments.end(), {"--json", "-o", folder_.file("x.png")});
    const Outcome outcome = run(arguments);
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    std::vector<Json> pictures;
    for (const std::string& line : lines_of(outcome.out)) {
      pictures.push_back(Json::parse(line));
      pictures.back().erase("seconds");
    }
    return pictures;
  }
  void expect_wrong(const std::vector<std::string>& arguments, const std::string& words) const {
    const Outcome outcome = run(arguments);
    EXPECT_EQ(outcome.code, 2) << outcome.err;
    EXPECT_NE(outcome.err.find(words), std::string::npos) << outcome.err;
  }

  const Folder folder_;
  Setting setting_;
};

TEST_F(Manners, SpellingsOfOtherProgramsMeanTheSame) {
  const auto ours = draw({"a ball", "--seed", "7", "--threads", "1", "--temperature", "0.5",
                          "--guidance", "3", "--negative", "a cube", "-n", "2"});
  const auto theirs = draw({"-p", "a ball", "-s", "7", "-t", "1", "--temp", "0.5", "--cfg-scale",
                            "3", "--negative-prompt", "a cube", "-b", "2"});
  ASSERT_EQ(ours.size(), 2u);
  EXPECT_EQ(ours, theirs);
  EXPECT_EQ(draw({"--prompt", "a ball", "-s", "7", "--batch-count", "2"}).size(), 2u);
  const auto ask = [&](const std::vector<std::string>& arguments) {
    const Outcome outcome = run(arguments);
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    return outcome.out;
  };
  EXPECT_EQ(ask({"ask", "-p", "hi", "--n-predict", "9", "--system-prompt", "Be brief."}),
            ask({"ask", "hi", "--max-tokens", "9", "--system", "Be brief."}));
}

TEST_F(Manners, SeedMinusOneIsARandomOne) {
  const Outcome outcome = run({"draw", "x", "-s", "-1", "-o", folder_.file("x.png")});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(outcome.err.rfind("seed ", 0), 0u) << outcome.err;
  for (const char* seed : {"-2", "1.5", "x", "", "18446744073709551616"}) {
    expect_wrong({"draw", "x", "-s", seed}, "is not a whole number below 2^64, or -1");
  }
  EXPECT_EQ(draw({"x", "-s", "18446744073709551615"})[0]["seed"], UINT64_MAX);
}

TEST_F(Manners, APromptInBracketsIsOnePrompt) {
  for (const std::string prompt : {"[a ball, red]", "[", "[]", "\x1a[x, y]", "[a], [b]"}) {
    const auto pictures = draw({prompt, "-s", "1"});
    ASSERT_EQ(pictures.size(), 1u) << prompt;
    EXPECT_EQ(pictures[0]["prompt"], prompt);
  }
  const Outcome dash =
      run({"draw", "-s", "1", "--json", "-o", folder_.file("x.png"), "--", "-a[b, c]"});
  EXPECT_EQ(Json::parse(dash.out)["prompt"], "-a[b, c]") << dash.err;
  EXPECT_EQ(draw({"--prompt=[a, b]", "-s", "1"})[0]["prompt"], "[a, b]");
  EXPECT_EQ(draw({"-p[a, b]", "-s", "1"})[0]["prompt"], "[a, b]");
  expect_wrong({"list", "[a, b]"}, ": [a, b]");
}

TEST_F(Manners, VerboseSaysWhatWasLoadedAndHowLongItTook) {
  const std::vector<std::string> question = {"ask", "hi", "--max-tokens", "2"};
  const Outcome plain = run(question);
  EXPECT_EQ(plain.err, "");
  std::vector<std::string> verbose = question;
  verbose.push_back("-v");
  const Outcome told = run(verbose);
  EXPECT_EQ(told.out, plain.out);
  for (const char* words : {"model tiny-hf (", "hash ", "computes by cpu ", "weights in f32",
                            " tokens read and 2 written in "}) {
    EXPECT_NE(told.err.find(words), std::string::npos) << told.err;
  }
  verbose.push_back("--quiet");
  EXPECT_EQ(run(verbose).err, "");
  const Outcome drawn = run({"draw", "x", "-s", "1", "-v", "-o", folder_.file("x.png")});
  EXPECT_NE(drawn.err.find("1 picture in "), std::string::npos) << drawn.err;
  EXPECT_EQ(run({"-v"}).out, run({"--version"}).out);
}

TEST_F(Manners, WithoutColourThereIsABarAndNoPicture) {
  setting_.terminal = true;
  setting_.environment["TERM"] = "xterm-256color";
  setting_.environment["XDG_CACHE_HOME"] = folder_.file("cache");
  const std::vector<std::string> drawing = {"draw", "x", "-n", "24",
                                            "-s",   "1", "-o", folder_.file("x.png")};
  EXPECT_NE(run(drawing).err.find("\033[48;2;"), std::string::npos);
  setting_.environment["NO_COLOR"] = "1";
  const std::string shown = run(drawing).err;
  EXPECT_EQ(shown.find("\033[48;2;"), std::string::npos);
  EXPECT_NE(shown.find("decoding ["), std::string::npos) << shown;
}

// --- the environment ---------------------------------------------------------------------------

TEST_F(Manners, VariablesAreDefaults) {
  setting_.environment["JANUSPRO_SEED"] = "7";
  setting_.environment["JANUSPRO_IMAGES"] = "2";
  setting_.environment["JANUSPRO_TOP_K"] = "5";
  auto pictures = draw({"x"});
  ASSERT_EQ(pictures.size(), 2u);
  EXPECT_EQ(pictures[1]["seed"], 8);
  EXPECT_EQ(pictures[0]["top_k"], 5);
  setting_.environment["JANUSPRO_DRAW_SEED"] = "70";
  setting_.environment["JANUSPRO_ASK_TOP_K"] = "50";
  pictures = draw({"x", "-n", "1"});
  ASSERT_EQ(pictures.size(), 1u);
  EXPECT_EQ(pictures[0]["seed"], 70);
  EXPECT_EQ(pictures[0]["top_k"], 5);
  EXPECT_EQ(draw({"x", "-n", "1", "-s", "3"})[0]["seed"], 3);
  setting_.environment["JANUSPRO_PROMPT"] = "[from, far]";
  EXPECT_EQ(draw({"-n", "1"})[0]["prompt"], "[from, far]");
  EXPECT_EQ(draw({"x", "-n", "1"})[0]["prompt"], "x");
}

TEST_F(Manners, VariablesOfFlagsAndTexts) {
  setting_.environment["JANUSPRO_JSON"] = "1";
  setting_.environment["JANUSPRO_MAX_TOKENS"] = "3";
  const Outcome answered = run({"ask", "hi"});
  EXPECT_EQ(Json::parse(answered.out)["answer_tokens"], 3);
  setting_.environment["JANUSPRO_JSON"] = "off";
  EXPECT_EQ(run({"ask", "hi"}).out.find('{'), std::string::npos);
  setting_.environment["JANUSPRO_JSON"] = "";
  const std::string plain = run({"ask", "hi"}).out;
  setting_.environment["JANUSPRO_SYSTEM"] = "Another.";
  const std::string other = run({"ask", "hi"}).out;
  EXPECT_EQ(other, run({"ask", "hi", "--system", "Another."}).out);
  setting_.environment["JANUSPRO_TRACE_TOKENS_DECODE"] = folder_.file("none.json");
  EXPECT_EQ(run({"trace", "tokens"}).code, 1);
  // What is required may come from the environment.
  const std::vector<std::string> encode = {"trace", "encode", "-i",
                                           golden("images/astronaut-64.png")};
  expect_wrong(encode, "--output is required");
  setting_.environment["JANUSPRO_OUTPUT"] = folder_.file("x.safetensors");
  EXPECT_EQ(run(encode).out, folder_.file("x.safetensors") + "\n");
}

// A picture is repeated by its recipe whatever the environment says.
TEST_F(Manners, VariablesDoNotChangeARepeatedPicture) {
  const Json first = draw({"x", "-s", "4", "--top-k", "9"})[0];
  std::filesystem::rename(folder_.file("x.png"), folder_.file("first.png"));
  for (const char* name : {"SEED", "TOP_K", "GUIDANCE", "TEMPERATURE", "GREEDY", "ROUND_ROPE"}) {
    setting_.environment["JANUSPRO_" + std::string(name)] = "1";
  }
  draw({"--from", folder_.file("first.png")});
  EXPECT_EQ(load_picture(folder_.file("x.png")), load_picture(folder_.file("first.png")));
  const Json again = draw({"--from", folder_.file("first.png")})[0];
  EXPECT_EQ(again["seed"], 4);
  EXPECT_EQ(again["top_k"], 9);
  EXPECT_EQ(draw({"--from", folder_.file("first.png"), "-s", "6"})[0]["seed"], 6);
}

TEST_F(Manners, AVariableThatCannotBeIsNamed) {
  setting_.environment["JANUSPRO_IMAGES"] = "many";
  expect_wrong({"draw", "x"}, "JANUSPRO_IMAGES=many in the environment: ");
  EXPECT_EQ(run({"list", "--json"}).code, 0);  // not an option of this verb
  setting_.environment = {{"JANUSPRO_RECURSIVE", "1"}, {"JANUSPRO_MODEL", golden("tiny-hf")}};
  expect_wrong({"ask", "x"}, "Defaults from the environment: JANUSPRO_RECURSIVE=1");
}

// Walks every option of every verb, so that a new verb is held to it as well.
TEST(Variables, EveryOptionHasOneAndNoTwoShareTheirOwn) {
  Interrupt interrupt;
  const CommandLine line(interrupt);
  std::set<std::string> own;
  size_t count = 0;
  const std::function<void(const CLI::App&)> walk = [&](const CLI::App& app) {
    for (const CLI::Option* option : app.get_options()) {
      const std::vector<std::string> names = variables_of(app, *option);
      const bool named = !option->get_lnames().empty() && option != app.get_help_ptr();
      EXPECT_EQ(!names.empty(), named) << option->get_name(true, true);
      if (!named || app.get_parent() == nullptr) continue;
      ++count;
      EXPECT_TRUE(own.insert(names.front()).second) << names.front();
      EXPECT_EQ(names.front().find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789"),
                std::string::npos);
    }
    for (const CLI::App* verb : app.get_subcommands([](const CLI::App*) { return true; })) {
      walk(*verb);
    }
  };
  walk(line.app());
  EXPECT_GT(count, 100u);
  EXPECT_TRUE(own.contains("JANUSPRO_TRACE_ASK_RAW_IDS"));
}

}  // namespace
}  // namespace janus
