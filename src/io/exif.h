// EXIF: the small TIFF inside JPEG, PNG and WebP files, of which two things matter here: how the
// camera was held, and the user comment, where drawing programs keep their recipes.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace janus {

struct Exif {
  int orientation = 1;                      // 1 to 8, see orientation.h
  std::optional<std::string> comment = {};  // UserComment as UTF-8
};

// What the block says, with or without the "Exif\0\0" that JPEG puts in front. Never throws: where
// it is damaged it says nothing, because a photograph is not worth less for it.
Exif read_exif(std::span<const std::byte> block);

// A block with this user comment (UTF-8) and nothing else, without "Exif\0\0". The comment is
// big-endian UTF-16, the form that other drawing programs write and read.
std::vector<std::byte> write_exif(const std::string& comment);

}  // namespace janus
