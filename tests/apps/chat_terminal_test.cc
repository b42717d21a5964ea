// `januspro chat` at a terminal: editing, history, Ctrl-C, pictures while they grow.
// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>
#include <signal.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "januspro/januspro.hpp"
#include "program.h"

namespace janus {
namespace {

using Strings = std::vector<std::string>;

const std::string kPrompt = "> ";
const std::string kUp = "\033[A", kBackspace = "\x7f", kInterrupt = "\x03", kEnd = "\x04";

class ChatTerminal : public ::testing::Test {
 protected:
  Folder folder_;
  Setting setting_;

  ChatTerminal() {
    setting_.terminal = true;
    setting_.environment = {{"TERM", "xterm"},
                            {"HOME", folder_.file("home")},
                            {"XDG_STATE_HOME", folder_.file("state")},
                            {"XDG_CACHE_HOME", folder_.file("cache")}};
  }

  Outcome chat(const std::vector<Input>& input, const Strings& more = {},
               const std::string& model = golden("tiny-hf")) {
    Strings arguments{"chat", "-m", model, "-o", folder_.path().string()};
    arguments.insert(arguments.end(), more.begin(), more.end());
    setting_.input = input;
    return run_program(arguments, setting_);
  }
  // Many layers of ref take their time.
  std::string slow_model() const {
    const std::string model = folder_.file("m");
    EXPECT_EQ(run_program({"random-model", model, "--preset", "tiny", "--layers", "60"}).code, 0);
    return model;
  }
  Strings history() const {
    return lines_of(read_file(folder_.file("state/januspro/chat_history")));
  }
};

TEST_F(ChatTerminal, LinesAreEditedAnsweredAndRemembered) {
  const Strings few{"--max-tokens", "5"};
  // To the beginning, forward over the h, the a away and an e in its place.
  const std::string edit = "hallo" + kBackspace + "\x01\x06\x04" + "e";
  const Outcome first = chat({{kPrompt, edit + "\r"},
                              {"cut at", ""},
                              {kPrompt, "sch\xC3\xB6n\r"},
                              {"cut at", ""},
                              {kPrompt, "sch\xC3\xB6n\r"},
                              {"cut at", ""},
                              {kPrompt, kEnd}},
                             few);
  EXPECT_EQ(first.code, 0) << first.err;
  EXPECT_NE(first.err.find("Chat with tiny-hf"), std::string::npos);
  EXPECT_EQ(history(), (Strings{"hell", "sch\xC3\xB6n"}));  // no line twice in a row
  const auto mode =
      std::filesystem::status(folder_.file("state/januspro/chat_history")).permissions();
  EXPECT_EQ(mode, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);

  const Outcome second =
      chat({{kPrompt, kUp + kUp + "\r"}, {"cut at", ""}, {kPrompt, "/quit\r"}}, few);
  EXPECT_EQ(second.code, 0) << second.err;
  EXPECT_EQ(first.out.substr(0, second.out.size()), second.out);
  EXPECT_GT(first.out.size(), second.out.size());
  EXPECT_EQ(history(), (Strings{"hell", "sch\xC3\xB6n", "hell", "/quit"}));
}

TEST_F(ChatTerminal, AHistoryThatHasGrownIsMadeShorter) {
  std::filesystem::create_directories(folder_.path() / "state/januspro");
  std::ofstream file(folder_.file("state/januspro/chat_history"));
  for (int i = 0; i < 2001; ++i) file << "line " << i << "\n";
  file.close();
  EXPECT_EQ(chat({{kPrompt, "/quit\r"}}).code, 0);
  ASSERT_EQ(history().size(), 1001u);
  EXPECT_EQ(history()[0], "line 1001");
}

TEST_F(ChatTerminal, AHistoryThatCannotBeKeptIsSaid) {
  std::ofstream(folder_.file("state")) << "in the way";
  const Outcome outcome = chat({{kPrompt, "/quit\r"}});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_NE(outcome.err.find("lines are not remembered"), std::string::npos) << outcome.err;
}

TEST_F(ChatTerminal, FileNamesAreCompleted) {
  std::filesystem::copy_file(golden("images/astronaut-64.png"), folder_.file("only one.png"));
  const Outcome outcome = chat({{kPrompt, "/image " + folder_.file("onl") + "\t\r"},
                                {"picture 1", ""},
                                {"(1 picture) > ", kEnd}});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_NE(outcome.err.find("picture 1: " + folder_.file("only one.png") + ", 64 x 64"),
            std::string::npos)
      << outcome.err;
}

TEST_F(ChatTerminal, InterruptAtThePromptClearsTheLine) {
  const Outcome outcome = chat({{kPrompt, "/bogus"},
                                {"/bogus", kInterrupt},
                                {"^C", ""},
                                {kPrompt, kInterrupt},
                                {"^C", ""},
                                {kPrompt, "/quit\r"}});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(outcome.err.find("no command"), std::string::npos) << outcome.err;
  EXPECT_EQ(history(), Strings{"/quit"});
}

TEST_F(ChatTerminal, InterruptStopsTheAnswerAndKeepsTheConversation) {
  setting_.out = folder_.file("out");
  std::ofstream(setting_.out) << "";
  setting_.signal = SIGINT;  // as a terminal sends it
  setting_.until = [&] { return !read_file(setting_.out).empty(); };
  const Outcome outcome = chat({{kPrompt, "hi\r"},
                                {"stopped", ""},
                                {kPrompt, "/save " + folder_.file("a.json") + "\r"},
                                {kPrompt, kEnd}},
                               {"--backend", "ref", "--system", ""}, slow_model());
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  const auto messages = nlohmann::json::parse(read_file(folder_.file("a.json")))["messages"];
  ASSERT_EQ(messages.size(), 2u);
  EXPECT_EQ(messages[0]["text"], "hi");
  const std::string said = messages[1]["text"];
  const Strings shown = lines_of(read_file(setting_.out));
  EXPECT_EQ(said.substr(said.find_first_not_of(" \n")), shown[0]);
  EXPECT_EQ(shown.back(), folder_.file("a.json"));
}

TEST_F(ChatTerminal, InterruptStopsTheDrawingAndLeavesNothing) {
  const Outcome outcome =
      chat({{kPrompt, "/draw a red ball\r"},
            {" codes", kInterrupt},
            {"stopped", ""},
            {kPrompt, "hi\r"},
            {"tokens: ", ""},
            {kPrompt, "/quit\r"}},
           {"--backend", "ref", "--no-preview", "--system", "", "--max-tokens", "1", "--verbose"},
           slow_model());
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(outcome.out.find(".png"), std::string::npos) << outcome.out;
  EXPECT_NE(outcome.err.find("tokens: 10 of the prompt"), std::string::npos) << outcome.err;
  for (const std::string& name : folder_.names()) EXPECT_EQ(name.find(".png"), std::string::npos);
}

TEST_F(ChatTerminal, PicturesGrowAndJoinTheNextQuestion) {
  const Strings flags{"--max-tokens", "4", "--verbose"};
  const std::vector<Input> input{{kPrompt, "/seed 5\r"},
                                 {kPrompt, "/draw blue\r"},
                                 {"(1 picture) > ", "What?\r"},
                                 {"tokens: ", ""},
                                 {kPrompt, "/quit\r"}};
  const Outcome shown = chat(input, flags);
  EXPECT_EQ(shown.code, 0) << shown.err;
  EXPECT_NE(shown.err.find("\033[38;2;"), std::string::npos);
  EXPECT_NE(shown.err.find("\u2580"), std::string::npos);
  EXPECT_EQ(lines_of(shown.out)[0], folder_.file("januspro-5.png"));
  EXPECT_FALSE(std::filesystem::is_empty(folder_.file("cache/januspro")));
  Strings plain = flags;
  plain.push_back("--no-preview");
  EXPECT_EQ(chat(input, plain).err.find("\u2580"), std::string::npos);
}

TEST_F(ChatTerminal, ADumbTerminalWillDo) {
  setting_.environment["TERM"] = "dumb";
  const Outcome outcome =
      chat({{kPrompt, "hello\n"}, {kPrompt, "typed" + kInterrupt}, {kPrompt, kEnd}},
           {"--max-tokens", "5"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(lines_of(outcome.out).size(), 1u);
  EXPECT_FALSE(std::filesystem::exists(folder_.file("state")));
}

// After another window size and after a stop: the line is drawn again and goes on.
TEST_F(ChatTerminal, TheLineIsDrawnAgain) {
  for (const int signal : {SIGWINCH, SIGCONT}) {
    int asked = 0;
    setting_.signal = signal;
    setting_.until = [&] {
      const bool begun = std::filesystem::exists(folder_.file("state/januspro/chat_history"));
      return begun && ++asked > 20;
    };
    const Outcome outcome =
        chat({{kPrompt, "/he"}, {kPrompt + "/he", "lp\r"}, {kPrompt, "/quit\r"}});
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    EXPECT_NE(outcome.out.find("/draw PROMPT"), std::string::npos) << outcome.err;
    std::filesystem::remove_all(folder_.path() / "state");
  }
}

TEST_F(ChatTerminal, TermEndsItAtThePrompt) {
  setting_.signal = SIGTERM;
  setting_.until = [&] {
    return std::filesystem::exists(folder_.file("state/januspro/chat_history"));
  };
  EXPECT_EQ(chat({{"never shown", ""}}).code, 130);
}

}  // namespace
}  // namespace janus
