// PNG through libpng: pixels, text chunks, and writing. Which file is a PNG is decided in io/image.
// SPDX-License-Identifier: MIT
#pragma once

#include <map>
#include <span>
#include <string>
#include <vector>

#include "io/image.h"

namespace janus {

// Pixels as 8-bit RGB: grey spread, palette looked up, alpha and transparency dropped, of 16 bits
// the high byte, gamma and profiles ignored. Throws as decode_image does.
Image decode_png(std::span<const std::byte> bytes, const std::string& name,
                 const ImageLimits& limits);

std::map<std::string, std::string> read_png_text(std::span<const std::byte> bytes,
                                                 const std::string& name);

}  // namespace janus
