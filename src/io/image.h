// Pictures in and out: PNG and JPEG by content, not by extension, with limits against decompression
// bombs; PNG out with text chunks. Pixels equal what Pillow's convert("RGB") gives (docs/formats.md
// names the exceptions). EXIF orientation is not applied.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "januspro/image.hpp"

namespace janus {

struct ImageLimits {
  int64_t pixels = 100'000'000;      // larger pictures are refused before they are decoded
  int64_t file_bytes = 512'000'000;  // larger files are refused before they are read
};

// Throw Code::bad_input: not a picture, unsupported kind (named), damaged (also where a lenient
// decoder would fill in grey), past the limits. `name` appears in messages.
Image decode_image(std::span<const std::byte> bytes, const std::string& name,
                   const ImageLimits& limits = {});
Image load_image(const std::filesystem::path& path, const ImageLimits& limits = {});

// Text chunks of a PNG (tEXt, zTXt, iTXt), keyword -> text as UTF-8. Empty for other kinds.
std::map<std::string, std::string> load_png_text(const std::filesystem::path& path);

// PNG bytes with the given iTXt chunks: keywords of 1 to 79 visible ASCII characters, text in
// UTF-8. Throws Code::bad_input for a picture without pixels or a text that PNG cannot hold.
std::vector<std::byte> encode_png(const Image& image,
                                  const std::map<std::string, std::string>& text = {});

}  // namespace janus
