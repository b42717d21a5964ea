// Lets tests in other languages see pictures as the library does. Reads one command a line and
// answers each with "WIDTH HEIGHT", the pixels as raw RGB in OUT, or with "error: TEXT".
//
//   decode OUT PATH | fit SIDE OUT PATH | cover SIDE OUT PATH | resize WIDTH HEIGHT OUT PATH
// SPDX-License-Identifier: MIT
#include <iostream>
#include <sstream>
#include <string>

#include "base/error.h"
#include "io/file.h"
#include "io/image.h"
#include "io/resize.h"

namespace {

janus::Image answer(std::istringstream& words, std::string& out) {
  std::string command;
  std::string path;
  int width = 0;
  int height = 0;
  words >> command;
  if (command != "decode") words >> width;
  if (command == "resize") words >> height;
  words >> out >> path;
  const janus::Image image = janus::load_image(path);
  if (command == "fit") return janus::fit_and_pad(image, width);
  if (command == "cover") return janus::cover_and_crop(image, width);
  if (command == "resize") return janus::resize_bicubic(image, width, height);
  return image;
}

}  // namespace

int main() {
  for (std::string line; std::getline(std::cin, line);) {
    try {
      std::istringstream words(line);
      std::string out;
      const janus::Image image = answer(words, out);
      janus::write_atomically(out, std::as_bytes(std::span(image.rgb)));
      std::cout << image.width << " " << image.height << std::endl;
    } catch (const janus::Error& error) {
      std::cout << "error: " << error.what() << std::endl;
    }
  }
}
