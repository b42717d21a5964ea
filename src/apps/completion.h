// Scripts that complete januspro's command line in a shell, written from the description of its
// verbs. SPDX-License-Identifier: MIT
#pragma once

#include <string>

#include "apps/description.h"

namespace janus {

// To be sourced, or kept as completions/januspro of bash-completion.
std::string bash_completion(const VerbText& program);
// To be kept as _januspro in a folder of $fpath.
std::string zsh_completion(const VerbText& program);
// To be sourced, or kept as januspro.fish in a folder of $fish_complete_path.
std::string fish_completion(const VerbText& program);

}  // namespace janus
