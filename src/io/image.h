// Pictures in and out, told apart by content, not by extension, with limits against decompression
// bombs. Pixels equal what Pillow's convert("RGB") gives (docs/formats.md names the exceptions).
// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "januspro/error.hpp"
#include "januspro/image.hpp"

namespace janus {

struct ImageLimits {
  int64_t pixels = 100'000'000;      // larger pictures are refused before they are decoded
  int64_t file_bytes = 512'000'000;  // larger files are refused before they are read
};

// A picture past ImageLimits::pixels, Code::bad_input.
class TooManyPixels : public Error {
 public:
  using Error::Error;
};
// Throws it.
void check_pixels(int64_t width, int64_t height, const std::string& name,
                  const ImageLimits& limits);

// Throw Code::bad_input: not a picture, unsupported kind (named), damaged (also where a lenient
// decoder would fill in grey), past the limits. `name` appears in messages.
// EXIF orientation is not applied.
Image decode_image(std::span<const std::byte> bytes, const std::string& name,
                   const ImageLimits& limits = {});
Image load_image(const std::filesystem::path& path, const ImageLimits& limits = {});

// The same, turned as its EXIF orientation says: how a person sees it.
Image decode_upright(std::span<const std::byte> bytes, const std::string& name,
                     const ImageLimits& limits = {});
Image load_upright(const std::filesystem::path& path, const ImageLimits& limits = {});

// A mask for EditRequest: where the picture is fully transparent; of one without transparency,
// where the mean of the channels is 128 or more.
EditMask white_mask(const Image& image);  // the latter
EditMask decode_mask_upright(std::span<const std::byte> bytes, const std::string& name,
                             const ImageLimits& limits = {});
EditMask load_mask_upright(const std::filesystem::path& path, const ImageLimits& limits = {});

// Text that a picture carries, keyword -> text as UTF-8: the text chunks of a PNG (tEXt, zTXt,
// iTXt), and the EXIF user comment of a PNG, JPEG or WebP as kCommentKey.
std::map<std::string, std::string> load_picture_text(const std::filesystem::path& path);
inline constexpr const char* kCommentKey = "parameters";

// Throws Code::bad_input when a picture of this size does not fit in the format.
void check_fits(int width, int height, PictureFormat format);

// A picture as a file. A PNG takes any texts as iTXt chunks (keywords of 1 to 79 visible ASCII
// characters, text in UTF-8); JPEG and WebP take one under kCommentKey, as EXIF user comment.
// Throws Code::bad_input for a picture without pixels, a quality outside 1 to 100 or given for a
// PNG, and for a text or size that the format cannot hold.
std::vector<std::byte> encode_image(const Image& image,
                                    const std::map<std::string, std::string>& text = {},
                                    const PictureOptions& options = {});

}  // namespace janus
