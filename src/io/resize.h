// Pictures brought to the model's size on 8-bit pixels, bit for bit as the reference's Pillow does
// it (python-pillow/Pillow, src/libImaging/Resample.c, bicubic, versions up to 12.0: the horizontal
// pass first). Not here: the step from 8 bits to floats.
// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstdint>

#include "io/image.h"

namespace janus {

// Bicubic with antialiasing; a side whose size does not change is left alone.
// Throws Code::bad_input for a picture without pixels.
Image resize_bicubic(const Image& image, int width, int height);

// Lanczos over three pixels with antialiasing: scaled to cover width x height, the middle cut out.
Image cover_lanczos(const Image& image, int width, int height);

// For reading: the long side to `side`, the short one in proportion, truncated, at least `least`;
// then centred on a square of `fill`, an odd pixel going to the right or bottom.  -> [side, side,
// 3] (deepseek-ai/Janus, janus/models/image_processing_vlm.py, VLMImageProcessor.resize).
Image fit_and_pad(const Image& image, int side, std::array<uint8_t, 3> fill = {127, 127, 127},
                  int least = 14);

// For encoding and training: the short side to `side`, the long one in proportion, rounded half to
// even, and its middle cut out, an odd pixel staying on the right or bottom.  -> [side, side, 3]
// Only the pixels of the result are computed, so slivers cost no more than squares.
Image cover_and_crop(const Image& image, int side);

}  // namespace janus
