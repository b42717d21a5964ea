// A picture in memory, and what it may be written as. Part of the public interface (januspro.hpp)
// and used by every room inside. SPDX-License-Identifier: MIT
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

// What of a picture of the same size is drawn anew: redraw[y * width + x] not 0.
struct EditMask {
  int width = 0;
  int height = 0;
  std::vector<uint8_t> redraw;

  bool operator==(const EditMask&) const = default;
};

enum class PictureFormat { png, jpeg, webp };

struct PictureOptions {
  PictureFormat format = PictureFormat::png;
  int quality = 0;  // of JPEG and lossy WebP, 1 to 100; 0: JPEG at 95, WebP without loss
};

}  // namespace janus
