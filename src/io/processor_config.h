// What a checkpoint says about prompts and drawing: processor_config.json, which both layouts have
// with different keys, and what the transformers layout has in generation_config.json and
// config.json. An absent file or key means the reference's default.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace janus {

// How the sides of a conversation are called in a prompt.
struct ChatRoles {
  std::string user, assistant;

  bool operator==(const ChatRoles&) const = default;
};

// How a prompt shows the picture that an instruction changes, and how such edits are guided.
// generate/prompt.h has the ids.
enum class EditLayout {
  none,     // the model was not taught to follow instructions about a picture
  und_gen,  // "und+gen": as it is read, then as codes, a new line, the instruction
  janus_4o  // "janus4o": without the new line, as FreedomIntelligence/Janus-4o-7B
};
std::string_view edit_layout_name(EditLayout layout);  // "none" and those above
std::optional<EditLayout> find_edit_layout(std::string_view name);

struct ProcessorConfig {
  std::optional<std::string> system_prompt;  // of the file; an empty one means none is used
  std::optional<int64_t> image_tokens;       // `num_image_tokens`: per picture in a prompt
  std::optional<float> guidance;             // `guidance_scale` of generation_config.json
  // Ids that the transformers layout states besides its tokenizer: `image_token_id` of config.json
  // and `generation_kwargs.boi_token_id` of generation_config.json. For comparison alone.
  std::optional<int64_t> image_id, boi_id;
  // `roles` {user, assistant}, an extension of this project; those of Janus-1.3B where `sft_format`
  // is "deepseek_old". None: the model's tokenizer shows.
  std::optional<ChatRoles> roles;
  EditLayout edit_layout = EditLayout::none;  // `edit_layout`, an extension of this project
};

// Those of Janus-1.3B: plain words, where Janus-Pro has tokens of its own.
ChatRoles janus_1_3b_roles();

// Throws Code::bad_checkpoint naming file and key when a value has the wrong type.
ProcessorConfig parse_processor_config(std::string_view json, const std::string& name);
// Throws as above for a guidance_scale that is not a finite number.
std::optional<float> parse_generation_config(std::string_view json, const std::string& name);
// All from the files of a directory; all defaults where there are none.
ProcessorConfig load_processor_config(const std::filesystem::path& directory);

}  // namespace janus
