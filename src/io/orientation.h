// How a camera was held: the eight orientations of EXIF, undone.
// SPDX-License-Identifier: MIT
#pragma once

#include "januspro/image.hpp"

namespace janus {

// The picture as it was seen. `orientation` is the EXIF value, 1 to 8: 1 is upright, 2 mirrored,
// 3 upside down, 6 and 8 lie on a side (EXIF 2.32, tag 0x0112); any other value changes nothing.
Image turned_upright(Image image, int orientation);

}  // namespace janus
