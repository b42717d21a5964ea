// JPEG through libjpeg-turbo, with the settings of the reference's Pillow: slow integer DCT, fancy
// upsampling. Which file is a JPEG is decided in io/image.
// SPDX-License-Identifier: MIT
#pragma once

#include <span>
#include <string>

#include "io/image.h"

namespace janus {

// Baseline, progressive and arithmetic; grey, YCbCr, RGB, CMYK and YCCK. Throws as decode_image
// does.
Image decode_jpeg(std::span<const std::byte> bytes, const std::string& name,
                  const ImageLimits& limits);

}  // namespace janus
