// The command line of januspro: every verb with its flags, parsed without being run. Variables of
// the environment change the defaults of the verb that is called (environment.h).
// SPDX-License-Identifier: MIT
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <utility>
#include <vector>

#include "apps/command.h"

namespace janus {

class CommandLine {
 public:
  explicit CommandLine(Interrupt& interrupt);
  CommandLine(const CommandLine&) = delete;
  CommandLine& operator=(const CommandLine&) = delete;

  const CLI::App& app() const { return app_; }
  // Reads the arguments, the program's name not among them, once. Returns what they ask for: to run
  // a verb, or to print help or the version. Throws UsageError.
  Run parse(std::vector<std::string> arguments);

 private:
  void prepare(CLI::App& app);
  std::string with_defaults(std::string message) const;

  CLI::App app_;
  std::vector<std::pair<CLI::App*, Run>> verbs_;
  std::vector<std::string> defaults_;  // "JANUSPRO_SEED=7" where such a variable is set
};

}  // namespace janus
