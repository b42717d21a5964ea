// SPDX-License-Identifier: MIT
#include "io/picture_name.h"

#include <algorithm>
#include <array>
#include <string>
#include <string_view>

namespace janus {

bool is_picture_name(const std::filesystem::path& path) {
  constexpr std::array<std::string_view, 8> kExtensions = {".png",  ".jpg", ".jpeg", ".jfif",
                                                           ".webp", ".gif", ".bmp",  ".dib"};
  std::string extension = path.extension().string();
  for (char& c : extension) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  return std::find(kExtensions.begin(), kExtensions.end(), extension) != kExtensions.end();
}

}  // namespace janus
