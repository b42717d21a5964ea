// Pictures in and out of JSON: data URLs, formats, sizes. SPDX-License-Identifier: MIT
#pragma once

#include <map>
#include <string>

#include "januspro/image.hpp"
#include "serve/fields.h"

namespace janus::serve {

// The bytes of a file -> its pixels, upright. Throws `invalid_image`, `image_too_large`.
Image read_picture(std::string_view bytes, const std::string& param, int64_t max_pixels);
// The same of `data:image/png;base64,…`. Throws also `invalid_base64`, `remote_image_refused`.
Image picture_of_url(std::string_view url, const std::string& param, int64_t max_pixels);
// The same of base64, with or without `data:…,` in front.
Image picture_of_base64(std::string_view text, const std::string& param, int64_t max_pixels);

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
