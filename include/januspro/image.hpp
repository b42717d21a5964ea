// A picture in memory. Part of the public interface (januspro.hpp) and used by every room inside.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <vector>

namespace janus {

// 8-bit RGB, rows from the top: rgb[(y * width + x) * 3 + channel].
struct Image {
  int width = 0;
  int height = 0;
  std::vector<uint8_t> rgb;

  bool operator==(const Image&) const = default;
};

}  // namespace janus
