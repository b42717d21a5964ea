// Pictures: the golden ones decode to the reference's bytes, what is written is read back, and
// damage, bombs and other kinds of file are refused with their reason.
// SPDX-License-Identifier: MIT
#include "io/image.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <zlib.h>

#include <cstdlib>

#include "base/sha256.h"
#include "io/file.h"
#include "io/jpeg.h"
#include "io/json.h"
#include "io/resize.h"
#include "io/temp_dir.h"

namespace janus {
namespace {

namespace fs = std::filesystem;

const fs::path kPictures = fs::path(JANUSPRO_SOURCE_DIR) / "tests/golden/images";

std::string hash_of(const std::vector<uint8_t>& bytes) {
  return sha256_hex({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
}

std::string big(uint32_t value) {
  std::string text;
  for (int shift = 24; shift >= 0; shift -= 8) text += static_cast<char>(value >> shift);
  return text;
}

std::string chunk(const std::string& kind, const std::string& data) {
  const std::string body = kind + data;
  const auto sum =
      ::crc32(0, reinterpret_cast<const Bytef*>(body.data()), static_cast<uInt>(body.size()));
  return big(static_cast<uint32_t>(data.size())) + body + big(static_cast<uint32_t>(sum));
}

std::string deflated(const std::string& rows) {
  std::string out(::compressBound(rows.size()), '\0');
  uLongf size = out.size();
  ::compress2(reinterpret_cast<Bytef*>(out.data()), &size,
              reinterpret_cast<const Bytef*>(rows.data()), rows.size(), 9);
  out.resize(size);
  return out;
}

const std::string kSignature("\x89PNG\r\n\x1a\n", 8);

struct PngParts {
  uint32_t width = 1;
  uint32_t height = 1;
  char depth = 8;
  char colour = 2;
  std::string before = {};  // chunks between header and pixels
  std::string rows = std::string("\0\1\2\3", 4);
};

std::string png(const PngParts& parts) {
  return kSignature +
         chunk("IHDR", big(parts.width) + big(parts.height) + parts.depth + parts.colour +
                           std::string(3, '\0')) +
         parts.before + chunk("IDAT", deflated(parts.rows)) + chunk("IEND", "");
}

Image decode(const std::string& bytes) {
  return decode_image(std::as_bytes(std::span(bytes)), "picture");
}

std::string refusal(const std::string& bytes) {
  return error_of(Code::bad_input, [&] { decode(bytes); });
}

TEST(Image, GoldenPicturesAreDecodedAndFittedToTheByte) {
  const auto sums = read_json(kPictures / "preprocess.json");
  ASSERT_EQ(sums.size(), 8u);
  for (const auto& [name, expected] : sums.items()) {
    SCOPED_TRACE(name);
    const Image image = load_image(kPictures / name);
    EXPECT_EQ(image.width, expected["width"]);
    EXPECT_EQ(image.height, expected["height"]);
    EXPECT_EQ(hash_of(image.rgb), expected["rgb"]);
    EXPECT_EQ(hash_of(fit_and_pad(image, 384).rgb), expected["u8_384"]);
  }
}

TEST(Image, WrittenPicturesComeBackWithTheirText) {
  Image image{.width = 3, .height = 2, .rgb = {}};
  for (uint8_t i = 0; i < 18; ++i) image.rgb.push_back(static_cast<uint8_t>(i * 14));
  const std::map<std::string, std::string> text = {{"parameters", "{\"prompt\": \"eine Möwe 🐦\"}"},
                                                   {"Software", "januspro"}};
  const auto bytes = encode_image(image, text);
  EXPECT_EQ(decode_image(bytes, "own"), image);
  const TempDir dir;
  write_atomically(dir / "own.png", bytes);
  EXPECT_EQ(load_picture_text(dir / "own.png"), text);
  EXPECT_EQ(encode_image(image, text), bytes);
}

TEST(Image, TextOfEveryKindOfChunkIsRead) {
  const TempDir dir;
  const std::string zero(1, '\0');
  const std::string body =
      png({.before = chunk("tEXt", "Title" + zero + "caf\xe9") +
                     chunk("zTXt", "Long" + zero + zero + deflated("squeezed"))});
  const size_t end = body.size() - 12;
  dir.write("a.png", body.substr(0, end) +
                         chunk("iTXt", "Late" + zero + zero + zero + zero + zero + "für") +
                         body.substr(end));
  const auto text = load_picture_text(dir / "a.png");
  EXPECT_EQ(text.at("Title"), "café");
  EXPECT_EQ(text.at("Long"), "squeezed");
  EXPECT_EQ(text.at("Late"), "für");
  EXPECT_TRUE(load_picture_text(kPictures / "rocket.jpg").empty());
}

TEST(Image, UnusableTextAndPicturesAreNotWritten) {
  const Image pixel{.width = 1, .height = 1, .rgb = {1, 2, 3}};
  error_of(Code::bad_input, [&] { encode_image(pixel, {{"", "no keyword"}}); });
  error_of(Code::bad_input, [&] { encode_image(pixel, {{std::string(80, 'k'), "long"}}); });
  error_of(Code::bad_input, [&] { encode_image({.width = 2, .height = 1, .rgb = {1, 2, 3}}); });
  error_of(Code::bad_input, [&] { encode_image({}); });
  const PictureOptions jpeg{PictureFormat::jpeg}, webp{PictureFormat::webp};
  expect_has(error_of(Code::bad_input,
                      [&] {
                        encode_image(pixel, {{"Title", "x"}}, jpeg);
                      }),
             "one text");
  expect_has(error_of(Code::bad_input,
                      [&] {
                        encode_image(pixel, {{"parameters", "x"}, {"q", "x"}}, webp);
                      }),
             "one text");
  const std::string largest((65533 - 6 - 64) / 2, 'x');
  encode_image(pixel, {{"parameters", largest}}, jpeg);
  expect_has(error_of(Code::bad_input,
                      [&] {
                        encode_image(pixel, {{"parameters", largest + "xx"}}, jpeg);
                      }),
             "does not fit in a JPEG");
  encode_image(pixel, {{"parameters", largest + "xx"}}, webp);
  for (const int quality : {-1, 101}) {
    error_of(Code::bad_input, [&] { encode_image(pixel, {}, {PictureFormat::jpeg, quality}); });
  }
  expect_has(error_of(Code::bad_input,
                      [&] {
                        encode_image(pixel, {}, {PictureFormat::png, 90});
                      }),
             "no quality");
  Image wide{.width = 65501, .height = 1, .rgb = std::vector<uint8_t>(65501 * 3)};
  expect_has(error_of(Code::bad_input, [&] { encode_image(wide, {}, jpeg); }), "at most 65500");
}

// Smooth, so that a lossy format keeps it.
Image gradient(int width, int height) {
  Image image{.width = width, .height = height, .rgb = {}};
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      image.rgb.insert(image.rgb.end(),
                       {static_cast<uint8_t>(x * 4), static_cast<uint8_t>(y * 6), 90});
    }
  }
  return image;
}

TEST(Image, JpegsKeepWhatTheirQualitySays) {
  const Image image = gradient(50, 33);
  const auto distance = [&](int quality) {
    const auto bytes = encode_image(image, {}, {PictureFormat::jpeg, quality});
    EXPECT_EQ(bytes, encode_image(image, {}, {PictureFormat::jpeg, quality}));
    const Image back = decode_image(bytes, "own");
    EXPECT_EQ(back.width, image.width);
    EXPECT_EQ(back.height, image.height);
    double sum = 0;
    for (size_t i = 0; i < image.rgb.size(); ++i) sum += std::abs(back.rgb[i] - image.rgb[i]);
    return sum / static_cast<double>(image.rgb.size());
  };
  EXPECT_LT(distance(100), 1);
  EXPECT_LT(distance(0), 1.5);  // the usual one
  EXPECT_GT(distance(5), 2 * distance(0));
  EXPECT_EQ(encode_image(image, {}, {PictureFormat::jpeg, 0}),
            encode_image(image, {}, {PictureFormat::jpeg, 95}));
}

TEST(Image, TheCommentOfEveryFormatComesBack) {
  const TempDir dir;
  const Image image = gradient(8, 8);
  for (const PictureFormat format :
       {PictureFormat::png, PictureFormat::jpeg, PictureFormat::webp}) {
    const std::map<std::string, std::string> text = {{"parameters", "{\"a\": \"Möwe 🐦\"}"}};
    write_atomically(dir / "a", encode_image(image, text, {format}));
    EXPECT_EQ(load_picture_text(dir / "a"), text);
    EXPECT_EQ(load_image(dir / "a").width, 8);
    write_atomically(dir / "a", encode_image(image, {}, {format}));
    EXPECT_TRUE(load_picture_text(dir / "a").empty());
  }
}

// The block of a picture that lies on its side.
std::string lying() {
  return "MM" + std::string("\0\x2a\0\0\0\x08\0\1\1\x12\0\3\0\0\0\1\0\6\0\0\0\0\0\0", 24);
}

TEST(Image, OrientationIsAppliedWhereAsked) {
  const Image image = gradient(5, 2);
  const auto bytes_of = [&](PictureFormat format) {
    const auto bytes = encode_image(image, {{"parameters", "x"}}, {format});
    return std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  };
  std::string png = bytes_of(PictureFormat::png);
  png.insert(33, chunk("eXIf", lying()));
  std::string jpeg = bytes_of(PictureFormat::jpeg);
  std::string webp = bytes_of(PictureFormat::webp);
  for (std::string* bytes : {&jpeg, &webp}) {
    // In place of the comment's block, which is longer.
    const size_t at = bytes->find("MM" + std::string("\0\x2a", 2));
    ASSERT_NE(at, std::string::npos);
    bytes->replace(at, lying().size(), lying());
  }
  for (const std::string* bytes : {&png, &jpeg, &webp}) {
    const auto span = std::as_bytes(std::span(*bytes));
    const Image stored = decode_image(span, "picture");
    EXPECT_EQ(stored.width, 5);
    const Image upright = decode_upright(span, "picture");
    EXPECT_EQ(upright.width, 2);
    EXPECT_EQ(upright.height, 5);
    // A quarter to the right: the first column, from below, is the first row.
    const auto pixel = [](const Image& from, int x, int y) {
      const auto* at = &from.rgb[static_cast<size_t>((y * from.width + x) * 3)];
      return std::vector<uint8_t>(at, at + 3);
    };
    EXPECT_EQ(pixel(upright, 0, 0), pixel(stored, 0, 1));
    EXPECT_EQ(pixel(upright, 1, 4), pixel(stored, 4, 0));
  }
  const TempDir dir;
  EXPECT_EQ(load_upright(dir.write("a", png)).width, 2);
  EXPECT_EQ(load_image(dir / "a").width, 5);
}

TEST(Image, DamagedExifIsPassedOver) {
  const Image image = gradient(5, 2);
  const auto encoded = encode_image(image, {{"parameters", "x"}}, {PictureFormat::jpeg});
  std::string jpeg(reinterpret_cast<const char*>(encoded.data()), encoded.size());
  const size_t at = jpeg.find("Exif");
  jpeg[at + 7] = 'x';
  EXPECT_EQ(decode_upright(std::as_bytes(std::span(jpeg)), "picture").width, 5);
  const TempDir dir;
  EXPECT_TRUE(load_picture_text(dir.write("a", jpeg)).empty());
  // Segments of no length, and past the end.
  for (const std::string& length :
       {std::string("\0\0", 2), std::string("\xff\xff"), std::string("\0\x29", 2)}) {
    const std::string head = "\xff\xd8\xff\xe1" + length + std::string("Exif\0\0", 6) + lying();
    EXPECT_EQ(jpeg_exif(std::as_bytes(std::span(head))).size(), 0u);
  }
  const std::string whole =
      "\xff\xd8\xff\xff\xe1" + std::string("\0\x22", 2) + std::string("Exif\0\0", 6) + lying();
  EXPECT_EQ(jpeg_exif(std::as_bytes(std::span(whole))).size(), lying().size());
}

TEST(Image, SixteenBitsKeepTheHighByte) {
  const std::string zero(1, '\0');
  EXPECT_EQ(decode(png({.depth = 16, .colour = 0, .rows = zero + "\x12\xff"})).rgb,
            (std::vector<uint8_t>{0x12, 0x12, 0x12}));
  EXPECT_EQ(decode(png({.depth = 16, .colour = 2, .rows = zero + "\x12\xff\x34\x80\x56\x7f"})).rgb,
            (std::vector<uint8_t>{0x12, 0x34, 0x56}));
}

TEST(Image, GreyIsSpreadAndPaletteLookedUp) {
  const std::string zero(1, '\0');
  // Two bits a pixel: 0, 1, 2, 3.
  EXPECT_EQ(decode(png({.width = 4, .depth = 2, .colour = 0, .rows = zero + "\x1b"})).rgb,
            (std::vector<uint8_t>{0, 0, 0, 85, 85, 85, 170, 170, 170, 255, 255, 255}));
  // Four bits a pixel; index 9 is past the palette of two colours.
  EXPECT_EQ(decode(png({.width = 2,
                        .depth = 4,
                        .colour = 3,
                        .before = chunk("PLTE", "abcdef"),
                        .rows = zero + "\x19"}))
                .rgb,
            (std::vector<uint8_t>{'d', 'e', 'f', 0, 0, 0}));
}

TEST(Image, OtherKindsAreNamed) {
  expect_has(refusal("RIFF....WAVE"), "unknown kind");
  expect_has(refusal(std::string("II*\0", 4)), "TIFF");
  expect_has(refusal("....ftypavif"), "AVIF");
  expect_has(refusal("<html>"), "web page");
  expect_has(refusal("version https://git-lfs.github.com"), "git lfs pull");
  expect_has(refusal("hello"), "unknown kind");
  expect_has(refusal(""), "empty");
  const TempDir dir;
  expect_has(error_of(Code::bad_input, [&] { load_image(dir / "absent.png"); }), "absent.png");
  expect_has(error_of(Code::bad_input, [&] { load_image(dir.path()); }), "directory");
  const ImageLimits small{.file_bytes = 10};
  expect_has(error_of(Code::bad_input, [&] { load_image(kPictures / "rocket.jpg", small); }),
             "more than the 10");
}

TEST(Image, DamagedPngsAreRefused) {
  const std::string good = png({});
  ASSERT_EQ(decode(good).rgb, (std::vector<uint8_t>{1, 2, 3}));
  for (size_t n = 8; n < good.size(); ++n) {
    EXPECT_THROW(decode(good.substr(0, n)), Error) << n << " bytes";
  }
  std::string wrong_sum = good;
  wrong_sum[29] = static_cast<char>(wrong_sum[29] ^ 1);
  expect_has(refusal(wrong_sum), "CRC");
  expect_has(refusal(png({.depth = 3})), "damaged PNG");
  expect_has(refusal(png({.colour = 3})), "PLTE");
  expect_has(refusal(png({.rows = "\0\1"})), "damaged PNG");
  expect_has(refusal(png({.width = 0})), "damaged PNG");
}

TEST(Image, DamagedJpegsAreRefused) {
  const std::string good = read_text(kPictures / "china-progressive.jpg");
  for (const size_t n : {3ul, 20ul, 200ul, good.size() / 2, good.size() - 40}) {
    expect_has(refusal(good.substr(0, n)), "damaged JPEG");
  }
  const std::string baseline = read_text(kPictures / "rocket.jpg");
  for (const size_t n : {200ul, baseline.size() / 2, baseline.size() - 40}) {
    expect_has(refusal(baseline.substr(0, n)), "ends too early");
  }
  expect_has(refusal("\xff\xd8\xff\xd9"), "damaged JPEG");
}

TEST(Image, EndlessScansAreRefused) {
  const std::string good = read_text(kPictures / "china-progressive.jpg");
  const size_t begin = good.find("\xff\xda");
  size_t end = begin + 2;
  while (good[end] != '\xff' || good[end + 1] == '\0') ++end;  // the next marker
  std::string endless = good.substr(0, end);
  for (int i = 0; i < 200; ++i) endless += good.substr(begin, end - begin);
  expect_has(refusal(endless + good.substr(end)), "more scans");
}

// Highest memory this process has used, in kB.
long peak_memory() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss;
}

TEST(Image, BombsAreRefusedBeforeMemoryIsTaken) {
  expect_has(refusal(png({.width = 60000, .height = 60000})), "more than the 100000000");
  expect_has(refusal(png({.width = 10000, .height = 10000})), "made to fill memory");
  expect_has(refusal(png({.width = 4000000000u, .height = 1})), "damaged PNG");
  // A text that inflates to 100 MB is dropped; the picture is fine.
  const std::string zero(1, '\0');
  const std::string text =
      chunk("zTXt", "Bomb" + zero + zero + deflated(std::string(100000000, 'x')));
  const long made = peak_memory();
  EXPECT_EQ(decode(png({.before = text})).rgb, (std::vector<uint8_t>{1, 2, 3}));
  // A JPEG header for 65,500 x 65,500 pixels, and one for as much as is allowed, without data.
  const std::string jpeg = read_text(kPictures / "rocket.jpg");
  const size_t frame = jpeg.find("\xff\xc0");
  ASSERT_NE(frame, std::string::npos);
  const auto sized = [&](uint16_t side) {
    std::string changed = jpeg;
    for (const size_t at : {frame + 5, frame + 7}) {
      changed[at] = static_cast<char>(side >> 8);
      changed[at + 1] = static_cast<char>(side & 0xff);
    }
    return changed;
  };
  expect_has(refusal(sized(65500)), "more than the 100000000");
  expect_has(refusal(sized(10000)), "premature end");
  // A chunk that claims 2 GB.
  expect_has(refusal(png({.before = big(0x7fffffff) + "tEXtTitle"})), "ends too early");
  EXPECT_LT(peak_memory() - made, 64 * 1024);
}

}  // namespace
}  // namespace janus
