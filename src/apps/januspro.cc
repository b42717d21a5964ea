// januspro: the one program a user needs. Reads the command line, runs the verb, and turns what
// went wrong into a line on stderr and an exit code. Each verb is one file beside this one.
// SPDX-License-Identifier: MIT
#include <CLI/CLI.hpp>
#include <exception>
#include <new>
#include <string>
#include <utility>
#include <vector>

#include "apps/command.h"
#include "base/error.h"
#include "kernels/open.h"

namespace {

enum Exit { kDone = 0, kFailed = 1, kWrongUse = 2, kInterrupted = 130 };

std::string version_text() {
  std::string text = "januspro " + janus::version() + "\nbackends:";
  for (const std::string& name : janus::available_backends()) text += " " + name;
  return text + "\ninstruction set: " + janus::open_backend("cpu", 1)->name() + "\n";
}

// Parses and runs; whatever fails is thrown.
int run(int argc, char** argv, janus::Interrupt& interrupt) {
  CLI::App app("Draws pictures and answers questions about them with Janus-Pro.", "januspro");
  app.require_subcommand(1);
  app.footer(
      "Example:\n  januspro draw 'a red ball on a green field' -o ball.png\n"
      "januspro VERB --help explains a verb.");
  app.set_version_flag("--version", version_text, "Version, backends, instruction set");
  std::vector<std::pair<CLI::App*, janus::Run>> verbs;
  const auto add = [&](const char* name, const char* about, auto add_flags) {
    CLI::App* verb = app.add_subcommand(name, about);
    verbs.emplace_back(verb, add_flags(*verb, interrupt));
  };
  add("draw", "Draw pictures of prompts", janus::add_draw);
  add("ask", "Ask a question about any number of pictures", janus::add_ask);
  add("chat", "A conversation in the terminal, with pictures read and drawn", janus::add_chat);
  add("info", "What is in a checkpoint, and the memory it takes", janus::add_info);
  add("trace", "Named tensors of one pass, for comparing with another implementation",
      janus::add_trace);
  add("convert", "A checkpoint in another form: .gguf, or a directory of either layout",
      janus::add_convert);
  add("random-model", "Write a checkpoint with random weights", janus::add_random_model);
  add("bench", "Measure speed, beside what this machine could reach", janus::add_bench);
  add("pull", "Fetch a model from the Hub", janus::add_pull);
  add("list", "Which models have been pulled", janus::add_list);
  add("rm", "Remove pulled models", janus::add_rm);
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    const CLI::App* asked = &app;
    while (!asked->get_subcommands().empty()) asked = asked->get_subcommands().back();
    janus::print(asked->help());
    return kDone;
  } catch (const CLI::CallForVersion&) {
    janus::print(version_text());
    return kDone;
  } catch (const CLI::ParseError& error) {
    throw janus::UsageError(error.what());
  }
  for (const auto& [verb, work] : verbs) {
    if (verb->parsed()) work();
  }
  return kDone;
}

}  // namespace

int main(int argc, char** argv) {
  janus::Interrupt interrupt;
  try {
    return run(argc, argv, interrupt);
  } catch (const janus::UsageError& error) {
    janus::say(std::string("januspro: ") + error.what() +
               "\nTry januspro --help, or januspro VERB --help.");
    return kWrongUse;
  } catch (const janus::Error& error) {
    janus::say(std::string("januspro: ") + error.what());
    return error.code() == janus::Code::cancelled ? kInterrupted : kFailed;
  } catch (const std::bad_alloc&) {
    janus::say("januspro: out of memory; draw fewer pictures at once, or use a smaller model");
    return kFailed;
  } catch (const std::exception& error) {
    janus::say(std::string("januspro: ") + error.what());
    return kFailed;
  }
}
