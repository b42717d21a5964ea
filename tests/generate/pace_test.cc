// SPDX-License-Identifier: MIT
#include "generate/pace.h"

#include <gtest/gtest.h>

namespace janus {
namespace {

constexpr int64_t kMost = 512;

// Passes of all sizes, which take `each` seconds a row beside what all of them take.
Pace after_passes(double all, double each) {
  Pace pace;
  for (int64_t rows = 1; rows <= kMost; rows *= 2) {
    for (int i = 0; i < 30; ++i) pace.passed(rows, 0, all + each * static_cast<double>(rows));
  }
  return pace;
}

TEST(Pace, PromptsTakeWhatStreamsCanSpare) {
  Pace quick = after_passes(.01, .0005), slow = after_passes(.05, .01);
  EXPECT_EQ(quick.prompt_rows(0, kMost), kMost);  // nobody streams
  EXPECT_NEAR(static_cast<double>(quick.prompt_rows(1, kMost)), .11 / .0005, 60);
  EXPECT_LE(quick.prompt_rows(1, 20), 20);
  EXPECT_NEAR(static_cast<double>(slow.prompt_rows(1, kMost)), .07 / .01, 3);
  EXPECT_GE(after_passes(1, 1).prompt_rows(1, kMost), Pace::kFewest);  // it gets on in any case
}

// A size that nobody has seen is not believed to cost as little as one row.
TEST(Pace, PromptsGrowStepByStep) {
  Pace pace;
  EXPECT_EQ(pace.prompt_rows(1, kMost), Pace::kFewest);
  int64_t rows = 1;
  for (int i = 0; i < 14; ++i) {
    pace.passed(rows, 0, .01);
    const int64_t next = 1 + pace.prompt_rows(1, kMost);
    EXPECT_LE(next, std::max<int64_t>(1 + Pace::kFewest, 3 * rows));
    rows = next;
  }
  EXPECT_EQ(rows, 1 + kMost);
}

// One pass that took long, for whatever reason, does not count for ever.
TEST(Pace, WhatWasTooLongIsTriedAgain) {
  Pace pace = after_passes(.05, .01);
  int64_t most = 0;
  for (int i = 0; i < 2000; ++i) {
    const int64_t rows = pace.prompt_rows(1, kMost);
    most = std::max(most, rows);
    pace.passed(1 + rows, 0, .01);  // the machine has become quick
  }
  EXPECT_GE(most, 100);
}

TEST(Pace, SlowWorkStopsForPasses) {
  Pace pace;
  EXPECT_FALSE(pace.due(100));  // no piece was done
  pace.passed(5, 99.98, 100);   // of 20 ms
  pace.begin_slow(100);
  EXPECT_FALSE(pace.due(101));
  pace.did_piece(100.01);
  EXPECT_FALSE(pace.due(100.01));
  pace.did_piece(100.02);
  EXPECT_TRUE(pace.due(100 + Pace::kSlice));
  pace.passed(5, 100.06, 100.08);
  EXPECT_FALSE(pace.due(200));  // two passes in a row
}

// Where passes and pieces are long, one follows the other.
TEST(Pace, LongPiecesComeOneAtATime) {
  Pace pace;
  pace.passed(5, 0, .08);
  pace.begin_slow(.08);
  pace.did_piece(.08 + .05);
  EXPECT_TRUE(pace.due(.08 + .05));  // a second one, and the pass, would be more than kPause
  pace.passed(5, .13, .21);
  pace.begin_slow(.25);  // what was done between is no piece
  pace.did_piece(.251);
  EXPECT_TRUE(pace.due(.251));
  Pace short_ones;
  short_ones.passed(5, 0, .08);
  short_ones.begin_slow(.08);
  short_ones.did_piece(.085);
  EXPECT_FALSE(short_ones.due(.085));
}

}  // namespace
}  // namespace janus
