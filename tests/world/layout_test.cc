// Layouts of one to four objects, and what the words of place mean.
// SPDX-License-Identifier: MIT
#include "world/layout.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <set>

#include "world/relation.h"

namespace janus {
namespace {

TEST(Layout, NothingTouchesAndNothingLeaves) {
  for (uint64_t index = 0; index < 20000; ++index) {
    Philox random(11, index);
    Scene scene;
    for (int n = 1 + static_cast<int>(index % kMostObjects); n > 0; --n) {
      scene.objects.push_back(draw_object(random, Pairs::all));
    }
    draw_backdrop(random, scene);
    lay_out(random, scene);
    for (size_t i = 0; i < scene.objects.size(); ++i) {
      const Object& a = scene.objects[i];
      ASSERT_GE(a.cx - a.r, 4);
      ASSERT_LE(a.cx + a.r, 124);
      ASSERT_GE(a.cy - a.r, 4);
      ASSERT_LE(a.cy + a.r, 121);
      ASSERT_TRUE(stands_out(a.colour, scene.palette));
      for (size_t j = 0; j < i; ++j) {
        const Object& b = scene.objects[j];
        ASSERT_GE(std::hypot(a.cx - b.cx, a.cy - b.cy), a.r + b.r + 4 - 1e-9) << index;
      }
    }
  }
}

TEST(Layout, RadiiFillTheirRanges) {
  double least = 1e9, most = 0;
  for (uint64_t index = 0; index < 5000; ++index) {
    Philox random(12, index);
    Scene scene;
    scene.objects.resize(1);
    lay_out(random, scene);
    least = std::min(least, scene.objects[0].r);
    most = std::max(most, scene.objects[0].r);
  }
  EXPECT_NEAR(least, 26, .1);
  EXPECT_NEAR(most, 46, .1);
}

TEST(Layout, SeenPairsAreEveryPairNotHeldOut) {
  Philox random(13, 0);
  std::set<std::pair<int, int>> drawn;
  for (int i = 0; i < 20000; ++i) {
    const Object object = draw_object(random, Pairs::seen);
    drawn.insert({object.shape, object.colour});
  }
  EXPECT_EQ(drawn.size(), 160u);
  for (const auto& [shape, colour] : drawn) EXPECT_FALSE(held_out(shape, colour));
}

TEST(Scene, RecordIsCanonical) {
  const Scene scene{1, 3, {{3, 6, 64, 60.25, 30.00006, -.1}}};
  EXPECT_EQ(scene_record(scene, Split::val, "draw", 7),
            R"({"v":1,"split":"val","task":"draw","index":7,"bg":{"palette":"sky","kind":"table"},)"
            R"("objects":[{"class":"star","color":"pink","cx":64.0000,"cy":60.2500,"r":30.0001,)"
            R"("rot":-0.1000}]})");
}

TEST(Scene, StreamsDifferBySplitTaskAndIndex) {
  std::set<uint32_t> first;
  for (const Split split : {Split::train, Split::val, Split::test}) {
    for (const char* task : {"codec", "draw", "ask"}) {
      for (uint64_t index = 0; index < 3; ++index) {
        first.insert(world_stream(split, task, index).next());
      }
    }
  }
  EXPECT_EQ(first.size(), 27u);
}

// GenEval's relative_position on boxes (x1, y1, x2, y2), as a set of words.
std::set<std::string> geneval_relations(const Object& a, const Object& b) {
  const double box_a[4] = {a.cx - a.r, a.cy - a.r, a.cx + a.r, a.cy + a.r};
  const double box_b[4] = {b.cx - b.r, b.cy - b.r, b.cx + b.r, b.cy + b.r};
  double offset[2], revised[2];
  for (int axis = 0; axis < 2; ++axis) {
    offset[axis] = (box_a[axis] + box_a[axis + 2]) / 2 - (box_b[axis] + box_b[axis + 2]) / 2;
    const double widths = box_a[axis + 2] - box_a[axis] + box_b[axis + 2] - box_b[axis];
    const double left = std::max(std::abs(offset[axis]) - .1 * widths, 0.0);
    revised[axis] = offset[axis] < 0 ? -left : left;
  }
  std::set<std::string> words;
  const double norm = std::sqrt(offset[0] * offset[0] + offset[1] * offset[1]);
  if (revised[0] / norm < -.5) words.insert("left of");
  if (revised[0] / norm > .5) words.insert("right of");
  if (revised[1] / norm < -.5) words.insert("above");
  if (revised[1] / norm > .5) words.insert("below");
  return words;
}

TEST(Relation, AgreesWithGenEval) {
  std::map<std::string, int> seen;
  Philox random(14, 0);
  for (int i = 0; i < 100000; ++i) {
    const auto object = [&] {
      return Object{0, 0, random.uniform(0, 128), random.uniform(0, 128), random.uniform(16, 46),
                    0};
    };
    const Object a = object(), b = object();
    const std::set<std::string> expected = geneval_relations(a, b);
    const auto found = relation(a, b);
    ASSERT_EQ(found.has_value(), expected.size() == 1) << i;
    if (!found) continue;
    const std::string word(kRelations[static_cast<size_t>(*found)]);
    ASSERT_EQ(word, *expected.begin()) << i;
    ++seen[word];
  }
  EXPECT_EQ(seen.size(), 4u);
}

TEST(Relation, Cells) {
  const auto cell = [](double x, double y) {
    return kCells[static_cast<size_t>(cell_of({0, 0, x, y, 20, 0}))];
  };
  EXPECT_EQ(cell(30, 30), "top left");
  EXPECT_EQ(cell(64, 30), "top");
  EXPECT_EQ(cell(90, 46), "right");
  EXPECT_EQ(cell(46, 82), "middle");
  EXPECT_EQ(cell(45.9, 82), "left");
  EXPECT_EQ(cell(82.1, 83), "bottom right");
}

TEST(Relation, BiggerNeedsAQuarterMore) {
  const Object small{0, 0, 0, 0, 20, 0}, big{0, 0, 0, 0, 25, 0}, middle{0, 0, 0, 0, 24.9, 0};
  EXPECT_TRUE(clearly_bigger(big, small));
  EXPECT_FALSE(clearly_bigger(middle, small));
  EXPECT_FALSE(clearly_bigger(small, big));
}

}  // namespace
}  // namespace janus
