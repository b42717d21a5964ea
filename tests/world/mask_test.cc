// Components, holes, borders and frames on masks drawn by hand.
// SPDX-License-Identifier: MIT
#include "world/mask.h"

#include <gtest/gtest.h>

#include <numeric>

namespace janus {
namespace {

void fill_box(Mask& mask, int left, int top, int right, int bottom, uint8_t value = 1) {
  for (int y = top; y < bottom; ++y) {
    for (int x = left; x < right; ++x) mask.on[mask.at(x, y)] = value;
  }
}

int area(const Mask& mask) { return std::accumulate(mask.on.begin(), mask.on.end(), 0); }

TEST(Mask, ComponentsJoinAtCornersAndLoseSpecks) {
  Mask mask(32);
  fill_box(mask, 2, 2, 6, 6);
  fill_box(mask, 6, 6, 10, 10);  // touches at a corner
  fill_box(mask, 20, 20, 24, 24);
  fill_box(mask, 28, 2, 30, 4);  // four pixels
  const std::vector<Mask> parts = components(mask, 5);
  ASSERT_EQ(parts.size(), 2u);
  EXPECT_EQ(area(parts[0]), 32);
  EXPECT_EQ(area(parts[1]), 16);
}

TEST(Mask, AComponentInAHoleIsPartOfItsHolder) {
  Mask mask(32);
  fill_box(mask, 4, 4, 20, 20);
  fill_box(mask, 6, 6, 18, 18, 0);
  fill_box(mask, 10, 10, 14, 14);
  fill_box(mask, 24, 24, 28, 28);
  const std::vector<Mask> parts = components(mask, 5);
  ASSERT_EQ(parts.size(), 2u);
  EXPECT_EQ(area(parts[0]), 16 * 16 - 12 * 12 + 16);
  EXPECT_EQ(area(parts[1]), 16);
}

TEST(Mask, ABayIsNoHole) {
  Mask mask(32);
  fill_box(mask, 4, 4, 20, 20);
  fill_box(mask, 6, 6, 20, 18, 0);  // open to the right
  fill_box(mask, 10, 10, 14, 14);
  EXPECT_EQ(components(mask, 5).size(), 2u);
}

TEST(Mask, SmallHolesAreFilled) {
  Mask mask(32);
  fill_box(mask, 2, 2, 22, 22);
  fill_box(mask, 4, 4, 6, 6, 0);      // 4 pixels
  fill_box(mask, 10, 10, 18, 18, 0);  // 64 pixels
  fill_small_holes(mask, .06);
  EXPECT_EQ(area(mask), 400 - 64);
}

TEST(Mask, PeelTakesOneLayer) {
  Mask mask(32);
  fill_box(mask, 5, 6, 15, 12);
  EXPECT_EQ(area(peel(mask)), 8 * 4);
  EXPECT_EQ(area(peel(peel(peel(mask)))), 0);
}

TEST(Mask, PoseIsCentroidAndArea) {
  Mask mask(32);
  fill_box(mask, 4, 8, 10, 12);
  const Pose pose = pose_of(mask);
  EXPECT_DOUBLE_EQ(pose.cx, 7);
  EXPECT_DOUBLE_EQ(pose.cy, 10);
  EXPECT_DOUBLE_EQ(pose.area, 24);
  EXPECT_DOUBLE_EQ(pose_of(Mask(16)).area, 0);
}

TEST(Mask, FramesForgetPlaceAndSize) {
  Mask small(96), big(96);
  fill_box(small, 10, 20, 30, 30);
  fill_box(big, 20, 30, 80, 60);
  const Frame a = frame_of(small, pose_of(small), 0), b = frame_of(big, pose_of(big), 0);
  EXPECT_GT(overlap(a, b), .93);
  EXPECT_DOUBLE_EQ(overlap(a, a), 1);
  EXPECT_LT(overlap(a, frame_of(big, pose_of(big), 1.5708)), .5);
  EXPECT_DOUBLE_EQ(overlap(a, Frame{}), 0);
  EXPECT_DOUBLE_EQ(overlap(Frame{}, Frame{}), 0);
}

}  // namespace
}  // namespace janus
