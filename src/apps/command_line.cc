// See command_line.h; the verbs themselves are named in januspro.cc. SPDX-License-Identifier: MIT
#include "apps/command_line.h"

#include <algorithm>

#include "apps/brackets.h"
#include "apps/environment.h"

namespace janus {

namespace {

std::string without_marks(std::string message) {
  std::erase(message, kBracketMark);
  return message;
}

}  // namespace

void CommandLine::prepare(CLI::App& app) {
  for (CLI::Option* option : app.get_options()) option->transform(show_bracket);
  for (CLI::App* verb : app.get_subcommands([](const CLI::App*) { return true; })) {
    prepare(*verb);
    verb->preparse_callback([this, verb](size_t) {
      for (std::string& taken : take_defaults(*verb)) defaults_.push_back(std::move(taken));
    });
  }
}

// Who has forgotten what the environment says would not find the reason on the command line.
std::string CommandLine::with_defaults(std::string message) const {
  if (defaults_.empty()) return message;
  message += "\nDefaults from the environment:";
  for (const std::string& one : defaults_) message += " " + one;
  return message;
}

Run CommandLine::parse(std::vector<std::string> arguments) {
  for (std::string& argument : arguments) argument = hide_bracket(std::move(argument));
  std::reverse(arguments.begin(), arguments.end());  // CLI11 wants the first one last
  try {
    app_.parse(std::move(arguments));
  } catch (const CLI::CallForHelp&) {
    const CLI::App* asked = &app_;
    while (!asked->get_subcommands().empty()) asked = asked->get_subcommands().back();
    return [asked] { print(asked->help()); };
  } catch (const CLI::CallForVersion& version) {
    return [text = std::string(version.what())] { print(text); };
  } catch (const CLI::Error& error) {
    throw UsageError(with_defaults(without_marks(error.what())));
  }
  for (const auto& [verb, work] : verbs_) {
    if (!verb->parsed()) continue;
    return [this, work = work] {
      try {
        work();
      } catch (const UsageError& error) {
        throw UsageError(with_defaults(error.what()));
      }
    };
  }
  throw UsageError("a verb is missing");
}

}  // namespace janus
