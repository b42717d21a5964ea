// Every orientation on a picture of two by three pixels, by hand.
// SPDX-License-Identifier: MIT
#include "io/orientation.h"

#include <gtest/gtest.h>

#include <string>

namespace janus {
namespace {

// Rows of letters, one a pixel.
Image drawn(const std::vector<std::string>& rows) {
  Image image{.width = static_cast<int>(rows[0].size()),
              .height = static_cast<int>(rows.size()),
              .rgb = {}};
  for (const std::string& row : rows) {
    for (const char c : row) {
      image.rgb.insert(image.rgb.end(), {static_cast<uint8_t>(c), 1, static_cast<uint8_t>(c + 9)});
    }
  }
  return image;
}

TEST(Orientation, AllEightAreUndone) {
  const Image stored = drawn({"ab", "cd", "ef"});
  const std::vector<std::vector<std::string>> upright = {
      {"ab", "cd", "ef"}, {"ba", "dc", "fe"}, {"fe", "dc", "ba"}, {"ef", "cd", "ab"},
      {"ace", "bdf"},     {"eca", "fdb"},     {"fdb", "eca"},     {"bdf", "ace"}};
  for (int orientation = 1; orientation <= 8; ++orientation) {
    EXPECT_EQ(turned_upright(stored, orientation),
              drawn(upright[static_cast<size_t>(orientation - 1)]))
        << orientation;
  }
  for (const int none : {-1, 0, 9, 65536}) EXPECT_EQ(turned_upright(stored, none), stored);
}

}  // namespace
}  // namespace janus
