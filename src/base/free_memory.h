// How much memory this process may still take: what the system calls available, or less where a
// control group allows less. Told at the time of the question; others take memory as well.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

namespace janus {

// Bytes that may be taken without the system having to end a process: MemAvailable, or what the
// process's control group or one around it (version 1 or 2) leaves; pages of files count as free,
// since they are given back. Nothing where the system does not say. `root` is where proc and sys
// are found.
std::optional<int64_t> free_memory(const std::filesystem::path& root = "/");

// "4.18 GB", "12.0 MB", "3.5 kB"
std::string size_text(int64_t bytes);

}  // namespace janus
