// Composed scenes: harmonies use every colour and palette alike and keep to the rule of contrast;
// glows are behind what a scene is about; prompts for them are as others. That no objects touch,
// prompts read back and training is clean is in prompts_test.cc, for all streams.
// SPDX-License-Identifier: MIT
#include "world/composition.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <tuple>

#include "world/layout.h"
#include "world/relation.h"
#include "world/tasks.h"

namespace janus {
namespace {

TEST(Composition, HarmoniesUseAllColoursAlike) {
  std::map<int, int> subjects, companions, palettes;
  std::set<std::tuple<int, int, int>> all;
  for (const Harmony& h : harmonies()) {
    ++subjects[h.subject], ++companions[h.companion], ++palettes[h.palette];
    all.emplace(h.subject, h.companion, h.palette);
    EXPECT_NE(h.subject, h.companion);
    EXPECT_TRUE(stands_out(h.subject, h.palette) && stands_out(h.companion, h.palette))
        << colour_name(h.subject) << ' ' << colour_name(h.companion) << ' ' << h.palette;
  }
  EXPECT_EQ(all.size(), 40u);
  for (int colour = 0; colour < kColourCount; ++colour) {
    EXPECT_EQ(subjects[colour], 4) << colour_name(colour);
    EXPECT_EQ(companions[colour], 4) << colour_name(colour);
  }
  for (int palette = 0; palette < kPaletteCount; ++palette) EXPECT_EQ(palettes[palette], 5);
}

TEST(Composition, GlowsAreBehindWhatTheSceneIsAbout) {
  Philox random(3, 0);
  int glows = 0, about_one = 0;
  for (int i = 0; i < 4000; ++i) {
    const Scene scene = compose(random, 1 + i % kMostObjects);
    if (static_cast<Backdrop>(scene.backdrop) != Backdrop::glow) {
      ASSERT_TRUE(scene.glow_x == kGlowX && scene.glow_y == kGlowY);
      continue;
    }
    ++glows;
    double x = 0, y = 0;
    for (const Object& o : scene.objects) {
      x += o.cx / static_cast<double>(scene.objects.size());
      y += o.cy / static_cast<double>(scene.objects.size());
    }
    const Object& first = scene.objects[0];
    const bool one = std::hypot(scene.glow_x - first.cx, scene.glow_y - first.cy) < 1e-9;
    about_one += one;
    ASSERT_TRUE(one || std::hypot(scene.glow_x - x, scene.glow_y - y) < 15);
  }
  EXPECT_NEAR(glows / 4000., .6, .04);
  EXPECT_GT(about_one, glows / 3);
}

// Subjects come first, and no two colours but those of one harmony.
TEST(Composition, ColoursAreOfOneHarmony) {
  Philox random(4, 0);
  for (int i = 0; i < 2000; ++i) {
    const Scene scene = compose(random, 1 + i % kMostObjects);
    const auto all = harmonies();
    ASSERT_TRUE(std::any_of(all.begin(), all.end(), [&](const Harmony& h) {
      return h.palette == scene.palette && h.subject == scene.objects[0].colour &&
             std::all_of(scene.objects.begin(), scene.objects.end(), [&](const Object& o) {
               return o.colour == h.subject || o.colour == h.companion;
             });
    }));
  }
}

TEST(Composition, SizesAreToldWhereWordsFit) {
  EXPECT_EQ(sizes_told({{0, 0, 0, 0, 32, 0}, {0, 0, 0, 0, 17, 0}}), (std::vector<int>{1, 0}));
  EXPECT_EQ(sizes_told({{0, 0, 0, 0, 25, 0}}), std::vector<int>{});
  EXPECT_EQ(sizes_told({{0, 0, 0, 0, 32, 0}, {0, 0, 0, 0, 25, 0}}), std::vector<int>{});
  EXPECT_EQ(sizes_told(std::vector<Object>(3, {0, 0, 0, 0, 17, 0})), std::vector<int>{});
}

TEST(Gallery, PromptsAreAsOthers) {
  std::map<std::string, int> held, all;
  std::map<std::string, double> share;
  std::set<Relation> relations;
  for (uint64_t index = 0; index < 700; ++index) {
    const DrawSample sample = gallery_sample(Split::test, index);
    ++all[sample.category];
    held[sample.category] += sample.held;
    EXPECT_TRUE(sample.prompt.starts_with("a photo of ")) << sample.prompt;
    if (sample.category != "position") continue;
    relations.insert(*relation(sample.scene.objects[0], sample.scene.objects[1]));
  }
  EXPECT_EQ(relations.size(), 4u);
  for (const auto& [category, count] : all) EXPECT_EQ(count, 100) << category;
  EXPECT_EQ(all.size(), 7u);
  for (const char* category : {"counting", "colors", "position", "color_attr"}) {
    EXPECT_EQ(held[category], 40) << category;
  }
  for (uint64_t index = 0; index < 5000; ++index) {
    share[gallery_sample(Split::train, index).category] += 1 / 5000.;
  }
  EXPECT_NEAR(share["dense"], .3, .03);
  EXPECT_NEAR(share["counting"], .7 * .18 / .9, .03);
}

}  // namespace
}  // namespace janus
