// Pictures, files and the facts of this build, as januspro.hpp hands them out.
// SPDX-License-Identifier: MIT
#include "io/file.h"
#include "io/image.h"
#include "januspro/januspro.hpp"
#include "kernels/open.h"

namespace janus {

Image load_picture(const std::filesystem::path& path) { return load_image(path); }

std::map<std::string, std::string> picture_text(const std::filesystem::path& path) {
  return load_png_text(path);
}

std::vector<std::byte> encode_picture(const Image& image,
                                      const std::map<std::string, std::string>& text) {
  return encode_png(image, text);
}

void save_file(const std::filesystem::path& path, std::span<const std::byte> bytes) {
  write_atomically(path, bytes);
}

std::string version() { return JANUSPRO_VERSION; }

std::vector<std::string> available_backends() { return {"ref", "cpu"}; }

std::vector<std::string> available_isa() { return available_isa_levels(); }

}  // namespace janus
