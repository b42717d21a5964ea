// Pictures in and out of JSON: data URLs, formats, sizes. SPDX-License-Identifier: MIT
#pragma once

#include <map>
#include <string>

#include "januspro/image.hpp"
#include "serve/fields.h"

namespace janus::serve {

inline constexpr size_t kMostPictures = 16;  // of one request

// The bytes of a file -> its pixels, upright. Throws `invalid_image`, `image_too_large`.
Image read_picture(std::string_view bytes, const std::string& param, int64_t max_pixels);
// The same of `data:image/png;base64,…`. Throws also `invalid_base64`, `remote_image_refused`.
Image picture_of_url(std::string_view url, const std::string& param, int64_t max_pixels);
// The file that a data URL holds; throws as picture_of_url does.
std::string file_of_url(std::string_view url, const std::string& param);
// The same of base64, with or without `data:…,` in front.
std::string file_of_base64(std::string_view text, const std::string& param);
Image picture_of_base64(std::string_view text, const std::string& param, int64_t max_pixels);

// The bytes of a mask's file (januspro.hpp, decode_mask). Throws as read_picture does.
EditMask read_mask(std::string_view bytes, const std::string& param, int64_t max_pixels);

// How pictures are handed out.
struct PictureForm {
  PictureOptions options = {};
  int width = 0, height = 0;  // 0: as drawn
  bool as_url = false;
  std::string format = "png";
  std::string size_field = "auto";
};

std::string media_type(const std::string& format);

// Resampled where that is asked, as a file with its recipe.
std::string encode(const Image& image, const PictureForm& form,
                   const std::map<std::string, std::string>& text);

}  // namespace janus::serve
