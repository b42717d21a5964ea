// BMP, the Windows bitmap, read here without a library. Which file is a BMP is decided in io/image.
// SPDX-License-Identifier: MIT
#pragma once

#include <span>
#include <string>

#include "io/image.h"

namespace janus {

// Headers of OS/2 1 (12 bytes), OS/2 2 (64) and Windows (40 to 124); 1, 4 and 8 bits with a
// palette, RLE4 and RLE8, 16, 24 and 32 bits with or without masks; rows from the bottom or the
// top. Alpha is dropped. Throws as decode_image does.
Image decode_bmp(std::span<const std::byte> bytes, const std::string& name,
                 const ImageLimits& limits);

}  // namespace janus
