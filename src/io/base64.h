// Base64 (RFC 4648), and pictures in data URLs. SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace janus {

std::string to_base64(std::span<const std::byte> bytes);
std::string to_base64(std::string_view file);
// Nothing for what is no base64: padding may lack, line breaks are passed over.
std::optional<std::string> from_base64(std::string_view text);

}  // namespace janus
