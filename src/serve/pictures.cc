// SPDX-License-Identifier: MIT
#include "serve/pictures.h"

#include "io/base64.h"
#include "io/image.h"
#include "io/resize.h"

namespace janus::serve {

namespace {

std::string from_text(std::string_view text, const std::string& param) {
  auto bytes = from_base64(text);
  if (!bytes || bytes->empty()) {
    throw Refusal(400, "invalid_base64",
                  param + " is not base64; encode the picture's file with it", param);
  }
  return std::move(*bytes);
}

// What a reader of pictures makes of them, with its errors as the client's.
template <class Read>
auto read_as(const Read& read, std::string_view bytes, const std::string& param,
             int64_t max_pixels) {
  ImageLimits limits;
  limits.pixels = max_pixels;
  try {
    return read(std::as_bytes(std::span(bytes.data(), bytes.size())), param, limits);
  } catch (const TooManyPixels& error) {
    throw Refusal(400, "image_too_large", error.what(), param);
  } catch (const Error& error) {
    if (error.code() != Code::bad_input && error.code() != Code::not_supported) throw;
    throw Refusal(400, "invalid_image", error.what(), param);
  }
}

}  // namespace

Image read_picture(std::string_view bytes, const std::string& param, int64_t max_pixels) {
  return read_as(decode_upright, bytes, param, max_pixels);
}

EditMask read_mask(std::string_view bytes, const std::string& param, int64_t max_pixels) {
  return read_as(decode_mask_upright, bytes, param, max_pixels);
}

std::string file_of_url(std::string_view url, const std::string& param) {
  if (url.starts_with("data:")) {
    const size_t comma = url.find(',');
    if (comma == url.npos || !url.substr(0, comma).ends_with(";base64")) {
      throw Refusal(400, "invalid_base64",
                    param + " must be data:image/png;base64,… (or another kind of picture)", param);
    }
    return from_text(url.substr(comma + 1), param);
  }
  if (url.starts_with("http://") || url.starts_with("https://") || url.starts_with("file:")) {
    throw Refusal(400, "remote_image_refused",
                  param +
                      " names a picture elsewhere, and this server fetches none (--allow-fetch); "
                      "send it as a data URL (data:image/png;base64,…)",
                  param);
  }
  throw Refusal(400, "invalid_value", param + " must be a data URL (data:image/png;base64,…)",
                param);
}

Image picture_of_url(std::string_view url, const std::string& param, int64_t max_pixels) {
  return read_picture(file_of_url(url, param), param, max_pixels);
}

std::string file_of_base64(std::string_view text, const std::string& param) {
  return text.starts_with("data:") ? file_of_url(text, param) : from_text(text, param);
}

Image picture_of_base64(std::string_view text, const std::string& param, int64_t max_pixels) {
  return read_picture(file_of_base64(text, param), param, max_pixels);
}

std::string media_type(const std::string& format) { return "image/" + format; }

std::string encode(const Image& image, const PictureForm& form,
                   const std::map<std::string, std::string>& text) {
  const bool as_drawn =
      form.width == 0 || (form.width == image.width && form.height == image.height);
  const std::vector<std::byte> bytes = encode_image(
      as_drawn ? image : cover_lanczos(image, form.width, form.height), text, form.options);
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace janus::serve
