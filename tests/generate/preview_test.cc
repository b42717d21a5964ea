// The preview is the best linear guess, and better than none. SPDX-License-Identifier: MIT
#include "generate/preview.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "base/rng.h"
#include "generate/pixels.h"
#include "generate/tiny.h"

namespace janus {
namespace {

// Means of 4 × 4 pixels, as the preview shows them: 64 -> 16.
std::vector<double> shrunk(const Image& image) {
  std::vector<double> means(16 * 16 * 3);
  for (int y = 0; y < 64; ++y) {
    for (int x = 0; x < 64; ++x) {
      for (int c = 0; c < 3; ++c) {
        means[static_cast<size_t>((y / 4 * 16 + x / 4) * 3 + c)] +=
            image.rgb[static_cast<size_t>((y * 64 + x) * 3 + c)] / 16.0;
      }
    }
  }
  return means;
}

// Pictures of four quarters, one code each: none of those that the map was fitted on.
std::vector<int32_t> quarters(uint64_t number) {
  Philox random(77, number);
  int32_t corner[4];
  for (int32_t& code : corner) code = random.below(256);
  std::vector<int32_t> codes;
  for (int y = 0; y < 8; ++y) {
    for (int x = 0; x < 8; ++x) codes.push_back(corner[y / 4 * 2 + x / 4]);
  }
  return codes;
}

TEST(Preview, ExplainsPicturesItWasNotFittedOn) {
  const Model& model = tiny().model;
  const PreviewMap map = PreviewMap::fit(model);
  Workspace space;
  OwnedTensor pixels(Dtype::f32, {1, 64, 64, 3});
  double error = 0, spread = 0;
  for (uint64_t number = 0; number < 20; ++number) {
    const std::vector<int32_t> codes = quarters(number);
    model.decode_image(codes, space, pixels.view);
    const std::vector<double> truth = shrunk(to_image(pixels.view.as({64, 64, 3})));
    const Image shown = map.show(model, codes);
    ASSERT_EQ(shown.rgb.size(), truth.size());
    for (size_t i = 0; i < truth.size(); ++i) {
      error += std::pow(shown.rgb[i] - truth[i], 2);
      spread += std::pow(127.5 - truth[i], 2);
    }
  }
  EXPECT_LT(error, 0.95 * spread) << "explained: " << 1 - error / spread;
}

TEST(Preview, IsGreyWhereNoCodeIsYet) {
  const PreviewMap map = PreviewMap::fit(tiny().model);
  const std::vector<int32_t> codes = quarters(1);
  const Image shown = map.show(tiny().model, codes);
  const Image half = map.show(tiny().model, std::span(codes).first(32));
  for (size_t i = 0; i < half.rgb.size(); ++i) {
    EXPECT_EQ(half.rgb[i], i < half.rgb.size() / 2 ? shown.rgb[i] : 127) << i;
  }
}

}  // namespace
}  // namespace janus
