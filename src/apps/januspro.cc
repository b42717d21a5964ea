// The verbs of januspro. Each is one file beside this one; a new one is a line here, and is then in
// the help, in the shells' completion, in the manual and among the environment's variables.
// SPDX-License-Identifier: MIT
#include "apps/command_line.h"
#include "kernels/open.h"

namespace janus {

namespace {

std::string version_text() {
  std::string text = "januspro " + version() + "\nbackends:";
  for (const std::string& name : available_backends()) text += " " + name;
  return text + "\ninstruction set: " + open_backend("cpu", 1)->name() + "\n";
}

}  // namespace

CommandLine::CommandLine(Interrupt& interrupt)
    : app_("Draws pictures and answers questions about them with Janus-Pro.", "januspro") {
  app_.require_subcommand(1);
  app_.footer(
      "Every option is also a variable of the environment that changes its default: --top-k is\n"
      "JANUSPRO_TOP_K, or JANUSPRO_DRAW_TOP_K for draw alone.\n\n"
      "Example:\n  januspro draw 'a red ball on a green field' -o ball.png\n"
      "januspro VERB --help explains a verb.");
  app_.set_version_flag("-v,--version", version_text, "Version, backends, instruction set");
  const auto add = [&](const char* name, const char* about, auto add_flags) {
    CLI::App* verb = app_.add_subcommand(name, about);
    verbs_.emplace_back(verb, add_flags(*verb, interrupt));
  };
  add("draw", "Draw pictures of prompts", janus::add_draw);
  add("edit", "Redraw part of a picture", janus::add_edit);
  add("ask", "Ask a question about any number of pictures", janus::add_ask);
  add("chat", "A conversation in the terminal, with pictures read and drawn", janus::add_chat);
  add("serve", "The model over HTTP: OpenAI's and A1111's interfaces, and a page",
      janus::add_serve);
  add("info", "What is in a checkpoint, and the memory it takes", janus::add_info);
  add("trace", "Named tensors of one pass, for comparing with another implementation",
      janus::add_trace);
  add("convert", "A checkpoint in another form: .gguf, or a directory of either layout",
      janus::add_convert);
  add("random-model", "Write a checkpoint with random weights", janus::add_random_model);
  add("bench", "Measure speed, beside what this machine could reach", janus::add_bench);
  add("eval", "Score a model on a suite with exact verdicts", janus::add_eval);
  add("pull", "Fetch a model from the Hub", janus::add_pull);
  add("list", "Which models have been pulled", janus::add_list);
  add("rm", "Remove pulled models", janus::add_rm);
  add("doctor", "Whether this machine, this program and a model work", janus::add_doctor);
  add("completion", "Completion of a shell's command line", janus::add_completion);
  add("manual", "The manual pages", janus::add_manual);
  prepare(app_);
}

}  // namespace janus
