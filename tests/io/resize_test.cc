// Resizing: sizes and places by the reference's rules. The bytes are compared with Pillow's over
// many pictures in tests/parity/images.py and on the golden ones in image_test.cc.
// SPDX-License-Identifier: MIT
#include "io/resize.h"

#include <gtest/gtest.h>

#include "io/temp_dir.h"

namespace janus {
namespace {

Image plain(int width, int height, std::array<uint8_t, 3> colour) {
  Image image{.width = width, .height = height, .rgb = {}};
  for (int i = 0; i < width * height; ++i) {
    for (const uint8_t value : colour) image.rgb.push_back(value);
  }
  return image;
}

std::array<uint8_t, 3> pixel(const Image& image, int x, int y) {
  const size_t at =
      (static_cast<size_t>(y) * static_cast<size_t>(image.width) + static_cast<size_t>(x)) * 3;
  return {image.rgb[at], image.rgb[at + 1], image.rgb[at + 2]};
}

constexpr std::array<uint8_t, 3> kRed = {200, 30, 10};
constexpr std::array<uint8_t, 3> kGrey = {127, 127, 127};

TEST(Resize, FittedPicturesAreCentredAndTheOddPixelGoesToTheEnd) {
  // 64 * 33 / 100 is 21.12: 21 rows, 43 to share out, 21 above and 22 below.
  const Image fitted = fit_and_pad(plain(100, 33, kRed), 64);
  EXPECT_EQ(fitted.width, 64);
  EXPECT_EQ(fitted.height, 64);
  EXPECT_EQ(pixel(fitted, 0, 20), kGrey);
  EXPECT_EQ(pixel(fitted, 0, 21), kRed);
  EXPECT_EQ(pixel(fitted, 63, 41), kRed);
  EXPECT_EQ(pixel(fitted, 63, 42), kGrey);
  const Image upright = fit_and_pad(plain(33, 100, kRed), 64, {1, 2, 3});
  EXPECT_EQ(pixel(upright, 20, 0), (std::array<uint8_t, 3>{1, 2, 3}));
  EXPECT_EQ(pixel(upright, 21, 63), kRed);
}

TEST(Resize, SliversKeepFourteenPixels) {
  const Image fitted = fit_and_pad(plain(3000, 1, kRed), 384);
  EXPECT_EQ(pixel(fitted, 0, 184), kGrey);
  EXPECT_EQ(pixel(fitted, 0, 185), kRed);
  EXPECT_EQ(pixel(fitted, 383, 198), kRed);
  EXPECT_EQ(pixel(fitted, 383, 199), kGrey);
  // A model smaller than that still gets its own size.
  EXPECT_EQ(fit_and_pad(plain(3000, 1, kRed), 8), plain(8, 8, kRed));
}

TEST(Resize, ThePictureOfTheRightSizeIsUntouched) {
  Image image = plain(5, 5, kRed);
  image.rgb[7] = 99;
  EXPECT_EQ(fit_and_pad(image, 5), image);
  EXPECT_EQ(cover_and_crop(image, 5), image);
  EXPECT_EQ(resize_bicubic(image, 5, 5), image);
}

TEST(Resize, CoveringCutsTheMiddle) {
  Image image = plain(8, 4, kRed);
  for (int y = 0; y < 4; ++y) {  // the columns 2 to 5 are what remains
    for (int x : {0, 1, 6, 7}) image.rgb[static_cast<size_t>((y * 8 + x) * 3)] = 0;
  }
  EXPECT_EQ(cover_and_crop(image, 4), plain(4, 4, kRed));
}

TEST(Resize, CoveringASliverComputesOnlyTheMiddle) {
  // The whole would have 384 x 23,040,000 pixels.
  EXPECT_EQ(cover_and_crop(plain(60000, 1, kRed), 384), plain(384, 384, kRed));
}

TEST(Resize, NothingCannotBeResized) {
  error_of(Code::bad_input, [] { fit_and_pad({}, 64); });
  error_of(Code::bad_input, [] { cover_and_crop({}, 64); });
  error_of(Code::bad_input, [] { resize_bicubic({.width = 4, .height = 4, .rgb = {1}}, 2, 2); });
  error_of(Code::bad_input, [] { resize_bicubic(plain(2, 2, kRed), 0, 2); });
}

// A picture in which every pixel differs.
Image varied(int side) {
  Image image{.width = side, .height = side, .rgb = {}};
  for (int y = 0; y < side; ++y) {
    for (int x = 0; x < side; ++x) {
      for (const int value : {37 * x + 11 * y * y, 91 * y + 5 * x, 53 * x * y}) {
        image.rgb.push_back(static_cast<uint8_t>(value % 256));
      }
    }
  }
  return image;
}

int64_t weighted_sum(const Image& image) {
  int64_t sum = 0;
  for (size_t i = 0; i < image.rgb.size(); ++i) sum += static_cast<int64_t>(i) * image.rgb[i];
  return sum;
}

// Pillow 12.0: the picture made by the rule above, .resize((9, 9), LANCZOS); and of 16 pixels,
// .resize((10, 10), LANCZOS).crop((0, 2, 10, 8)).
TEST(Resize, LanczosCoversAndCutsTheMiddleAsPillowWould) {
  const Image larger = cover_lanczos(varied(6), 9, 9);
  EXPECT_EQ(weighted_sum(larger), 3345102);
  EXPECT_EQ(pixel(larger, 3, 0), (std::array<uint8_t, 3>{69, 3, 0}));
  const Image wide = cover_lanczos(varied(16), 10, 6);
  EXPECT_EQ(wide.width, 10);
  EXPECT_EQ(wide.height, 6);
  EXPECT_EQ(weighted_sum(wide), 2009481);
  EXPECT_EQ(pixel(wide, 0, 0), (std::array<uint8_t, 3>{152, 74, 76}));
  EXPECT_THROW(cover_lanczos(varied(6), 0, 4), Error);
  EXPECT_THROW(cover_lanczos({}, 4, 4), Error);
}

}  // namespace
}  // namespace janus
