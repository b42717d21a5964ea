// Lets tests in other languages see pictures as the library does. Reads one command a line and
// answers each with "WIDTH HEIGHT" and the pixels as raw RGB in OUT, or with "error: TEXT".
//
//   decode OUT PATH | fit SIDE OUT PATH | cover SIDE OUT PATH | resize WIDTH HEIGHT OUT PATH
//   upright OUT PATH                turned as its EXIF says
//   encode FORMAT QUALITY OUT PATH  the picture as png, jpeg or webp with a comment, in place of
//   pixels comment OUT PATH                its comment, in place of pixels
// SPDX-License-Identifier: MIT
#include <iostream>
#include <sstream>
#include <string>

#include "base/error.h"
#include "io/file.h"
#include "io/image.h"
#include "io/resize.h"

namespace {

using janus::Image;

janus::PictureFormat format_of(const std::string& name) {
  return name == "jpeg"   ? janus::PictureFormat::jpeg
         : name == "webp" ? janus::PictureFormat::webp
                          : janus::PictureFormat::png;
}

void keep(const std::string& out, std::span<const std::byte> bytes) {
  janus::write_atomically(out, bytes);
}

// Writes OUT; the picture whose size is answered.
Image answer(std::istringstream& words) {
  std::string command, out, path, format;
  int width = 0, height = 0, quality = 0;
  words >> command;
  if (command == "fit" || command == "cover" || command == "resize") words >> width;
  if (command == "resize") words >> height;
  if (command == "encode") words >> format >> quality;
  words >> out >> path;
  Image image = command == "upright" ? janus::load_upright(path) : janus::load_image(path);
  if (command == "encode") {
    keep(out, janus::encode_image(image, {{"parameters", "Möwe 🐦"}}, {format_of(format), quality}));
    return image;
  }
  if (command == "comment") {
    const std::string text = janus::load_picture_text(path)["parameters"];
    keep(out, std::as_bytes(std::span(text)));
    return image;
  }
  if (command == "fit") image = janus::fit_and_pad(image, width);
  if (command == "cover") image = janus::cover_and_crop(image, width);
  if (command == "resize") image = janus::resize_bicubic(image, width, height);
  keep(out, std::as_bytes(std::span(image.rgb)));
  return image;
}

}  // namespace

int main() {
  for (std::string line; std::getline(std::cin, line);) {
    try {
      std::istringstream words(line);
      const Image image = answer(words);
      std::cout << image.width << " " << image.height << std::endl;
    } catch (const janus::Error& error) {
      std::cout << "error: " << error.what() << std::endl;
    }
  }
}
