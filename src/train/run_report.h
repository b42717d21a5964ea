// A run as one page for a browser: its curves, what it drew and said at its reports, its recipe.
// The page holds everything it needs and asks nobody. SPDX-License-Identifier: MIT
#pragma once

#include <filesystem>
#include <string>

namespace janus::train {

// HTML of what the journal (journal.h) in `run` tells. A contact sheet that is gone is left out, a
// line that is no JSON too. Throws Code::bad_input where `run` has told nothing.
std::string run_report(const std::filesystem::path& run);

}  // namespace janus::train
