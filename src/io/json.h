// JSON files of a checkpoint, read with limits: size, depth, and no key twice. What the keys mean
// is the caller's business. SPDX-License-Identifier: MIT
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

namespace janus {

// Throws Code::bad_checkpoint naming `where` and the place: not JSON, nested deeper than 64, a key
// that appears twice in one object.
nlohmann::json parse_json(const std::string& text, const std::string& where);

// The same for a file of at most `limit` bytes; says so when a Git LFS pointer lies in its place.
nlohmann::json read_json(const std::filesystem::path& path, int64_t limit = 64'000'000);

// Whether these first bytes of a file are a Git LFS pointer, and the sentence that says so.
bool is_lfs_pointer(std::string_view head);
[[noreturn]] void fail_lfs_pointer(const std::filesystem::path& path);

}  // namespace janus
