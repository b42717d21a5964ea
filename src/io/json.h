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

// The same for a file of at most `limit` bytes; says so when something else lies in its place
// (mishap.h).
nlohmann::json read_json(const std::filesystem::path& path, int64_t limit = 64'000'000);

}  // namespace janus
