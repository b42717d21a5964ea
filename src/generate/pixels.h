// Pictures <-> pixels as the model sees them: f32 in -1..1, [S, S, 3].
// SPDX-License-Identifier: MIT
#pragma once

#include "base/tensor.h"
#include "io/image.h"

namespace janus {

// Decoder output -> 8 bits: clip((x + 1) / 2 · 255, 0, 255), truncated.  pixels [S, S, 3].
// (deepseek-ai/Janus, generation_inference.py). Throws Code::bad_checkpoint for NaN.
Image to_image(Tensor pixels);

// u8 / 127.5 - 1, bit for bit what the reference's two steps in f64 and f32 give.
// image S × S, pixels [S, S, 3].
void to_pixels(const Image& image, Tensor pixels);

}  // namespace janus
