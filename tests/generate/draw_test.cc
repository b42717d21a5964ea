// Drawing on the small golden checkpoint: what a picture depends on, and what it does not.
// SPDX-License-Identifier: MIT
#include "generate/draw.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "base/error.h"
#include "generate/observe.h"
#include "generate/sampler.h"
#include "generate/tiny.h"

namespace janus {
namespace {

std::vector<Picture> run(const Tiny& tiny, const std::vector<DrawRequest>& requests,
                         int at_once = 8, const DrawEvents& events = {}, int ahead = 0) {
  std::vector<Picture> pictures;
  const auto keep = [&](Picture picture) {
    pictures.push_back(std::move(picture));
    if (events.on_picture) events.on_picture(pictures.back());
  };
  draw({tiny.model, tiny.prompts, Dtype::f32, at_once, ahead}, requests, keep, events.on_step);
  return pictures;
}

DrawRequest request(const std::string& prompt, int images = 1, uint64_t seed = 0) {
  DrawRequest made;
  made.prompt = prompt;
  made.images = images;
  made.seed = seed;
  return made;
}

// Guided logits [I, C] of a drawing, with its own codes fed back by another path: no sharing, no
// batch. (observe.cc)
std::vector<float> guided_logits(const Tiny& tiny, const DrawRequest& asked,
                                 const std::vector<int32_t>& codes) {
  PromptRows rows;
  rows.guided = tiny.prompts.draw(asked.prompt);
  rows.unguided = tiny.prompts.unguided(rows.guided, asked.negative);
  Trace trace;
  observe_draw(tiny.model, rows, codes, asked.guidance.value_or(kPublishedGuidance), Dtype::f32,
               trace);
  const auto& bytes = trace.entries().at("gen.logits.guided").bytes;
  std::vector<float> values(bytes.size() / sizeof(float));
  std::copy(bytes.begin(), bytes.end(), reinterpret_cast<std::byte*>(values.data()));
  return values;
}

void expect_codes_follow_logits(const DrawRequest& asked) {
  const std::vector<Picture> pictures = run(tiny(), {asked});
  ASSERT_EQ(pictures.size(), static_cast<size_t>(asked.images));
  for (const Picture& picture : pictures) {
    const std::vector<float> logits = guided_logits(tiny(), asked, picture.codes);
    const size_t book = logits.size() / picture.codes.size();
    Sampler sampler;
    for (size_t i = 0; i < picture.codes.size(); ++i) {
      EXPECT_EQ(picture.codes[i],
                sampler.pick(std::span(logits).subspan(i * book, book),
                             {asked.temperature, asked.top_k, asked.top_p}, picture.seed, i));
    }
  }
}

TEST(Draw, CodesAreThoseOfTheGuidedLogits) {
  DrawRequest asked = request("a red apple on a blue table", 3, 11);
  expect_codes_follow_logits(asked);
  asked.temperature = 0;
  asked.images = 1;
  expect_codes_follow_logits(asked);
  asked.temperature = 0.7f;
  asked.top_k = 20;
  asked.top_p = 0.9f;
  expect_codes_follow_logits(asked);
}

TEST(Draw, NegativePromptHasItsOwnLength) {
  DrawRequest asked = request("a red apple", 2, 3);
  asked.negative = "a very long description of something that nobody wants to see in a picture";
  const PromptRows rows = prompt_rows(tiny().prompts, asked);
  EXPECT_GT(rows.unguided.size(), rows.guided.size());
  expect_codes_follow_logits(asked);
  EXPECT_NE(run(tiny(), {asked})[0].codes, run(tiny(), {request("a red apple", 2, 3)})[0].codes);
}

TEST(Draw, GuidanceOneNeedsNoTwinAndZeroNothingElse) {
  DrawRequest asked = request("a red apple", 1, 5);
  asked.guidance = 1;
  EXPECT_TRUE(prompt_rows(tiny().prompts, asked).unguided.empty());
  expect_codes_follow_logits(asked);
  asked.guidance = 0;
  EXPECT_TRUE(prompt_rows(tiny().prompts, asked).guided.empty());
  expect_codes_follow_logits(asked);
  DrawRequest other = asked;
  other.prompt = "a big house";  // as many tokens: the prompt itself is not looked at
  if (tiny().prompts.draw(other.prompt).size() == tiny().prompts.draw(asked.prompt).size()) {
    EXPECT_EQ(run(tiny(), {asked})[0].codes, run(tiny(), {other})[0].codes);
  }
}

TEST(Draw, PictureKHasSeedPlusKWhateverIsDrawnBeside) {
  const std::vector<DrawRequest> all{request("a red apple", 3, 7), request("blue", 2, 7),
                                     request("a red apple on a table", 2, 40)};
  const std::vector<Picture> together = run(tiny(), all);
  ASSERT_EQ(together.size(), 7u);
  for (const Picture& picture : together) {
    DrawRequest alone = all[static_cast<size_t>(picture.request)];
    EXPECT_EQ(picture.seed, alone.seed + static_cast<uint64_t>(picture.index));
    alone.seed = picture.seed;
    alone.images = 1;
    const Picture again = run(tiny(), {alone})[0];
    EXPECT_EQ(again.codes, picture.codes);
    EXPECT_EQ(again.image, picture.image);
  }
  EXPECT_NE(together[0].codes, together[1].codes);
}

void expect_same(const std::vector<Picture>& a, const std::vector<Picture>& b) {
  ASSERT_EQ(a.size(), b.size());
  for (size_t i = 0; i < a.size(); ++i) {
    EXPECT_EQ(a[i].codes, b[i].codes) << i;
    EXPECT_EQ(a[i].image, b[i].image) << i;
  }
}

TEST(Draw, BatchAndOrderDoNotChangeABit) {
  const std::vector<DrawRequest> forward{request("a red apple", 3, 7), request("blue", 2, 9)};
  const std::vector<DrawRequest> backward{forward[1], forward[0]};
  const std::vector<Picture> expected = run(tiny(), forward);
  for (const int at_once : {1, 2, 3}) expect_same(run(tiny(), forward, at_once), expected);
  std::vector<Picture> turned = run(tiny(), backward, 4);
  std::rotate(turned.begin(), turned.begin() + 2, turned.end());
  expect_same(turned, expected);
}

TEST(DrawThreads, DoNotChangeABit) {
  const std::vector<DrawRequest> all{request("a red apple", 3, 7), request("blue", 2, 9)};
  const std::vector<Picture> expected = run(load_tiny("cpu", 1), all);
  for (const int threads : {2, 3}) {
    const Tiny other = load_tiny("cpu", threads);
    for (const int at_once : {1, 5}) expect_same(run(other, all, at_once), expected);
  }
}

TEST(Draw, ReportsEveryStepAndEveryPicture) {
  std::vector<int64_t> done;
  size_t finished = 0;
  int64_t total = 0;
  DrawEvents events;
  events.on_step = [&](const Progress& progress) {
    total = progress.total;
    EXPECT_GE(progress.done, done.empty() ? 0 : done.back());
    done.push_back(progress.done);
    int64_t held = 0;
    for (const Sketch& sketch : progress.sketches) {
      held += static_cast<int64_t>(sketch.codes.size());
    }
    EXPECT_LE(held, progress.done);
    return true;
  };
  events.on_picture = [&](const Picture&) { ++finished; };
  run(tiny(), {request("a red apple", 3)}, 2, events, 1);  // a code a pass, however slow that is
  EXPECT_EQ(total, 3 * 64);
  EXPECT_EQ(done.back(), total);
  EXPECT_GE(done.size(), 2u * 64);
  EXPECT_EQ(finished, 3u);
}

Code code_of(const std::function<void()>& work, std::string* text = nullptr) {
  try {
    work();
  } catch (const Error& error) {
    if (text) *text = error.what();
    return error.code();
  }
  return Code::bug;
}

TEST(Draw, StopsWhenToldAndCanGoOn) {
  DrawEvents events;
  events.on_step = [](const Progress& progress) { return progress.done < 20; };
  EXPECT_EQ(code_of([&] { run(tiny(), {request("blue")}, 1, events); }), Code::cancelled);
  EXPECT_EQ(run(tiny(), {request("blue")}).size(), 1u);
}

TEST(Draw, RefusesWhatDoesNotFitWithTheCounts) {
  std::string text;
  std::string longest;
  for (int i = 0; i < 17000; ++i) longest += "x ";
  EXPECT_EQ(code_of([&] { run(tiny(), {request(longest)}); }, &text), Code::bad_input);
  EXPECT_NE(text.find("16384"), std::string::npos) << text;
  EXPECT_NE(text.find("64 more"), std::string::npos) << text;
  DrawRequest none = request("blue", 0);
  EXPECT_EQ(code_of([&] { run(tiny(), {none}); }), Code::bad_input);
  DrawRequest hot = request("blue");
  hot.temperature = -1;
  EXPECT_EQ(code_of([&] { run(tiny(), {hot}); }), Code::bad_input);
}

}  // namespace
}  // namespace janus
