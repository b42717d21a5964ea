// Which files make a checkpoint: the one place that decides what is fetched and what a folder
// lacks. SPDX-License-Identifier: MIT
#pragma once

#include <filesystem>
#include <set>
#include <string>
#include <vector>

namespace janus {

// Those of a repository's file names that are needed, sorted: config, tokenizer, processor files
// and one set of weights, in the order of preference of io/checkpoint_files. Throws
// Code::not_supported naming `repo` when a needed one is not there.
std::vector<std::string> needed_files(const std::set<std::string>& names, const std::string& repo);

// What a directory lacks for being a whole checkpoint, in the order of importance; empty: nothing.
std::vector<std::string> missing_files(const std::filesystem::path& dir);

}  // namespace janus
