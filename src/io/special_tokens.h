// The tokens with a meaning of their own in Janus-Pro, by their strings. Their ids differ between
// checkpoints (1B and 7B are 13 apart) and are always looked up.
// SPDX-License-Identifier: MIT
#pragma once

#include <string_view>

namespace janus {

inline constexpr std::string_view kBosToken = "<｜begin▁of▁sentence｜>";
inline constexpr std::string_view kEosToken = "<｜end▁of▁sentence｜>";
inline constexpr std::string_view kPadToken = "<｜▁pad▁｜>";
inline constexpr std::string_view kBeginImageToken = "<begin_of_image>";
inline constexpr std::string_view kEndImageToken = "<end_of_image>";
inline constexpr std::string_view kImageToken = "<image_placeholder>";
inline constexpr std::string_view kUserToken = "<|User|>";
inline constexpr std::string_view kAssistantToken = "<|Assistant|>";

}  // namespace janus
