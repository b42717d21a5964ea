// Pictures, files and the facts of this build, as januspro.hpp hands them out.
// SPDX-License-Identifier: MIT
#include <algorithm>

#include "base/error.h"
#include "io/file.h"
#include "io/image.h"
#include "januspro/januspro.hpp"
#include "kernels/open.h"

namespace janus {

Image load_picture(const std::filesystem::path& path) { return load_upright(path); }

Image decode_picture(std::span<const std::byte> bytes, const std::string& name) {
  return decode_upright(bytes, name);
}

EditMask decode_mask(std::span<const std::byte> bytes, const std::string& name) {
  return decode_mask_upright(bytes, name);
}

EditMask load_mask(const std::filesystem::path& path) { return load_mask_upright(path); }

std::map<std::string, std::string> picture_text(const std::filesystem::path& path) {
  return load_picture_text(path);
}

PictureFormat picture_format(const std::filesystem::path& path) {
  std::string extension = path.extension().string();
  std::transform(extension.begin(), extension.end(), extension.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  if (extension.empty() || extension == ".png") return PictureFormat::png;
  if (extension == ".jpg" || extension == ".jpeg") return PictureFormat::jpeg;
  if (extension == ".webp") return PictureFormat::webp;
  fail(Code::bad_input, path.string(),
       ": pictures are written as .png, .jpg, .jpeg or .webp; name it so");
}

std::vector<std::byte> encode_picture(const Image& image,
                                      const std::map<std::string, std::string>& text,
                                      const PictureOptions& options) {
  return encode_image(image, text, options);
}

void save_file(const std::filesystem::path& path, std::span<const std::byte> bytes) {
  write_atomically(path, bytes);
}

std::string version() { return JANUSPRO_VERSION; }

std::vector<std::string> available_backends() { return {"ref", "cpu"}; }

std::vector<std::string> available_isa() { return available_isa_levels(); }

}  // namespace janus
