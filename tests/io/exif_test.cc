// EXIF: orientation and comment of blocks in both byte orders, and what damage does to them:
// nothing. SPDX-License-Identifier: MIT
#include "io/exif.h"

#include <gtest/gtest.h>

namespace janus {
namespace {

using namespace std::string_literals;

std::string number(uint32_t value, int size, bool big) {
  std::string out;
  for (int i = 0; i < size; ++i) {
    out += static_cast<char>(value >> 8 * (big ? size - 1 - i : i));
  }
  return out;
}

struct Entry {
  uint32_t tag;
  uint32_t type;
  uint32_t count;
  std::string value;  // of four bytes
};

std::string table(const std::vector<Entry>& entries, bool big) {
  std::string out = number(static_cast<uint32_t>(entries.size()), 2, big);
  for (const Entry& entry : entries) {
    out += number(entry.tag, 2, big) + number(entry.type, 2, big) + number(entry.count, 4, big) +
           entry.value;
  }
  return out + number(0, 4, big);
}

std::string tiff(const std::string& tables, bool big) {
  return (big ? "MM" : "II") + number(42, 2, big) + number(8, 4, big) + tables;
}

Exif read(const std::string& block) { return read_exif(std::as_bytes(std::span(block))); }

std::string oriented(uint32_t value, bool big, uint32_t type = 3, uint32_t count = 1) {
  const std::string stored = type == 3 ? number(value, 2, big) + "\0\0"s : number(value, 4, big);
  return tiff(table({{0x0112, type, count, stored}}, big), big);
}

// A block whose user comment has these bytes.
std::string commented(const std::string& bytes, bool big, uint32_t type = 7) {
  const auto at = [&](uint32_t place) { return number(place, 4, big); };
  const std::string first = table({{0x8769, 4, 1, at(26)}}, big);
  return tiff(
      first + table({{0x9286, type, static_cast<uint32_t>(bytes.size()), at(44)}}, big) + bytes,
      big);
}

TEST(Exif, OrientationIsReadInBothByteOrders) {
  for (const bool big : {true, false}) {
    for (int value = 1; value <= 8; ++value) {
      EXPECT_EQ(read(oriented(static_cast<uint32_t>(value), big)).orientation, value);
      EXPECT_EQ(read("Exif\0\0"s + oriented(static_cast<uint32_t>(value), big)).orientation, value);
      EXPECT_EQ(read(oriented(static_cast<uint32_t>(value), big, 4)).orientation, value);
    }
    for (const uint32_t value : {0u, 9u, 65535u}) {
      EXPECT_EQ(read(oriented(value, big)).orientation, 1);
    }
    EXPECT_EQ(read(oriented(6, big, 2)).orientation, 1);     // a text
    EXPECT_EQ(read(oriented(6, big, 3, 2)).orientation, 1);  // two of them
    EXPECT_EQ(read(oriented(6, big)).comment, std::nullopt);
  }
}

TEST(Exif, CommentsOfEveryCharacterCodeAreRead) {
  EXPECT_EQ(read(commented("ASCII\0\0\0a cat"s, true)).comment, "a cat");
  EXPECT_EQ(read(commented("\0\0\0\0\0\0\0\0caf\xc3\xa9"s, false)).comment, "café");
  EXPECT_EQ(read(commented("ASCII\0\0\0a cat\0\0\0"s, true)).comment, "a cat");
  EXPECT_EQ(read(commented("ASCII\0\0\0"s, true)).comment, "");
  EXPECT_EQ(read(commented("ASCII\0\0\0a cat"s, true, 1)).comment, "a cat");
  EXPECT_EQ(read(commented("ASCII\0\0\0a cat"s, true, 2)).comment, "a cat");
  EXPECT_EQ(read(commented("ASCII\0\0\0a cat"s, true, 4)).comment, std::nullopt);
  EXPECT_EQ(read(commented("JIS\0\0\0\0\0a cat"s, true)).comment, std::nullopt);
  EXPECT_EQ(read(commented("ASCII"s, true)).comment, std::nullopt);
  EXPECT_EQ(read(commented("ASCII\0\0\0a \xff"s, true)).comment, "a \xef\xbf\xbd");
}

TEST(Exif, Utf16IsReadInTheOrderItHas) {
  const std::string big = "\0{\0M\0\xf6\x20\xac\xd8\x3d\xdc\x26"s;
  const std::string little = "{\0M\0\xf6\0\xac\x20\x3d\xd8\x26\xdc"s;
  for (const bool file : {true, false}) {
    EXPECT_EQ(read(commented("UNICODE\0"s + big, file)).comment, "{Mö€🐦");
    EXPECT_EQ(read(commented("UNICODE\0"s + little, file)).comment, "{Mö€🐦");
    EXPECT_EQ(read(commented("UNICODE\0\xfe\xff"s + big, file)).comment, "{Mö€🐦");
    EXPECT_EQ(read(commented("UNICODE\0\xff\xfe"s + little, file)).comment, "{Mö€🐦");
    // Nothing in the text tells: the order of the file.
    EXPECT_EQ(read(commented("UNICODE\0\x4e\x2d"s, file)).comment, file ? "中" : "ⵎ");
    // Halves of a pair, and half a character at the end.
    EXPECT_EQ(read(commented("UNICODE\0\0a\xd8\x3d\0b\xdc\x26\0"s, file)).comment,
              "a\xef\xbf\xbd"
              "b\xef\xbf\xbd");
  }
}

TEST(Exif, WhatIsWrittenIsReadBack) {
  for (const std::string& text :
       {""s, "{}"s, "{\"prompt\": \"eine Möwe 🐦\"}"s, "ĀĀ"s, std::string(100'000, 'x')}) {
    const auto block = write_exif(text);
    const Exif exif = read_exif(block);
    EXPECT_EQ(exif.comment, text);
    EXPECT_EQ(exif.orientation, 1);
  }
  const std::string broken =
      "a\xff"
      "b";
  EXPECT_EQ(read_exif(write_exif(broken)).comment,
            "a\xef\xbf\xbd"
            "b");
}

TEST(Exif, DamageSaysNothing) {
  EXPECT_EQ(read("").orientation, 1);
  EXPECT_EQ(read("hello").orientation, 1);
  const std::string good = commented("ASCII\0\0\0a cat"s, true);
  for (size_t n = 0; n < good.size(); ++n) {
    EXPECT_EQ(read(good.substr(0, n)).comment, std::nullopt) << n;
  }
  const std::string turned = oriented(6, false);
  for (size_t n = 0; n < 22; ++n) EXPECT_EQ(read(turned.substr(0, n)).orientation, 1) << n;
  // A table that points at itself, counts and places past the end.
  EXPECT_EQ(read(tiff(table({{0x8769, 4, 1, number(8, 4, true)}}, true), true)).comment,
            std::nullopt);
  EXPECT_EQ(read(tiff(table({{0x8769, 4, 1, "\xff\xff\xff\xff"}}, true), true)).comment,
            std::nullopt);
  const std::string far = tiff(table({{0x8769, 4, 1, number(26, 4, true)}}, true) +
                                   table({{0x9286, 7, 0xffffffff, number(44, 4, true)}}, true),
                               true);
  EXPECT_EQ(read(far).comment, std::nullopt);
  EXPECT_EQ(read("MM\0\x2a\xff\xff\xff\xff"s).orientation, 1);
  EXPECT_EQ(read("MM\0\x2a\0\0\0\x08\xff\xff"s).orientation, 1);
}

}  // namespace
}  // namespace janus
