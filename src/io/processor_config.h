// What a checkpoint's processor_config.json says about prompts. Both layouts have the file with
// different keys; an absent file or key means the reference's default.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace janus {

struct ProcessorConfig {
  std::optional<std::string> system_prompt;  // of the file; an empty one means none is used
  std::optional<int64_t> image_tokens;       // `num_image_tokens`: per picture in a prompt
};

// Throws Code::bad_checkpoint naming file and key when a value has the wrong type.
ProcessorConfig parse_processor_config(std::string_view json, const std::string& name);
// The same from `<directory>/processor_config.json`; all defaults when there is no such file.
ProcessorConfig load_processor_config(const std::filesystem::path& directory);

}  // namespace janus
