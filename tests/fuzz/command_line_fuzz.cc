// Any bytes as a command line, arguments between zero bytes: every verb's flags are parsed, nothing
// is run. A command line is accepted or refused as wrong use; what it throws is UsageError alone.
// SPDX-License-Identifier: MIT
#include "apps/command_line.h"

#include <cstdint>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static janus::Interrupt interrupt;
  std::vector<std::string> arguments(1);
  for (size_t i = 0; i < size; ++i) {
    if (data[i] == 0) {
      arguments.emplace_back();
    } else {
      arguments.back().push_back(static_cast<char>(data[i]));
    }
  }
  try {
    janus::CommandLine line(interrupt);
    line.parse(std::move(arguments));
  } catch (const janus::UsageError&) {
    return 0;
  }
  return 0;
}
