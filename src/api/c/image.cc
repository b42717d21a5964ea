// SPDX-License-Identifier: MIT
#include "api/c/image.h"

#include <cstdlib>
#include <cstring>
#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "api/c/guard.h"
#include "api/c/struct.h"
#include "januspro/januspro.hpp"

namespace janus::c {

namespace {

struct OwnedImage : januspro_image {
  Image held;
};

// A picture as a file of the given format, else of the one that the options name.
std::vector<std::byte> encode(const januspro_image* image, const januspro_encode_options* given,
                              const PictureFormat* by_name) {
  const januspro_encode_options defaults{};
  januspro_encode_options options;
  options = given ? read_struct(given, "encode_options", defaults) : defaults;
  check(options.format >= JANUSPRO_PNG && options.format <= JANUSPRO_WEBP, Code::bad_input,
        "format ", options.format, " is none of januspro_format");
  PictureOptions made;
  made.format = by_name ? *by_name : static_cast<PictureFormat>(options.format);
  made.quality = options.quality;
  std::map<std::string, std::string> text;
  if (options.parameters) text["parameters"] = options.parameters;
  return encode_picture(read_image(image), text, made);
}

}  // namespace

Image read_image(const januspro_image* given) {
  const januspro_image view = read_struct(given, "image", januspro_image{});
  check(view.width > 0 && view.height > 0 && view.rgb, Code::bad_input, "an image is ", view.width,
        " x ", view.height, view.rgb ? "" : " without pixels", "; it must have some");
  Image image;
  image.width = view.width;
  image.height = view.height;
  const size_t bytes = static_cast<size_t>(view.width) * static_cast<size_t>(view.height) * 3;
  image.rgb.assign(view.rgb, view.rgb + bytes);
  return image;
}

januspro_image view_image(const Image& image) {
  return {sizeof(januspro_image), image.width, image.height, image.rgb.data()};
}

januspro_image* give_image(Image image) {
  auto* owned = new OwnedImage{{}, std::move(image)};
  static_cast<januspro_image&>(*owned) = view_image(owned->held);
  return owned;
}

}  // namespace janus::c

using namespace janus;
using namespace janus::c;

void januspro_image_init(januspro_image* image, size_t size) { init_struct(image, size, {}); }

void januspro_encode_options_init(januspro_encode_options* options, size_t size) {
  init_struct(options, size, {});
}

januspro_code januspro_image_load(const char* path, januspro_image** image) {
  return guarded_into(image, "image", [&] {
    check(path != nullptr, Code::bad_input, "the path of a picture is NULL");
    return give_image(load_picture(path));
  });
}

januspro_code januspro_image_decode(const void* bytes, size_t count, const char* name,
                                    januspro_image** image) {
  return guarded_into(image, "image", [&] {
    check(bytes != nullptr || count == 0, Code::bad_input, "the bytes of a picture are NULL");
    const std::span view(static_cast<const std::byte*>(bytes), count);
    return give_image(decode_picture(view, name ? name : "picture"));
  });
}

void januspro_image_free(januspro_image* image) { delete static_cast<OwnedImage*>(image); }

januspro_code januspro_image_save(const januspro_image* image, const char* path,
                                  const januspro_encode_options* options) {
  return guarded([&] {
    check(path != nullptr, Code::bad_input, "the path of a picture is NULL");
    const PictureFormat format = picture_format(path);
    save_file(path, encode(image, options, &format));
  });
}

januspro_code januspro_image_encode(const januspro_image* image,
                                    const januspro_encode_options* options, uint8_t** bytes,
                                    size_t* count) {
  if (count) *count = 0;
  return guarded_into(bytes, "bytes", [&] {
    check(count != nullptr, Code::bad_input, "count is NULL; it is where the number of bytes goes");
    const std::vector<std::byte> made = encode(image, options, nullptr);
    auto* copy = new uint8_t[made.size()];
    std::memcpy(copy, made.data(), made.size());
    *count = made.size();
    return copy;
  });
}

void januspro_bytes_free(uint8_t* bytes) { delete[] bytes; }
