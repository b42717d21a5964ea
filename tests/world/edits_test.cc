// Edits: the ideal picture passes and the picture as it was does not, what is outside the change
// stays, and training has nothing that is held out. SPDX-License-Identifier: MIT
#include "world/edits.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <map>

#include "base/error.h"
#include "base/sha256.h"
#include "world/layout.h"
#include "world/render.h"

namespace janus {
namespace {

TEST(Edits, TheIdealPassesAndNoChangeFails) {
  const Detector detector(96);
  for (uint64_t index = 0; index < 240; ++index) {
    const EditSample sample = edit_sample(Split::test, index);
    const Image before = render(sample.before, 96).image, after = render(sample.after, 96).image;
    EXPECT_TRUE(edit_done(sample, detector.detect(after))) << index << sample.instruction;
    EXPECT_FALSE(edit_done(sample, detector.detect(before))) << index << sample.instruction;
    EXPECT_EQ(edit_preservation(sample, after, after), 99);
    if (sample.op == "backdrop") {
      EXPECT_LT(edit_preservation(sample, before, after), 30);
      continue;
    }
    EXPECT_GT(edit_preservation(sample, before, after), 22) << sample.instruction;  // shadows
  }
}

// Outside the changed boxes the source and the target differ by shadows alone: neither brightens.
TEST(Edits, OthersStay) {
  for (uint64_t index = 0; index < 200; ++index) {
    const EditSample sample = edit_sample(Split::test, index);
    if (sample.op == "backdrop") continue;
    size_t same = 0;
    for (const Object& o : sample.before.objects) {
      for (const Object& p : sample.after.objects) {
        same += o.shape == p.shape && o.colour == p.colour && o.cx == p.cx && o.cy == p.cy &&
                o.r == p.r && o.rot == p.rot;
      }
    }
    EXPECT_EQ(same, sample.before.objects.size() - sample.changed.size()) << sample.instruction;
    EXPECT_EQ(sample.before.backdrop, sample.after.backdrop);
  }
}

// Both turns done pass; either alone does not, unless the second's op leaves the same scene in
// view.
TEST(Edits, SecondTurnsGoOnFromTheFirst) {
  const Detector detector(96);
  std::map<std::string, int> ops;
  int two = 0;
  for (uint64_t index = 0; index < 2400; ++index) {
    const std::vector<EditSample> turns = edit_turns(Split::test, index);
    if (turns.size() == 1) continue;
    ++two;
    const EditSample &first = turns[0], &second = turns[1];
    ++ops[second.op];
    ASSERT_EQ(edit_record(first, Split::test, index),
              edit_record(edit_sample(Split::test, index), Split::test, index));
    ASSERT_NE(first.op, second.op);
    ASSERT_EQ(scene_record(second.before, Split::test, "edits", index),
              scene_record(first.after, Split::test, "edits", index));
    ASSERT_EQ(second.told.size(), second.after.objects.size());
    const auto done = [&](const Scene& scene) {
      return edit_done(second, detector.detect(render(scene, 96).image));
    };
    EXPECT_TRUE(done(second.after)) << first.instruction << ", " << second.instruction;
    EXPECT_FALSE(done(first.before)) << first.instruction << ", " << second.instruction;
    EXPECT_FALSE(done(first.after)) << first.instruction << ", " << second.instruction;
    EXPECT_GE(second.touched.size(), first.touched.size());
  }
  EXPECT_GT(two, 200);
  EXPECT_LE(two, 240);
  EXPECT_EQ(ops.size(), static_cast<size_t>(kEditOps));
}

// What the first turn leaves open stays open: an added object may lie elsewhere when another is
// painted.
TEST(Edits, WhatWasAddedMayLieAnywhere) {
  int seen = 0;
  for (uint64_t index = 0; index < 24000; ++index) {
    const std::vector<EditSample> turns = edit_turns(Split::test, index);
    if (turns.size() == 1 || turns[0].op != "add" || turns[1].op != "recolour") continue;
    const EditSample& second = turns[1];
    ++seen;
    const auto added = static_cast<size_t>(turns[0].made[0]);
    for (size_t i = 0; i < second.told.size(); ++i) {
      EXPECT_EQ(second.told[i], i == added ? Told::nothing : Told::place) << index;
    }
  }
  EXPECT_GT(seen, 5);
}

TEST(Edits, TrainingHoldsNothingHeldOut) {
  std::map<std::string, int> ops;
  for (uint64_t index = 0; index < 8000; ++index) {
    const EditSample sample = edit_sample(Split::train, index);
    ++ops[sample.op];
    ASSERT_FALSE(sample.held);
    ASSERT_FALSE(shows_held_out(sample.before) || shows_held_out(sample.after));
    const int op = static_cast<int>(index % kEditOps);
    const int first = op == 2 ? sample.after.objects.back().shape
                      : op == 7
                          ? 0
                          : sample.before.objects[static_cast<size_t>(sample.changed[0])].shape;
    ASSERT_FALSE(held_out_edit(op, first)) << sample.instruction;
    const EditSample last = edit_turns(Split::train, index).back();
    ASSERT_FALSE(last.held || shows_held_out(last.after)) << last.instruction;
  }
  for (const auto& [op, count] : ops) EXPECT_EQ(count, 1000) << op;
}

TEST(Edits, RecordsAreStable) {
  std::string text;
  for (const Split split : {Split::train, Split::val, Split::test}) {
    for (uint64_t index = 0; index < 1000; ++index) {
      text += edit_record(edit_sample(split, index), split, index) + '\n';
    }
  }
  EXPECT_EQ(sha256_hex(text), "c726b6c66883967354ac2574d8b7202c68ce9f8888a64404ab4f3dbd48742c60");
}

TEST(Edits, PicturesOfTwoSizesAreRefused) {
  const EditSample sample = edit_sample(Split::test, 0);
  EXPECT_THROW(
      edit_preservation(sample, render(sample.after, 64).image, render(sample.after, 96).image),
      Error);
}

}  // namespace
}  // namespace janus
