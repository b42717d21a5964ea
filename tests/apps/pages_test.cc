// Completion and manual: they name every verb and option, shells take the scripts and complete with
// them, and the pages are well-formed. SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <fstream>
#include <set>

#include "apps/command_line.h"
#include "apps/completion.h"
#include "apps/manual.h"
#include "program.h"

namespace janus {
namespace {

VerbText program() {
  Interrupt interrupt;
  return describe(CommandLine(interrupt).app());
}

// Whether a program of this machine is there; a test that needs it is skipped with that reason.
bool has_program(const std::string& name) {
  return run_program({"-c", "command -v " + name}, {.program = "/bin/sh"}).code == 0;
}

std::string run_shell(const std::string& shell, const std::string& script) {
  const Outcome outcome =
      run_program({"-c", "exec " + shell + " -c \"$0\"", script}, {.program = "/bin/sh"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(outcome.err, "");
  return outcome.out;
}

class Completion : public ::testing::Test {
 protected:
  // The script of a shell as a file.
  std::string script(const std::string& shell) const {
    const Outcome outcome = run_program({"completion", shell});
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    std::ofstream(folder_.file(shell)) << outcome.out;
    return folder_.file(shell);
  }
  const Folder folder_;
};

TEST_F(Completion, NamesEveryVerbAndOption) {
  const VerbText root = program();
  const std::string scripts[] = {bash_completion(root), zsh_completion(root),
                                 fish_completion(root)};
  for (const VerbText* verb : all_verbs(root)) {
    for (const std::string& text : scripts) {
      EXPECT_NE(text.find(verb->last_word()), std::string::npos) << verb->words;
    }
    for (const OptionText& option : verb->options) {
      for (const std::string& name : option.names) {
        for (const std::string& text : {scripts[0], scripts[1]}) {
          EXPECT_NE(text.find(name), std::string::npos) << name;
        }
        if (name.starts_with("--")) {
          EXPECT_NE(scripts[2].find(" -l " + name.substr(2)), std::string::npos) << name;
        }
      }
    }
  }
}

TEST_F(Completion, BashCompletes) {
  const std::string file = script("bash");
  // The last word is the one being typed.
  const auto offers = [&](const std::string& words) {
    return run_shell("bash", "source " + file + "; COMP_WORDS=(januspro " + words +
                                 "); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _januspro; "
                                 "echo \"${COMPREPLY[*]}\"");
  };
  EXPECT_EQ(offers("dr"), "draw\n");
  EXPECT_EQ(offers("draw --dev"), "--device\n");
  EXPECT_EQ(offers("draw --device c"), "cpu cuda\n");
  EXPECT_EQ(offers("draw --seed ''"), "\n");
  EXPECT_EQ(offers("draw 'a ball' --negative-"), "--negative-prompt\n");
  EXPECT_EQ(offers("trace e"), "encode\n");
  EXPECT_EQ(offers("trace ask --raw"), "--raw-ids\n");
  EXPECT_EQ(offers("ask --raw"), "\n");
  EXPECT_EQ(offers("completion z"), "zsh\n");
  EXPECT_NE(offers("''").find("random-model"), std::string::npos);
}

TEST_F(Completion, ZshTakesTheScript) {
  if (!has_program("zsh")) GTEST_SKIP() << "zsh is not installed";
  const std::string file = script("zsh");
  const std::string shown = run_shell(
      "zsh", "autoload -U compinit; compinit -u -d " + folder_.file("dump") + "; source " + file +
                 "; print $_comps[januspro]; "
                 "typeset -f _januspro_trace_ask | grep -c -- --raw-ids");
  EXPECT_EQ(shown, "_januspro\n1\n");
}

TEST_F(Completion, FishCompletes) {
  if (!has_program("fish")) GTEST_SKIP() << "fish is not installed";
  const std::string file = script("fish");
  const auto offers = [&](const std::string& line) {
    return run_shell("env HOME=" + folder_.path().string() + " fish",
                     "source " + file + "; complete -C '" + line + "'");
  };
  EXPECT_EQ(offers("januspro dr"), "draw\tDraw pictures of prompts\n");
  EXPECT_EQ(offers("januspro draw --devi"), "--device\tWhere to compute\n");
  EXPECT_EQ(offers("januspro draw --device cu"), "cuda\tWhere to compute\n");
  EXPECT_EQ(offers("januspro trace ask --raw"),
            "--raw-ids\tJSON list of input ids, instead of a question\n");
  EXPECT_EQ(offers("januspro ask --raw"), "");
}

TEST(Manual, EveryPageIsWhole) {
  const VerbText root = program();
  const Folder folder;
  const Outcome outcome = run_program({"manual", "-o", folder.file("man1")});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  for (const VerbText* verb : all_verbs(root)) {
    const std::string path = folder.file("man1/" + manual_file(*verb));
    EXPECT_NE(outcome.out.find(path + "\n"), std::string::npos) << path;
    const std::string page = read_file(path);
    EXPECT_EQ(page, manual_page(*verb, root));
    for (const char* section :
         {".TH JANUSPRO", ".SH NAME", ".SH SYNOPSIS", ".SH DESCRIPTION", ".SH OPTIONS",
          ".SH EXAMPLES", ".SH ENVIRONMENT", ".SH EXIT STATUS", ".SH SEE ALSO"}) {
      EXPECT_NE(page.find(section), std::string::npos) << verb->words << section;
    }
    for (const std::string& line : lines_of(page)) {
      EXPECT_FALSE(line.empty()) << verb->words;
      if (line[0] != '.') continue;
      const std::string word = line.substr(0, line.find(' '));
      EXPECT_TRUE(std::set<std::string>({".\\\"", ".TH", ".SH", ".TP", ".PP", ".nf", ".fi", ".sp"})
                      .contains(word))
          << line;
    }
  }
  EXPECT_EQ(run_program({"manual", "trace", "ask"}).out,
            read_file(folder.file("man1/januspro-trace-ask.1")));
  EXPECT_EQ(run_program({"manual"}).out, read_file(folder.file("man1/januspro.1")));
  EXPECT_EQ(run_program({"manual", "paint"}).code, 2);
  EXPECT_EQ(run_program({"manual", "draw", "-o", folder.file("x")}).code, 2);
}

TEST(Manual, TextIsShownAsItIs) {
  VerbText verb;
  verb.words = "x";
  verb.about = "it's `a\\b` - ~^";
  verb.notes = ".SH NO\n\n'no\nyes.";
  const std::string page = manual_page(verb, verb);
  EXPECT_NE(page.find("\nit\\(aqs \\(gaa\\eb\\(ga \\- \\(ti\\(ha.\n"), std::string::npos) << page;
  EXPECT_NE(page.find("\n\\&.SH NO\n.sp\n\\&\\(aqno\nyes.\n"), std::string::npos) << page;
}

TEST(Manual, TheFormatsOwnCheckerFindsNothing) {
  if (!has_program("mandoc")) GTEST_SKIP() << "mandoc is not installed";
  const Folder folder;
  ASSERT_EQ(run_program({"manual", "-o", folder.file("man1")}).code, 0);
  const Outcome lint = run_program(
      {"-c", "mandoc -T lint -W warning " + folder.file("man1") + "/*.1"}, {.program = "/bin/sh"});
  std::string complaints;
  for (const std::string& line : lines_of(lint.out)) {
    if (line.find("missing date") == std::string::npos) complaints += line + "\n";
  }
  EXPECT_EQ(complaints, "");
  const Outcome shown = run_program(
      {"-c", "mandoc -T ascii " + folder.file("man1/januspro-draw.1")}, {.program = "/bin/sh"});
  EXPECT_NE(shown.out.find("januspro draw 'a red ball on a green field' -n 4"), std::string::npos)
      << shown.out;
}

}  // namespace
}  // namespace janus
