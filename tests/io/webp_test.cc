// WebP: what is written comes back, the first frame of an animation lies on its canvas, and damage
// is refused. SPDX-License-Identifier: MIT
#include "io/webp.h"

#include <gtest/gtest.h>
#include <webp/mux.h>

#include <cmath>

#include "io/exif.h"
#include "io/file.h"
#include "io/temp_dir.h"

namespace janus {
namespace {

Image drawn(int width, int height) {
  Image image{.width = width, .height = height, .rgb = {}};
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      const auto value = [&](int a, int b) { return static_cast<uint8_t>(x * a + y * b); };
      image.rgb.insert(image.rgb.end(), {value(3, 1), value(1, 5), value(7, 2)});
    }
  }
  return image;
}

std::string text_of(const std::vector<std::byte>& bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

Image decode(const std::string& bytes) {
  return decode_image(std::as_bytes(std::span(bytes)), "picture");
}
std::string refusal(const std::string& bytes) {
  return error_of(Code::bad_input, [&] { decode(bytes); });
}

std::string webp(const Image& image, int quality = 0,
                 const std::map<std::string, std::string>& text = {}) {
  return text_of(encode_image(image, text, {PictureFormat::webp, quality}));
}

TEST(Webp, LosslessComesBackToTheBit) {
  for (const auto& [width, height] : {std::pair{1, 1}, {3, 2}, {64, 48}, {16383, 1}}) {
    const Image image = drawn(width, height);
    EXPECT_EQ(decode(webp(image)), image);
    EXPECT_EQ(decode(webp(image, 0, {{"parameters", "a"}})), image);
  }
}

TEST(Webp, QualityDecidesSizeAndLoss) {
  const Image image = drawn(64, 64);
  const std::string low = webp(image, 10), high = webp(image, 95);
  EXPECT_LT(low.size(), high.size());
  const auto distance = [&](const std::string& bytes) {
    const Image back = decode(bytes);
    double sum = 0;
    for (size_t i = 0; i < image.rgb.size(); ++i) sum += std::abs(back.rgb[i] - image.rgb[i]);
    return sum / static_cast<double>(image.rgb.size());
  };
  EXPECT_LT(distance(high), distance(low));
  EXPECT_LT(distance(high), 20);
}

TEST(Webp, CommentsComeBack) {
  const std::string text = "{\"prompt\": \"eine Möwe 🐦\"}";
  const std::string bytes = webp(drawn(4, 4), 0, {{"parameters", text}});
  EXPECT_EQ(read_exif(webp_exif(std::as_bytes(std::span(bytes)))).comment, text);
  const std::string plain = webp(drawn(4, 4));
  EXPECT_TRUE(webp_exif(std::as_bytes(std::span(plain))).empty());
  EXPECT_TRUE(webp_exif({}).empty());
}

// An animation of two frames; the first is 3 x 2 at (2, 2) of a canvas of 6 x 5.
std::string animation() {
  const std::unique_ptr<WebPMux, void (*)(WebPMux*)> mux(WebPMuxNew(), &WebPMuxDelete);
  WebPMuxSetCanvasSize(mux.get(), 6, 5);
  const WebPMuxAnimParams parameters{.bgcolor = 0xffffffff, .loop_count = 0};
  WebPMuxSetAnimationParams(mux.get(), &parameters);
  for (const int side : {0, 1}) {
    const std::string frame = webp(drawn(3 + side, 2 + side));
    WebPMuxFrameInfo info{};
    info.bitstream = {reinterpret_cast<const uint8_t*>(frame.data()), frame.size()};
    info.x_offset = info.y_offset = 2 - 2 * side;
    info.duration = 100;
    info.id = WEBP_CHUNK_ANMF;
    EXPECT_EQ(WebPMuxPushFrame(mux.get(), &info, 1), WEBP_MUX_OK);
  }
  WebPData whole;
  WebPDataInit(&whole);
  EXPECT_EQ(WebPMuxAssemble(mux.get(), &whole), WEBP_MUX_OK);
  const std::string bytes(reinterpret_cast<const char*>(whole.bytes), whole.size);
  WebPDataClear(&whole);
  return bytes;
}

TEST(Webp, TheFirstFrameLiesOnABlackCanvas) {
  const Image image = decode(animation());
  ASSERT_EQ(image.width, 6);
  ASSERT_EQ(image.height, 5);
  const Image frame = drawn(3, 2);
  for (int y = 0; y < 5; ++y) {
    for (int x = 0; x < 6; ++x) {
      const bool inside = x >= 2 && x < 5 && y >= 2 && y < 4;
      for (int c = 0; c < 3; ++c) {
        const int expected =
            inside ? frame.rgb[static_cast<size_t>(((y - 2) * 3 + x - 2) * 3 + c)] : 0;
        EXPECT_EQ(image.rgb[static_cast<size_t>((y * 6 + x) * 3 + c)], expected) << x << " " << y;
      }
    }
  }
}

TEST(Webp, FilesCutShortAreRefused) {
  const Image image = drawn(20, 20);
  for (const std::string& good :
       {webp(image), webp(image, 80), animation(), webp(image, 0, {{"parameters", "text"}})}) {
    for (size_t n = 12; n < good.size(); ++n) {
      EXPECT_THROW(decode(good.substr(0, n)), Error) << n << " of " << good.size() << " bytes";
    }
  }
  expect_has(refusal("RIFF....WEBPVP8 "), "damaged WebP");
}

// A container that is whole, around data that end too early.
TEST(Webp, DataCutShortAreRefused) {
  for (const int quality : {0, 80}) {
    const std::string good = webp(drawn(40, 40), quality);
    for (const size_t kept : {4ul, 12ul, 40ul, good.size() / 2}) {
      std::string cut = good.substr(0, 20 + kept / 2 * 2);
      const auto put = [&](size_t at, size_t value) {
        for (int i = 0; i < 4; ++i)
          cut[at + static_cast<size_t>(i)] = static_cast<char>(value >> 8 * i);
      };
      put(4, cut.size() - 8);
      put(16, cut.size() - 20);
      expect_has(refusal(cut), "damaged WebP");
    }
  }
}

// The dimensions of a lossless picture are 14 bits each, less one, behind its first byte.
std::string claimed(std::string lossless, uint32_t width, uint32_t height) {
  const uint32_t bits = (width - 1) | (height - 1) << 14;
  for (int i = 0; i < 4; ++i)
    lossless[21 + static_cast<size_t>(i)] = static_cast<char>(bits >> 8 * i);
  return lossless;
}

TEST(Webp, HugeClaimsAreRefused) {
  const std::string good = webp(drawn(20, 20));
  ASSERT_EQ(decode(claimed(good, 20, 20)).width, 20);
  expect_has(refusal(claimed(good, 16384, 16384)), "more than the 100000000");
  expect_has(refusal(claimed(good, 10000, 10000)), "damaged WebP");
  std::string canvas = webp(drawn(4, 4), 0, {{"parameters", "a"}});
  ASSERT_EQ(canvas.substr(12, 4), "VP8X");
  for (size_t at = 24; at < 30; ++at) canvas[at] = '\xff';
  expect_has(refusal(canvas), "damaged WebP");
  // An animation of 16 million x 16 million with a frame of 3 x 2.
  std::string film = animation();
  for (size_t at = 24; at < 30; ++at) film[at] = '\xff';
  refusal(film);
}

TEST(Webp, TooLargeForItIsRefused) {
  const Image wide = drawn(16384, 1);
  expect_has(error_of(Code::bad_input, [&] { webp(wide); }), "at most 16383");
}

}  // namespace
}  // namespace janus
