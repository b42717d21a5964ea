// The two conversions of pixels.h. SPDX-License-Identifier: MIT
#include "generate/pixels.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"

namespace janus {

Image to_image(Tensor pixels) {
  check(pixels.rank == 3 && pixels.cols() == 3 && pixels.dense(), Code::bug,
        "to_image: pixels have shape ", shape_text(pixels), ", not [S, S, 3]");
  Image image;
  image.height = static_cast<int>(pixels.shape[0]);
  image.width = static_cast<int>(pixels.shape[1]);
  image.rgb.resize(static_cast<size_t>(pixels.count()));
  const float* in = pixels.f32();
  for (size_t i = 0; i < image.rgb.size(); ++i) {
    check(!std::isnan(in[i]), Code::bad_checkpoint,
          "the picture decoder gave NaN; the checkpoint holds NaN or far too large values in "
          "gen_vision_model (is the file damaged?)");
    image.rgb[i] = static_cast<uint8_t>(std::clamp((in[i] + 1.0f) / 2.0f * 255.0f, 0.0f, 255.0f));
  }
  return image;
}

void to_pixels(const Image& image, Tensor pixels) {
  check(pixels.count() == static_cast<int64_t>(image.rgb.size()) && pixels.dense(), Code::bug,
        "to_pixels: an image of ", image.width, " x ", image.height, " into ", shape_text(pixels));
  float* out = pixels.f32();
  for (size_t i = 0; i < image.rgb.size(); ++i) {
    out[i] = static_cast<float>(image.rgb[i]) / 127.5f - 1.0f;
  }
}

}  // namespace janus
