// GIF by hand: canvas, palettes, interlacing, and what is refused.
// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include "io/image.h"
#include "io/temp_dir.h"

namespace janus {
namespace {

using namespace std::string_literals;
using Rgb = std::vector<uint8_t>;

constexpr int kBits = 2;            // of an index
constexpr int kClear = 1 << kBits;  // codes behind the indices
constexpr int kEnd = kClear + 1;
constexpr int kWidth = kBits + 1;  // of a code, as long as the table is cleared in time

std::string little(uint32_t value) {
  return {static_cast<char>(value), static_cast<char>(value >> 8)};
}

// Codes of kWidth bits as blocks of data.
std::string packed(const std::vector<int>& codes) {
  std::string bytes;
  uint32_t buffer = 0;
  int filled = 0;
  for (const int code : codes) {
    buffer |= static_cast<uint32_t>(code) << filled;
    for (filled += kWidth; filled >= 8; filled -= 8, buffer >>= 8)
      bytes += static_cast<char>(buffer);
  }
  if (filled > 0) bytes += static_cast<char>(buffer);
  std::string blocks(1, static_cast<char>(kBits));
  for (size_t at = 0; at < bytes.size(); at += 255) {
    const std::string part = bytes.substr(at, 255);
    blocks += static_cast<char>(part.size()) + part;
  }
  return blocks + '\0';
}

// Indices given as digits, without compression.
std::string pixels(const std::string& digits) {
  std::vector<int> codes;
  for (size_t i = 0; i < digits.size(); ++i) {
    if (i % 2 == 0) codes.push_back(kClear);
    codes.push_back(digits[i] - '0');
  }
  codes.push_back(kEnd);
  return packed(codes);
}

const std::string kFour = "\1\2\3\4\5\6\7\10\11\12\13\14"s;  // 1 2 3, 4 5 6, 7 8 9, 10 11 12

struct Parts {
  uint32_t width = 2;
  uint32_t height = 2;
  std::string palette = kFour;
  std::string before = {};  // extensions
  uint32_t left = 0;
  uint32_t top = 0;
  uint32_t frame_width = 2;
  uint32_t frame_height = 2;
  std::string own_palette = {};
  bool interlaced = false;
  std::string data = pixels("0123");
  std::string after = ";";
};

char size_bits(const std::string& palette) {
  int bits = 0;
  while (palette.size() > size_t{6} << bits) ++bits;
  return static_cast<char>(palette.empty() ? 0 : 0x80 | bits);
}

std::string gif(const Parts& parts) {
  const char flags =
      static_cast<char>(size_bits(parts.own_palette) | (parts.interlaced ? 0x40 : 0));
  return "GIF89a" + little(parts.width) + little(parts.height) + size_bits(parts.palette) +
         "\3\0"s + parts.palette + parts.before + "," + little(parts.left) + little(parts.top) +
         little(parts.frame_width) + little(parts.frame_height) + flags + parts.own_palette +
         parts.data + parts.after;
}

Image decode(const std::string& bytes) {
  return decode_image(std::as_bytes(std::span(bytes)), "picture");
}
std::string refusal(const Parts& parts) {
  return error_of(Code::bad_input, [&] { decode(gif(parts)); });
}

// Pixels of the palette above as its indices; others as ?.
std::string digits(const Image& image) {
  std::string out;
  for (size_t i = 0; i < image.rgb.size(); i += 3) {
    out += image.rgb[i] % 3 == 1 ? static_cast<char>('0' + image.rgb[i] / 3) : '?';
  }
  return out;
}

std::string transparent(int index) { return "!\xf9\4\1\0\0"s + static_cast<char>(index) + '\0'; }

TEST(Gif, PixelsAreLookedUp) {
  const Image image = decode(gif({}));
  EXPECT_EQ(image.width, 2);
  EXPECT_EQ(image.height, 2);
  EXPECT_EQ(image.rgb, (Rgb{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}));
  std::string old = gif({});
  old[4] = '7';
  EXPECT_EQ(decode(old), image);
}

TEST(Gif, AFramesOwnPaletteComesFirst) {
  EXPECT_EQ(decode(gif({.own_palette = std::string(12, 'a')})).rgb, Rgb(12, 'a'));
  EXPECT_EQ(decode(gif({.palette = "", .own_palette = kFour})), decode(gif({})));
  // Without any palette indices are greys; past the end of one they are black.
  EXPECT_EQ(decode(gif({.palette = ""})).rgb, (Rgb{0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3}));
  EXPECT_EQ(decode(gif({.palette = "abcdef"})).rgb,
            (Rgb{'a', 'b', 'c', 'd', 'e', 'f', 0, 0, 0, 0, 0, 0}));
  EXPECT_EQ(decode(gif({.palette = "\0\0\0\1\1\1"s})).rgb,
            (Rgb{0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3}));
}

TEST(Gif, TheFrameLiesOnItsCanvas) {
  const Parts inside{.width = 4, .height = 3, .left = 1, .top = 1};
  EXPECT_EQ(digits(decode(gif(inside))), "000000100230");
  Parts free = inside;
  free.before = transparent(3);
  EXPECT_EQ(digits(decode(gif(free))), "333330133233");
  free.before = "!\xfe\2hi\0"s + transparent(1) + "!\xff\3abc\2de\0"s;
  EXPECT_EQ(digits(decode(gif(free))), "111110111231");
  const Image grown = decode(gif({.width = 1, .height = 4, .left = 1, .top = 1}));
  EXPECT_EQ(grown.width, 3);
  EXPECT_EQ(digits(grown), "000001023000");
  EXPECT_EQ(digits(decode(gif({.width = 0, .height = 0}))), "0123");
}

TEST(Gif, InterlacedRowsAreSorted) {
  // Nine rows in the order 0 8, 4, 2 6, 1 3 5 7.
  Parts parts{.width = 1,
              .height = 9,
              .frame_width = 1,
              .frame_height = 9,
              .interlaced = true,
              .data = pixels("013202133")};
  EXPECT_EQ(digits(decode(gif(parts))), "022133031");
}

TEST(Gif, OnlyTheFirstFrameIsRead) {
  EXPECT_EQ(decode(gif({.after = ""})), decode(gif({})));
  EXPECT_EQ(decode(gif({.after = ",nonsense"})), decode(gif({})));
}

TEST(Gif, DamageIsRefused) {
  const std::string good = gif({});
  for (size_t n = 6; n + 1 < good.size(); ++n) {
    EXPECT_THROW(decode(good.substr(0, n)), Error) << n << " bytes";
  }
  expect_has(refusal({.before = "x"}), "damaged GIF");
  expect_has(error_of(Code::bad_input, [] { decode("GIF89a\2\0\2\0\0\0\0;"s); }), "no picture");
  expect_has(refusal({.frame_width = 0}), "no pixels");
  expect_has(refusal({.frame_height = 0}), "no pixels");
  // Too few pixels, the end too early, a code that is not yet known, no such width of codes.
  expect_has(refusal({.data = packed({kClear, 0})}), "damaged GIF");
  expect_has(refusal({.data = pixels("012")}), "damaged GIF");
  expect_has(refusal({.data = packed({kClear, 0, 7, 7, kEnd})}), "damaged GIF");
  expect_has(refusal({.data = packed({kClear, 6, 6, 6, 6, kEnd})}), "damaged GIF");
  for (const char bits : {'\x09', '\x0c', '\xff'}) {
    std::string data = pixels("0123");
    data[0] = bits;
    expect_has(refusal({.data = data}), "damaged GIF");
  }
}

TEST(Gif, BombsAreRefused) {
  expect_has(refusal({.width = 60000, .height = 60000}), "more than the 100000000");
  expect_has(refusal({.frame_width = 60000, .frame_height = 60000}), "more than the 100000000");
  expect_has(refusal({.left = 65535, .top = 65535}), "more than the 100000000");
  expect_has(refusal({.frame_width = 10000, .frame_height = 10000}), "made to fill memory");
}

}  // namespace
}  // namespace janus
