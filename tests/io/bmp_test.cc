// BMP by hand: every depth, both directions, run lengths, and what is refused.
// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include "io/image.h"
#include "io/temp_dir.h"

namespace janus {
namespace {

using namespace std::string_literals;
using Rgb = std::vector<uint8_t>;

std::string little(uint32_t value, int size) {
  std::string out;
  for (int i = 0; i < size; ++i) out += static_cast<char>(value >> 8 * i);
  return out;
}

struct Parts {
  uint32_t header = 40;
  int32_t width = 1;
  int32_t height = 1;
  uint32_t bits = 24;
  uint32_t compression = 0;
  uint32_t colours = 0;
  std::string behind = {};  // masks or palette
  std::string data = {};
  int64_t offset = -1;  // -1: the right one
};

std::string bmp(const Parts& parts) {
  std::string header = little(parts.header, 4);
  if (parts.header == 12) {
    header += little(static_cast<uint32_t>(parts.width), 2) +
              little(static_cast<uint32_t>(parts.height), 2) + little(1, 2) + little(parts.bits, 2);
  } else {
    header += little(static_cast<uint32_t>(parts.width), 4) +
              little(static_cast<uint32_t>(parts.height), 4) + little(1, 2) +
              little(parts.bits, 2) + little(parts.compression, 4) + std::string(12, '\0') +
              little(parts.colours, 4) + little(0, 4);
  }
  const std::string body = header + parts.behind;
  const auto offset = static_cast<uint32_t>(
      parts.offset < 0 ? 14 + static_cast<int64_t>(body.size()) : parts.offset);
  return "BM" + little(static_cast<uint32_t>(14 + body.size() + parts.data.size()), 4) +
         little(0, 4) + little(offset, 4) + body + parts.data;
}

Image decode(const std::string& bytes) {
  return decode_image(std::as_bytes(std::span(bytes)), "picture");
}
Rgb rgb(const Parts& parts) { return decode(bmp(parts)).rgb; }
std::string refusal(const Parts& parts) {
  return error_of(Code::bad_input, [&] { decode(bmp(parts)); });
}

const std::string kTwo = "\x03\x02\x01\0\x06\x05\x04\0"s;  // 1 2 3, 4 5 6

TEST(Bmp, RowsComeFromTheBottomOrTheTop) {
  const std::string rows = "\x03\x02\x01\0\x06\x05\x04\0"s;
  EXPECT_EQ(rgb({.height = 2, .data = rows}), (Rgb{4, 5, 6, 1, 2, 3}));
  EXPECT_EQ(rgb({.height = -2, .data = rows}), (Rgb{1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(rgb({.header = 12, .height = 2, .data = rows}), (Rgb{4, 5, 6, 1, 2, 3}));
  // The last row's padding may be missing.
  EXPECT_EQ(rgb({.height = 2, .data = rows.substr(0, 7)}), (Rgb{4, 5, 6, 1, 2, 3}));
}

TEST(Bmp, IndicesOfEveryDepthAreLookedUp) {
  const Rgb both = {4, 5, 6, 1, 2, 3, 4, 5, 6};
  EXPECT_EQ(rgb({.width = 3, .bits = 1, .behind = kTwo, .data = "\xa0\0\0\0"s}), both);
  EXPECT_EQ(rgb({.width = 3, .bits = 4, .colours = 2, .behind = kTwo, .data = "\x10\x10\0\0"s}),
            both);
  EXPECT_EQ(rgb({.width = 3, .bits = 8, .colours = 2, .behind = kTwo, .data = "\1\0\1\0"s}), both);
  EXPECT_EQ(
      rgb({.header = 12, .width = 3, .bits = 1, .behind = "\3\2\1\6\5\4", .data = "\xa0\0\0\0"s}),
      both);
  // Past the palette: black; past a ramp of greys: greys.
  EXPECT_EQ(rgb({.bits = 8, .colours = 2, .behind = kTwo, .data = "\xfe\0\0\0"s}), (Rgb{0, 0, 0}));
  EXPECT_EQ(rgb({.bits = 8, .colours = 2, .behind = "\0\0\0\0\1\1\1\0"s, .data = "\xfe\0\0\0"s}),
            (Rgb{254, 254, 254}));
  // No place stated, or the end of the header: right behind the palette.
  for (const int64_t offset : {0, 54}) {
    EXPECT_EQ(rgb({.width = 3,
                   .bits = 8,
                   .colours = 2,
                   .behind = kTwo,
                   .data = "\1\0\1\0"s,
                   .offset = offset}),
              both);
  }
}

TEST(Bmp, MasksSayWhereColoursStand) {
  const auto masks = [](uint32_t red, uint32_t green, uint32_t blue) {
    return little(red, 4) + little(green, 4) + little(blue, 4);
  };
  // Five bits each, then five, six, five.
  EXPECT_EQ(rgb({.bits = 16, .data = little(0x7c01, 4)}), (Rgb{255, 0, 8}));
  EXPECT_EQ(rgb({.bits = 16,
                 .compression = 3,
                 .behind = masks(0xf800, 0x7e0, 0x1f),
                 .data = little(0xf820, 4)}),
            (Rgb{255, 4, 0}));
  EXPECT_EQ(rgb({.bits = 32, .data = "\3\2\1\x80"}), (Rgb{1, 2, 3}));
  EXPECT_EQ(rgb({.header = 56,
                 .bits = 32,
                 .compression = 3,
                 .behind = masks(0xff, 0xff00, 0xff0000) + little(0xff000000, 4),
                 .data = "\1\2\3\x80"}),
            (Rgb{1, 2, 3}));
  EXPECT_EQ(rgb({.bits = 32,
                 .compression = 3,
                 .behind = masks(0x3ff00000, 0xffc00, 0x3ff),
                 .data = little(0x3ff003ff, 4)}),
            (Rgb{255, 0, 255}));
  expect_has(
      refusal({.bits = 16, .compression = 3, .behind = masks(0xf0f0, 0, 0), .data = "\0\0\0\0"s}),
      "masks");
  expect_has(
      refusal({.bits = 16, .compression = 3, .behind = masks(0xff0000, 0, 0), .data = "\0\0\0\0"s}),
      "masks");
}

Parts runs(const std::string& data, int32_t width = 3, int32_t height = 2) {
  return {.width = width,
          .height = height,
          .bits = 8,
          .compression = 1,
          .colours = 2,
          .behind = kTwo,
          .data = data};
}

// Indices as digits, rows from the top.
std::string digits(const Rgb& pixels) {
  std::string out;
  for (size_t i = 0; i < pixels.size(); i += 3) out += pixels[i] == 1 ? '0' : '1';
  return out;
}

TEST(Bmp, RunLengthsOfEightBits) {
  EXPECT_EQ(digits(rgb(runs("\3\1\0\0\1\1\0\0\0\1"s))), "100111");
  EXPECT_EQ(digits(rgb(runs("\0\3\1\0\1\0\0\0\2\1\1\0\0\1"s))), "110101");  // as they are, padded
  EXPECT_EQ(digits(rgb(runs("\0\2\1\1\1\1\0\1"s))), "010000");              // a skip
  EXPECT_EQ(digits(rgb(runs("\0\0\3\1\0\1"s))), "111000");                  // an empty row
  EXPECT_EQ(digits(rgb(runs("\0\1"s))), "000000");                          // nothing at all
  EXPECT_EQ(digits(rgb(runs("\x09\1\0\0\3\1\0\0"s))), "111111");            // too long for a row
  EXPECT_EQ(digits(rgb(runs("\3\1\0\0\3\1"s))), "111111");                  // no end
}

TEST(Bmp, RunLengthsOfFourBits) {
  Parts parts = runs("\3\x10\0\0\0\3\x10\x10\0\1"s);
  parts.bits = 4;
  parts.compression = 2;
  EXPECT_EQ(digits(rgb(parts)), "101101");
  // Three bytes and one of padding; the last index is not used.
  parts.width = 8;
  parts.height = 1;
  parts.data = "\0\5\x11\x01\x10\0\3\x11\0\1"s;
  EXPECT_EQ(digits(rgb(parts)), "11011111");
  parts.width = 3;  // shorter than the run
  EXPECT_EQ(digits(rgb(parts)), "110");
}

TEST(Bmp, DamagedRunsAreRefused) {
  for (const std::string& data : {""s, "\3"s, "\3\1"s, "\3\1\0\0\2\1"s, "\0\3\1"s, "\0\2\1"s}) {
    expect_has(refusal(runs(data)), "ends too early");
  }
  expect_has(refusal(runs("\0\2\4\0\0\1"s)), "skips past");
  expect_has(refusal(runs("\0\2\0\3\0\1"s)), "skips past");
}

TEST(Bmp, DamagedHeadersAreRefused) {
  const std::string good = bmp({.height = 2, .data = "\3\2\1\0\6\5\4\0"s});
  for (size_t n = 2; n + 1 < good.size(); ++n) {
    EXPECT_THROW(decode(good.substr(0, n)), Error) << n << " bytes";
  }
  expect_has(refusal({.header = 41, .data = "\3\2\1\0"s}), "a header of 41");
  expect_has(refusal({.width = 0, .data = "\3\2\1\0"s}), "no pixels");
  expect_has(refusal({.height = 0, .data = "\3\2\1\0"s}), "no pixels");
  expect_has(refusal({.width = -1, .data = "\3\2\1\0"s}), "no pixels");
  expect_has(refusal({.bits = 2, .data = "\3\2\1\0"s}), "2 bits");
  expect_has(refusal({.bits = 24, .compression = 4, .data = "\3\2\1\0"s}), "compression 4");
  expect_has(refusal({.bits = 8, .compression = 2, .colours = 2, .behind = kTwo}), "compression 2");
  expect_has(refusal({.bits = 8, .colours = 257, .behind = kTwo}), "257 colours");
  expect_has(refusal({.bits = 8, .colours = 256, .behind = kTwo}), "ends too early");
  expect_has(refusal({.data = "\3\2\1\0"s, .offset = 0xffffffff}), "cut short");
}

TEST(Bmp, BombsAreRefused) {
  expect_has(refusal({.width = 20000, .height = 20000}), "more than the 100000000");
  expect_has(refusal({.width = 0x7fffffff, .height = std::numeric_limits<int32_t>::min()}),
             "more than the 100000000");
  expect_has(refusal({.width = 10000, .height = 10000}), "made to fill memory");
  expect_has(refusal(runs("\0\1"s, 10000, 10000)), "made to fill memory");
}

}  // namespace
}  // namespace janus
