// A model for the mirror, options without patience, and looks at the cache.
// SPDX-License-Identifier: MIT
#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "hub/mirror.h"
#include "hub/options.h"
#include "hub/pull.h"
#include "io/file.h"
#include "io/temp_dir.h"

namespace janus {

const std::string kRepo = "org/tiny";
const std::string kCommit = "0123456789abcdef0123456789abcdef01234567";
const std::string kNewCommit = "76543210fedcba9876543210fedcba9876543210";

// Bytes without a pattern, the same every time.
inline std::string noise(size_t size, uint32_t seed) {
  std::string bytes(size, '\0');
  for (char& byte : bytes) {
    seed = seed * 1664525 + 1013904223;
    byte = static_cast<char>(seed >> 24);
  }
  return bytes;
}

inline MirrorFiles tiny_model(size_t weight_bytes = 300'000) {
  return {{"config.json", {R"({"model_type": "janus"})"}},
          {"tokenizer.json", {R"({"model": {}})"}},
          {"preprocessor_config.json", {"{}"}},
          {"README.md", {"# A model"}},
          {"images/teaser.png", {noise(50'000, 1), true}},
          {"pytorch_model.bin", {noise(weight_bytes, 2), true}},
          {"model.safetensors", {noise(weight_bytes, 3), true}}};
}

inline HubOptions quick(const Mirror& mirror, const TempDir& dir) {
  HubOptions options;
  options.cache = dir / "hub";
  options.endpoint = mirror.url();
  options.first_pause = std::chrono::milliseconds(1);
  return options;
}

inline std::filesystem::path model_folder(const TempDir& dir) {
  return dir / "hub/models--org--tiny";
}

// Every file and link below a folder: its path -> its bytes, or `-> TARGET`.
inline std::map<std::string, std::string> tree_of(const std::filesystem::path& folder) {
  std::map<std::string, std::string> found;
  if (!std::filesystem::exists(folder)) return found;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    const std::string name = entry.path().lexically_relative(folder).string();
    if (entry.is_symlink()) {
      found[name] = "-> " + std::filesystem::read_symlink(entry.path()).string();
    } else if (entry.is_regular_file()) {
      found[name] = read_text(entry.path());
    }
  }
  return found;
}

// Pulls org/tiny; what is said meanwhile is added to `said`.
inline Pulled pull_tiny(const HubOptions& options, std::string* said = nullptr,
                        const std::string& revision = "") {
  PullEvents events;
  if (said) events.log = [said](const std::string& line) { *said += line + "\n"; };
  return pull_model({kRepo, revision}, options, events);
}

}  // namespace janus
