// What a checkpoint says about prompts and drawing: processor_config.json, which both layouts have
// with different keys, and the transformers layout's generation_config.json. An absent file or key
// means the reference's default.
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
  std::optional<float> guidance;             // `guidance_scale` of generation_config.json
};

// Throws Code::bad_checkpoint naming file and key when a value has the wrong type.
ProcessorConfig parse_processor_config(std::string_view json, const std::string& name);
// Throws as above for a guidance_scale that is not a finite number.
std::optional<float> parse_generation_config(std::string_view json, const std::string& name);
// Both from the files of a directory; all defaults where there are none.
ProcessorConfig load_processor_config(const std::filesystem::path& directory);

}  // namespace janus
