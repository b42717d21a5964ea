// Options as variables of the environment: JANUSPRO_TOP_K=40 is a default of --top-k for every verb
// that has it, JANUSPRO_DRAW_TOP_K for one verb, and goes before it. What the command line says
// goes before both. SPDX-License-Identifier: MIT
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace janus {

// The variables of an option, the first that is set counts; none for --help and for what has no
// long name. JANUSPRO_MODEL and JANUSPRO_ISA are not among them: they hold for all verbs and are
// read where the model and the instruction set are chosen.
std::vector<std::string> variables_of(const CLI::App& verb, const CLI::Option& option);

// Changes the verb's defaults to what variables say, and returns these as NAME=value. Throws
// UsageError naming the variable whose value the option does not take.
std::vector<std::string> take_defaults(CLI::App& verb);

}  // namespace janus
