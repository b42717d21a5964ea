// Decoding ahead: the same codes and tokens whatever the window, in fewer passes.
// SPDX-License-Identifier: MIT
#include "generate/ahead.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "generate/ask.h"
#include "generate/draw.h"
#include "generate/tiny.h"

namespace janus {
namespace {

using Ids = std::vector<int32_t>;

struct Drawn {
  std::vector<Picture> pictures;
  std::vector<Partial> partials;
  int64_t passes = 0;  // that chose codes
};

Drawn drawn(const Tiny& tiny, std::shared_ptr<const DrawOrder> order, int ahead, int at_once = 8,
            int looks = 0) {
  Drawn result;
  RunningBatch batch(tiny.model, Dtype::f32, 600, false, ahead);
  batch.run_alone(make_drawing(
      batch.shared(), std::move(order), at_once,
      [&](Picture picture) { result.pictures.push_back(std::move(picture)); },
      [&](const Progress& progress) {
        result.passes += progress.phase == Progress::Phase::codes ? 1 : 0;
        return true;
      },
      {looks, [&](const Partial& partial) { result.partials.push_back(partial); }}));
  return result;
}

std::shared_ptr<const DrawOrder> order_of(const Tiny& tiny, const DrawRequest& request) {
  return draw_order(tiny.model.config(), tiny.prompts, {request});
}

void expect_same(const Drawn& one, const Drawn& other, const std::string& what) {
  ASSERT_EQ(one.pictures.size(), other.pictures.size()) << what;
  for (size_t i = 0; i < one.pictures.size(); ++i) {
    EXPECT_EQ(one.pictures[i].codes, other.pictures[i].codes) << what << " picture " << i;
    EXPECT_EQ(one.pictures[i].image, other.pictures[i].image) << what << " picture " << i;
  }
}

std::vector<DrawRequest> ways_to_draw() {
  std::vector<DrawRequest> ways;
  for (uint64_t seed = 0; seed < 12; ++seed) {
    ways.push_back(
        {.prompt = "a red apple", .images = 1 + static_cast<int>(seed % 3), .seed = seed});
    if (seed % 4 == 1) ways.back().guidance = 1.f;
    if (seed % 4 == 2) ways.back().top_k = 3;
    if (seed % 4 == 3) ways.back().top_p = .5f;
    if (seed % 5 == 4) ways.back().temperature = 0;
    if (seed % 5 == 3) ways.back().temperature = .3f;
  }
  ways.push_back({.prompt = "blue", .guidance = 0.f});
  return ways;
}

void expect_windows_change_nothing(const Tiny& tiny) {
  int64_t one_by_one = 0, wide = 0;
  for (const DrawRequest& request : ways_to_draw()) {
    const Drawn plain = drawn(tiny, order_of(tiny, request), 1);
    for (const int ahead : {2, 3, 7, 64, 0}) {
      const Drawn ahead_of_it = drawn(tiny, order_of(tiny, request), ahead, 2);
      expect_same(plain, ahead_of_it,
                  "seed " + std::to_string(request.seed) + " window " + std::to_string(ahead));
    }
    one_by_one += plain.passes;
    wide += drawn(tiny, order_of(tiny, request), 16).passes;
  }
  EXPECT_LT(wide, one_by_one);
}

TEST(Ahead, EveryWindowDrawsTheSame) { expect_windows_change_nothing(tiny()); }

TEST(LongAhead, AlsoOnRefAndInSmallTypes) {
  expect_windows_change_nothing(load_tiny("ref"));
  LoadOptions options;
  options.backend = open_backend("cpu", 2);
  const Checkpoint checkpoint(golden("tiny-hf"));
  for (const Dtype type : {Dtype::bf16, Dtype::q8_0, Dtype::q4_0}) {
    options.weights = type;
    expect_windows_change_nothing({Model::load(checkpoint, options), load_prompts(checkpoint)});
  }
}

// What a picture that repeats itself costs: greedy drawings fall into circles.
TEST(Ahead, WhatRepeatsItselfTakesFewPasses) {
  const DrawRequest request{.prompt = "blue", .temperature = 0};
  const Drawn plain = drawn(tiny(), order_of(tiny(), request), 1);
  const Drawn wide = drawn(tiny(), order_of(tiny(), request), 32);
  expect_same(plain, wide, "greedy");
  EXPECT_EQ(plain.passes, 64);
  EXPECT_LT(wide.passes, plain.passes);
}

TEST(Ahead, EditsKeepWhatStands) {
  EditRequest request{.drawing = {.prompt = "blue", .images = 2, .seed = 5}};
  const int side = tiny().model.config().image;
  request.image = {.width = side, .height = side, .rgb = {}};
  request.image.rgb.assign(static_cast<size_t>(side) * side * 3, 90);
  request.mask = EditMask{side, side, std::vector<uint8_t>(static_cast<size_t>(side) * side)};
  for (int y = 0; y < side; ++y) {
    for (int x = side / 3; x < side / 2; ++x)
      request.mask->redraw[static_cast<size_t>(y * side + x)] = 1;
  }
  const auto order = [&] { return edit_order(tiny().model.config(), tiny().prompts, request); };
  const Drawn plain = drawn(tiny(), order(), 1);
  for (const int ahead : {2, 5, 32, 0}) {
    expect_same(plain, drawn(tiny(), order(), ahead), "window " + std::to_string(ahead));
  }
}

TEST(Ahead, LooksAreTheSameAndAllThere) {
  const DrawRequest request{.prompt = "blue", .images = 2, .seed = 1, .temperature = 0};
  const Drawn plain = drawn(tiny(), order_of(tiny(), request), 1, 8, 3);
  const Drawn wide = drawn(tiny(), order_of(tiny(), request), 32, 8, 3);
  ASSERT_EQ(plain.partials.size(), 6u);
  ASSERT_EQ(wide.partials.size(), 6u);
  for (int index = 0; index < 2; ++index) {
    for (int number = 0; number < 3; ++number) {
      const auto of = [&](const Drawn& drawing) -> const Partial& {
        return *std::find_if(drawing.partials.begin(), drawing.partials.end(),
                             [&](const Partial& partial) {
                               return partial.index == index && partial.number == number;
                             });
      };
      EXPECT_EQ(of(plain).rows, 2 * (number + 1));
      EXPECT_EQ(of(wide).rows, 2 * (number + 1));
      EXPECT_EQ(of(plain).image, of(wide).image);
    }
  }
}

struct Said {
  Answer answer;
  std::vector<AnswerToken> tokens;
  int64_t pieces = 0;
};

Said said(RunningBatch& batch, const AskRequest& request) {
  Said result;
  const auto on_token = [&](AnswerToken token) { result.tokens.push_back(std::move(token)); };
  result.answer = ask(
      {tiny().model, tiny().prompts, Dtype::f32, &batch}, request,
      [&](std::string_view) { return ++result.pieces > 0; }, on_token);
  return result;
}

TEST(Ahead, AnswersAreTheSame) {
  for (uint64_t seed = 0; seed < 8; ++seed) {
    AskRequest request;
    request.messages = {{"user", "a b a b a b red apple red apple", {}}};
    request.max_tokens = 40;
    request.seed = seed;
    request.temperature = seed % 2 == 0 ? 0 : .7f;
    request.logprobs = 1;
    if (seed == 6) request.stop = {"a"};
    RunningBatch plain(tiny().model, Dtype::f32, 600, true, 1);
    const Said expected = said(plain, request);
    for (const int ahead : {2, 4, 16, 0}) {
      RunningBatch batch(tiny().model, Dtype::f32, 600, true, ahead);
      const Said got = said(batch, request);
      EXPECT_EQ(got.answer.text, expected.answer.text) << seed << " window " << ahead;
      EXPECT_EQ(got.answer.finish, expected.answer.finish);
      EXPECT_EQ(got.answer.answer_tokens, expected.answer.answer_tokens);
      ASSERT_EQ(got.tokens.size(), expected.tokens.size());
      for (size_t i = 0; i < got.tokens.size(); ++i) {
        EXPECT_EQ(got.tokens[i].chosen.logprob, expected.tokens[i].chosen.logprob);
      }
      // What is kept of it is what was said, and nothing that was only guessed.
      AskRequest next = request;
      next.messages.push_back({"assistant", expected.answer.text, {}});
      next.messages.push_back({"user", "blue", {}});
      EXPECT_EQ(said(batch, next).answer.text, said(plain, next).answer.text);
    }
  }
}

TEST(Ahead, RightIsWhatReproducesItself) {
  EXPECT_EQ(count_right(Ids{4}, Ids{}), 1u);
  EXPECT_EQ(count_right(Ids{4, 5, 6}, Ids{4, 5}), 3u);
  EXPECT_EQ(count_right(Ids{4, 5, 6}, Ids{4, 7}), 2u);
  EXPECT_EQ(count_right(Ids{4, 5, 6}, Ids{3, 5}), 1u);  // a match behind a mistake is chance
}

TEST(Ahead, TextIsGuessedByWhatFollowedBefore) {
  EXPECT_EQ(guess_text(Ids{1, 2, 3, 9, 8, 1, 2, 3}, 2), (Ids{9, 8}));
  EXPECT_EQ(guess_text(Ids{1, 2, 3, 9, 8, 1, 2, 3}, 9), (Ids{9, 8, 1, 2, 3}));
  EXPECT_EQ(guess_text(Ids{7, 2, 3, 4, 6, 2, 3, 5, 2, 3}, 1), (Ids{5}));  // the last time counts
  EXPECT_EQ(guess_text(Ids{1, 2, 3, 5, 4, 3, 6, 1, 2, 3}, 1), (Ids{5}));  // the longest ending
  EXPECT_TRUE(guess_text(Ids{1, 2, 3}, 4).empty());
  EXPECT_TRUE(guess_text(Ids{1, 1}, 0).empty());
  EXPECT_EQ(guess_text(Ids{1, 1}, 3), (Ids{1}));
  EXPECT_TRUE(guess_text(Ids{}, 3).empty());
  EXPECT_EQ(guess_text(Ids{4, 5, -1, 6, 4}, 3), (Ids{5}));
}

TEST(Ahead, AsManyPositionsAsPay) {
  PassCosts flat, steep;
  for (int64_t rows = 1; rows <= 128; rows *= 2) {
    for (int i = 0; i < 30; ++i) {
      flat.saw(rows, .01);
      steep.saw(rows, .001 * static_cast<double>(rows));
    }
  }
  EXPECT_NEAR(steep.seconds(8), .008, 1e-3);
  EXPECT_NEAR(steep.seconds(24), .024, 3e-3);
  constexpr double kLong = 1000;  // seconds: nobody waits
  Window hopeful(0), hopeless(0), divided(0), fixed(6);
  for (int i = 0; i < 200; ++i) {
    hopeful.saw(64, 40);
    hopeless.saw(64, 1);
    divided.saw(64, i % 2 == 0 ? 1 : 3);
  }
  EXPECT_NEAR(hopeful.gain(64), 40, 1);
  EXPECT_NEAR(hopeless.gain(64), 1, .1);
  EXPECT_GE(hopeful.choose(flat, 0, 2, 32, kLong), 28);
  EXPECT_EQ(divided.choose(steep, 0, 2, 32, kLong), 1);
  EXPECT_EQ(divided.choose(flat, 0, 2, 32, kLong), 3);
  EXPECT_EQ(hopeless.choose(flat, 0, 2, 32, kLong), 1);
  EXPECT_EQ(fixed.choose(steep, 0, 2, 32, kLong), 6);
  EXPECT_EQ(fixed.choose(steep, 0, 2, 4, kLong), 4);
  EXPECT_EQ(Window(0).choose(PassCosts(), 0, 2, 32, kLong), 1);
  PassCosts slow;
  for (int64_t rows = 1; rows <= 128; rows *= 2) slow.saw(rows, rows <= 4 ? .15 : .25);
  EXPECT_LE(hopeful.choose(slow, 0, 1, 32, .2), 6);  // others wait
  EXPECT_GE(hopeful.choose(slow, 0, 1, 32, kLong), 28);
  // What was never tried is tried now and then, so that better times are seen.
  int wider = 0;
  for (int i = 0; i < 100; ++i) wider += hopeless.choose(flat, 0, 2, 32, kLong) > 1 ? 1 : 0;
  EXPECT_GT(wider, 2);
  EXPECT_LT(wider, 10);
}

TEST(Ahead, WindowsHaveRoom) {
  EXPECT_EQ(widest_window(1), 64);
  EXPECT_EQ(widest_window(2), 32);
  EXPECT_EQ(widest_window(16), 4);
  EXPECT_EQ(widest_window(100), 1);
  EXPECT_EQ(widest_window(0), 1);
}

}  // namespace
}  // namespace janus
