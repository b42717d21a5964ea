// The verdict of GenEval's categories on pictures made by hand, and the metadata.
// SPDX-License-Identifier: MIT
#include "world/geneval.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "world/render.h"

namespace janus {
namespace {

DrawSample sample_of(const std::string& category, const std::string& prompt) {
  DrawSample sample;
  sample.category = category;
  sample.prompt = prompt;
  sample.said = parse_description(prompt);
  return sample;
}

Found found(const char* name, int colour, double cx, double cy, double r, double score = .9) {
  int shape = 0;
  while (shape_name(shape).one != name) ++shape;
  return {shape, colour, cx, cy, r, score};
}

std::string reason(const DrawSample& sample, std::vector<Found> objects) {
  return geneval_reason(sample, {0, 0, std::move(objects)});
}

TEST(GenEval, MetadataHasThePublishedKeys) {
  EXPECT_EQ(geneval_line(sample_of("counting", "a photo of two boxes")),
            R"({"tag":"counting","include":[{"class":"box","count":2}],)"
            R"("exclude":[{"class":"box","count":3}],"prompt":"a photo of two boxes"})");
  EXPECT_EQ(geneval_line(sample_of("position", "a photo of a fish right of a cup")),
            R"({"tag":"position","include":[{"class":"cup","count":1},)"
            R"({"class":"fish","count":1,"position":["right of",0]}],)"
            R"("prompt":"a photo of a fish right of a cup"})");
  EXPECT_EQ(geneval_line(sample_of("color_attr", "a photo of a red cup and a blue car")),
            R"({"tag":"color_attr","include":[{"class":"cup","count":1,"color":"red"},)"
            R"({"class":"car","count":1,"color":"blue"}],)"
            R"("prompt":"a photo of a red cup and a blue car"})");
}

TEST(GenEval, CountsAtLeastAndNotTooMany) {
  const DrawSample two = sample_of("counting", "a photo of two cups");
  const Found cup = found("cup", 0, 30, 30, 15);
  EXPECT_NE(reason(two, {cup}), "");
  EXPECT_EQ(reason(two, {cup, cup}), "");
  EXPECT_NE(reason(two, {cup, cup, cup}), "");
  EXPECT_EQ(reason(two, {cup, cup, found("car", 0, 90, 90, 15)}), "");
  EXPECT_EQ(reason(sample_of("single_object", "a photo of a cup"), {cup, cup}), "");
  EXPECT_NE(reason(sample_of("single_object", "a photo of a cup"), {}), "");
}

TEST(GenEval, OnlyTheMostConfidentAreLookedAtForColour) {
  const DrawSample red = sample_of("colors", "a photo of a red cup");
  const Found sure_blue = found("cup", 4, 30, 30, 15, .95),
              red_cup = found("cup", 0, 90, 90, 15, .8);
  EXPECT_EQ(reason(red, {red_cup}), "");
  EXPECT_NE(reason(red, {sure_blue}), "");
  EXPECT_NE(reason(red, {red_cup, sure_blue}), "");
}

TEST(GenEval, BothAttributesBelongToTheirObjects) {
  const DrawSample both = sample_of("color_attr", "a photo of a red cup and a blue car");
  EXPECT_EQ(reason(both, {found("car", 4, 90, 90, 15), found("cup", 0, 30, 30, 15)}), "");
  EXPECT_NE(reason(both, {found("car", 0, 90, 90, 15), found("cup", 4, 30, 30, 15)}), "");
  EXPECT_NE(reason(both, {found("cup", 0, 30, 30, 15)}), "");
}

// Radius 10 each: the margin is 0.1 · (20 + 20) = 4 of the offset.
TEST(GenEval, RelationsHaveAMarginAndACone) {
  const auto right = [](const char* word, double dx, double dy) {
    const DrawSample sample =
        sample_of("position", std::string("a photo of a fish ") + word + " a cup");
    return reason(sample, {found("cup", 0, 64, 64, 10), found("fish", 0, 64 + dx, 64 + dy, 10)})
        .empty();
  };
  EXPECT_TRUE(right("left of", -30, 0));
  EXPECT_TRUE(right("right of", 30, 0));
  EXPECT_TRUE(right("above", 0, -30));
  EXPECT_TRUE(right("below", 0, 30));
  EXPECT_FALSE(right("left of", 30, 0));
  EXPECT_FALSE(right("above", 0, 30));
  EXPECT_FALSE(right("left of", -4, 0));    // inside the margin
  EXPECT_FALSE(right("left of", -7.9, 0));  // (7.9 - 4) / 7.9 < .5
  EXPECT_TRUE(right("left of", -8.1, 0));
  EXPECT_TRUE(right("left of", -30, 30));  // a diagonal is both
  EXPECT_TRUE(right("below", -30, 30));
  EXPECT_FALSE(right("above", -30, 30));
}

TEST(GenEval, ARelationNeedsItsTarget) {
  const DrawSample sample = sample_of("position", "a photo of a fish left of a cup");
  EXPECT_NE(reason(sample, {found("fish", 0, 30, 64, 10)}), "");
  EXPECT_NE(reason(sample, {found("cup", 0, 30, 64, 10)}), "");
}

TEST(GenEval, DetectionsAreInTheScorersSchema) {
  EXPECT_EQ(detection_line("0.png", {0, 0, {found("cup", 0, 64, 32, 16, .5)}}, 64),
            R"({"filename":"0.png","detections":[{"class":"cup","box":[24.0,8.0,40.0,24.0],)"
            R"("score":0.5,"color":"red"}]})");
}

// Labels of the world and GenEval's rule agree wherever exactly one relation holds.
TEST(GenEval, RelationLabelsAreTheScorers) {
  Philox random(41, 0);
  int told = 0;
  for (int i = 0; i < 100000; ++i) {
    const auto any = [&] {
      return Object{0, 0, random.uniform(10, 118), random.uniform(10, 118), random.uniform(10, 30),
                    0};
    };
    const Object a = any(), b = any();
    const double dx = a.cx - b.cx, dy = a.cy - b.cy, norm = std::hypot(dx, dy);
    const double slack = .1 * (2 * a.r + 2 * b.r);
    const auto shrink = [&](double v) {
      return v > 0 ? std::max(v - slack, 0.0) : std::min(v + slack, 0.0);
    };
    const double x = shrink(dx) / norm, y = shrink(dy) / norm;
    const bool official[4] = {x<-.5, x> .5, y<-.5, y> .5};
    int holding = 0;
    for (int k = 0; k < 4; ++k) {
      ASSERT_EQ(is_related(static_cast<Relation>(k), a, b), official[k]) << i;
      holding += official[k];
    }
    const auto one = relation(a, b);
    ASSERT_EQ(one.has_value(), holding == 1);
    if (one) {
      ASSERT_TRUE(official[static_cast<int>(*one)]);
      ++told;
    }
  }
  EXPECT_GT(told, 50000);
}

}  // namespace
}  // namespace janus
