// Text in pages that the trainer writes. SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>

namespace janus::train {

// For HTML and SVG, between tags and in quoted attributes; what is no UTF-8 becomes U+FFFD.
std::string escaped(std::string_view text);

}  // namespace janus::train
