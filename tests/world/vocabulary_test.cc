// The contrast rule, the counts of held-out combinations, and Lab against published values.
// SPDX-License-Identifier: MIT
#include "world/vocabulary.h"

#include <gtest/gtest.h>

#include <set>

namespace janus {
namespace {

TEST(Vocabulary, ContrastRuleForbidsExactlySevenPairs) {
  std::set<std::string> forbidden;
  for (int colour = 0; colour < kColourCount; ++colour) {
    for (int palette = 0; palette < kPaletteCount; ++palette) {
      if (stands_out(colour, palette)) continue;
      forbidden.insert(std::string(colour_name(colour)) + " on " +
                       std::string(kPalettes[static_cast<size_t>(palette)].name));
    }
  }
  EXPECT_EQ(forbidden, (std::set<std::string>{"white on cream", "white on sky", "white on mint",
                                              "white on lilac", "white on sand", "white on rose",
                                              "black on night"}));
}

// Pure sRGB primaries under D65, as tabulated by Bruce Lindbloom's calculator.
TEST(Vocabulary, LabOfPrimaries) {
  const Lab white = to_lab({1, 1, 1}), red = to_lab({1, 0, 0}), blue = to_lab({0, 0, 1});
  EXPECT_NEAR(white.l, 100, .01);
  EXPECT_NEAR(white.a, 0, .02);
  EXPECT_NEAR(white.b, 0, .02);
  EXPECT_NEAR(red.l, 53.24, .02);
  EXPECT_NEAR(red.a, 80.09, .02);
  EXPECT_NEAR(red.b, 67.20, .02);
  EXPECT_NEAR(blue.l, 32.30, .02);
  EXPECT_NEAR(blue.a, 79.19, .02);
  EXPECT_NEAR(blue.b, -107.86, .02);
}

TEST(Vocabulary, HeldOutPairsAreAFifthAndEven) {
  int all = 0;
  for (int shape = 0; shape < kShapeCount; ++shape) {
    int of_shape = 0;
    for (int colour = 0; colour < kColourCount; ++colour) of_shape += held_out(shape, colour);
    EXPECT_EQ(of_shape, 2) << shape_name(shape).one;
    all += of_shape;
  }
  EXPECT_EQ(all, 40);
  for (int colour = 0; colour < kColourCount; ++colour) {
    int of_colour = 0;
    for (int shape = 0; shape < kShapeCount; ++shape) of_colour += held_out(shape, colour);
    EXPECT_EQ(of_colour, 4) << colour_name(colour);
  }
}

TEST(Vocabulary, HeldOutCountsAndRelations) {
  int counts = 0, relations = 0;
  for (int shape = 0; shape < kShapeCount; ++shape) {
    int of_shape = 0;
    for (int count = 0; count <= 5; ++count) of_shape += held_out_count(shape, count);
    EXPECT_LE(of_shape, 1);
    counts += of_shape;
    for (int other = 0; other < kShapeCount; ++other) {
      relations += shape != other && held_out_relation(shape, other);
    }
  }
  EXPECT_EQ(counts, 9);
  EXPECT_NEAR(relations / 380.0, 1.0 / 7, .02);
}

TEST(Vocabulary, Articles) {
  EXPECT_EQ(with_article("orange cup"), "an orange cup");
  EXPECT_EQ(with_article("arrow"), "an arrow");
  EXPECT_EQ(with_article("blue arrow"), "a blue arrow");
}

}  // namespace
}  // namespace janus
