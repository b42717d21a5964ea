// GIF through giflib: the first frame. Which file is a GIF is decided in io/image.
// SPDX-License-Identifier: MIT
#pragma once

#include <span>
#include <string>

#include "io/image.h"

namespace janus {

// The first frame on its canvas, which grows where the frame reaches past it. Transparent pixels
// show their colour; what the frame leaves free has the transparent colour, else colour 0. Throws
// as decode_image does.
Image decode_gif(std::span<const std::byte> bytes, const std::string& name,
                 const ImageLimits& limits);

}  // namespace janus
