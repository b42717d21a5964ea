// 8 bits <-> floats by the reference's rules. SPDX-License-Identifier: MIT
#include "generate/pixels.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/buffer.h"
#include "base/error.h"

namespace janus {
namespace {

TEST(Pixels, AreTruncatedAndClipped) {
  OwnedTensor pixels(Dtype::f32, {1, 3, 3});
  const float values[] = {0, 1, -1, 0.999f, 7, -7, 1e30f, -0.0001f, 0.5f};
  std::copy(std::begin(values), std::end(values), pixels.view.f32());
  const Image image = to_image(pixels.view);
  EXPECT_EQ(image.width, 3);
  EXPECT_EQ(image.height, 1);
  EXPECT_EQ(image.rgb, (std::vector<uint8_t>{127, 255, 0, 254, 255, 0, 255, 127, 191}));
}

TEST(Pixels, NanIsABrokenCheckpoint) {
  OwnedTensor pixels(Dtype::f32, {1, 1, 3});
  pixels.view.f32()[1] = std::nanf("");
  EXPECT_THROW(to_image(pixels.view), Error);
}

TEST(Pixels, InputEqualsTheTwoStepsOfTheReference) {
  Image image;
  image.width = 256;
  image.height = 1;
  for (int i = 0; i < 256; ++i) image.rgb.insert(image.rgb.end(), 3, static_cast<uint8_t>(i));
  OwnedTensor pixels(Dtype::f32, {1, 256, 3});
  to_pixels(image, pixels.view);
  for (int i = 0; i < 256; ++i) {
    const auto scaled = static_cast<float>(i * (1.0 / 255));
    EXPECT_EQ(pixels.view.f32()[3 * i], (scaled - 0.5f) / 0.5f) << i;
  }
}

}  // namespace
}  // namespace janus
