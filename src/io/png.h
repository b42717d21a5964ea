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

// How opaque each pixel is, 0 to 255, from an alpha channel or transparency; empty where the PNG
// has neither. Throws as decode_png does.
std::vector<uint8_t> decode_png_alpha(std::span<const std::byte> bytes, const std::string& name,
                                      const ImageLimits& limits);

std::map<std::string, std::string> read_png_text(std::span<const std::byte> bytes,
                                                 const std::string& name);

// The EXIF block of a PNG; empty when there is none. Never throws.
std::span<const std::byte> png_exif(std::span<const std::byte> bytes);

// PNG bytes with the given iTXt chunks: keywords of 1 to 79 visible ASCII characters, text in
// UTF-8. Throws Code::bad_input for a text that PNG cannot hold.
std::vector<std::byte> encode_png(const Image& image,
                                  const std::map<std::string, std::string>& text);

}  // namespace janus
