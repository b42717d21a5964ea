// See processor_config.h. Keys: transformers' JanusProcessor (`use_default_system_prompt`) and the
// official VLChatProcessor, whose class holds the system prompt unless the file replaces it.
// SPDX-License-Identifier: MIT
#include "io/processor_config.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "base/error.h"
#include "io/json.h"

namespace janus {

namespace {

using Json = nlohmann::json;

std::optional<ChatRoles> roles_from(const Json& root, const std::string& name) {
  if (const auto found = root.find("roles"); found != root.end() && !found->is_null()) {
    const auto role = [&](const char* side) {
      const bool there = found->is_object() && found->contains(side) && (*found)[side].is_string();
      const std::string text = there ? (*found)[side].get<std::string>() : std::string();
      check(!text.empty(), Code::bad_checkpoint, name, ": roles.", side,
            " is not a text; give {\"user\": …, \"assistant\": …} or leave roles out");
      return text;
    };
    return ChatRoles{role("user"), role("assistant")};
  }
  // (deepseek-ai/Janus, janus/utils/conversation.py)
  const auto format = root.find("sft_format");
  if (format != root.end() && *format == "deepseek_old") return janus_1_3b_roles();
  return std::nullopt;
}

ProcessorConfig from_json(const Json& root, const std::string& name) {
  ProcessorConfig config;
  check(root.is_object(), Code::bad_checkpoint, name, " is not a JSON object");
  if (const auto found = root.find("use_default_system_prompt"); found != root.end()) {
    check(found->is_boolean(), Code::bad_checkpoint, name,
          ": use_default_system_prompt is neither true nor false");
    if (!found->get<bool>()) config.system_prompt = "";
  }
  if (const auto found = root.find("system_prompt"); found != root.end()) {
    check(found->is_string(), Code::bad_checkpoint, name, ": system_prompt is not a string");
    config.system_prompt = found->get<std::string>();
  }
  if (const auto found = root.find("num_image_tokens"); found != root.end()) {
    constexpr int64_t kMost = 1 << 24;
    check(found->is_number_unsigned() && found->get<uint64_t>() > 0 &&
              found->get<uint64_t>() <= kMost,
          Code::bad_checkpoint, name, ": num_image_tokens is ", found->dump(),
          "; it must be a whole number from 1 to ", kMost);
    config.image_tokens = found->get<int64_t>();
  }
  config.roles = roles_from(root, name);
  if (const auto found = root.find("edit_layout"); found != root.end() && !found->is_null()) {
    const auto layout =
        found->is_string() ? find_edit_layout(found->get<std::string>()) : std::nullopt;
    check(layout.has_value(), Code::bad_checkpoint, name, ": edit_layout is ", found->dump(),
          "; it must be \"und+gen\", \"janus4o\" or \"none\"");
    config.edit_layout = *layout;
  }
  return config;
}

std::optional<float> guidance_from(const Json& root, const std::string& name) {
  check(root.is_object(), Code::bad_checkpoint, name, " is not a JSON object");
  const auto found = root.find("guidance_scale");
  if (found == root.end() || found->is_null()) return std::nullopt;
  check(found->is_number() && std::isfinite(found->get<float>()), Code::bad_checkpoint, name,
        ": guidance_scale is ", found->dump(), "; it must be a finite number");
  return found->get<float>();
}

// An id, where there is one.
std::optional<int64_t> id_from(const Json& root, const char* key) {
  const auto found = root.find(key);
  if (found == root.end() || !found->is_number_unsigned()) return std::nullopt;
  return static_cast<int64_t>(std::min<uint64_t>(found->get<uint64_t>(), INT64_MAX));
}

constexpr std::array<std::pair<EditLayout, std::string_view>, 3> kLayouts = {
    {{EditLayout::none, "none"},
     {EditLayout::und_gen, "und+gen"},
     {EditLayout::janus_4o, "janus4o"}}};

}  // namespace

std::string_view edit_layout_name(EditLayout layout) {
  return kLayouts[static_cast<size_t>(layout)].second;
}

std::optional<EditLayout> find_edit_layout(std::string_view name) {
  for (const auto& [layout, known] : kLayouts) {
    if (name == known) return layout;
  }
  return std::nullopt;
}

ChatRoles janus_1_3b_roles() { return {"User", "Assistant"}; }

ProcessorConfig parse_processor_config(std::string_view json, const std::string& name) {
  return from_json(parse_json(std::string(json), name), name);
}

std::optional<float> parse_generation_config(std::string_view json, const std::string& name) {
  return guidance_from(parse_json(std::string(json), name), name);
}

ProcessorConfig load_processor_config(const std::filesystem::path& directory) {
  ProcessorConfig config;
  const std::filesystem::path path = directory / "processor_config.json";
  if (std::filesystem::exists(path)) config = from_json(read_json(path), path.string());
  const std::filesystem::path generation = directory / "generation_config.json";
  if (std::filesystem::exists(generation)) {
    const Json root = read_json(generation);
    config.guidance = guidance_from(root, generation.string());
    if (const auto more = root.find("generation_kwargs"); more != root.end()) {
      config.boi_id = id_from(*more, "boi_token_id");
    }
  }
  const std::filesystem::path sizes = directory / "config.json";
  if (std::filesystem::exists(sizes)) config.image_id = id_from(read_json(sizes), "image_token_id");
  return config;
}

}  // namespace janus
