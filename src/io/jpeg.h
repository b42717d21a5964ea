// JPEG through libjpeg-turbo, with the settings of the reference's Pillow: slow integer DCT, fancy
// upsampling. Which file is a JPEG is decided in io/image.
// SPDX-License-Identifier: MIT
#pragma once

#include <span>
#include <string>
#include <vector>

#include "io/image.h"

namespace janus {

// Baseline, progressive and arithmetic; grey, YCbCr, RGB, CMYK and YCCK. Throws as decode_image
// does.
Image decode_jpeg(std::span<const std::byte> bytes, const std::string& name,
                  const ImageLimits& limits);

// The EXIF block of a JPEG; empty when there is none. Never throws.
std::span<const std::byte> jpeg_exif(std::span<const std::byte> bytes);

inline constexpr int kMaxJpegSide = 65500;

// JPEG bytes of full colour resolution (4:4:4); `quality` from 1 to 100. `exif` may be empty.
// Throws Code::bad_input for a block that JPEG cannot hold.
std::vector<std::byte> encode_jpeg(const Image& image, int quality,
                                   std::span<const std::byte> exif);

}  // namespace janus
