// Edits by instruction: what the prompt's rows become, held against the language tower run by hand;
// what a picture depends on, and what it does not. SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/rng.h"
#include "generate/ask.h"
#include "generate/by_hand.h"
#include "generate/draw.h"
#include "generate/plan.h"
#include "generate/sampler.h"
#include "generate/tiny.h"
#include "io/resize.h"

namespace janus {
namespace {

Tiny load(EditLayout layout, const std::string& backend = "cpu", int threads = 1) {
  return load_tiny(backend, threads, std::string(edit_layout_name(layout)));
}

const Tiny& ours() {
  static const Tiny loaded = load(EditLayout::und_gen);
  return loaded;
}

const Tiny& janus_4o() {
  static const Tiny loaded = load(EditLayout::janus_4o);
  return loaded;
}

EditRequest instruct(const Image& image, const std::string& text, int images = 1,
                     uint64_t seed = 5) {
  EditRequest request;
  request.image = image;
  request.instruction = text;
  request.drawing = {.images = images, .seed = seed, .guidance = 5};
  return request;
}

struct Outcome {
  std::vector<Picture> pictures;
  std::exception_ptr failure;
};

void join(const Tiny& tiny, RunningBatch& batch, const EditRequest& request, Outcome& run,
          int at_once = 8) {
  batch.join(make_drawing(
                 batch.shared(), edit_order(tiny.model.config(), tiny.prompts, request), at_once,
                 [&run](Picture picture) { run.pictures.push_back(std::move(picture)); },
                 [](const Progress&) { return true; }),
             [&run](const std::exception_ptr& error) { run.failure = error; });
}

std::vector<Picture> edited(const Tiny& tiny, const EditRequest& request, int at_once = 8,
                            int ahead = 0) {
  Outcome run;
  RunningBatch batch(tiny.model, Dtype::f32, 600, false, ahead);
  join(tiny, batch, request, run, at_once);
  while (!batch.empty()) batch.advance();
  if (run.failure) std::rethrow_exception(run.failure);
  return run.pictures;
}

void expect_same(const std::vector<Picture>& some, const std::vector<Picture>& others) {
  ASSERT_EQ(some.size(), others.size());
  for (size_t i = 0; i < some.size(); ++i) {
    EXPECT_EQ(some[i].codes, others[i].codes) << i;
    EXPECT_EQ(some[i].image, others[i].image) << i;
  }
}

// The rule as the specification has it, in f64.
double guided(EditLayout layout, double full, double part, double none, double g, double i) {
  if (layout != EditLayout::janus_4o) return none + i * (part - none) + g * (full - part);
  return none + g * ((full + i * part) / (1 + i) - none);
}

void expect_as_by_hand(const Tiny& tiny, const EditRequest& request) {
  const Config& config = tiny.model.config();
  const EditLayout layout = tiny.prompts.edits();
  const Image source = layout == EditLayout::janus_4o ? fit_and_pad(request.image, config.image)
                                                      : cover_and_crop(request.image, config.image);
  const ByHand by_hand(tiny.model, tiny.prompts.ids().image, source);
  const auto full = tiny.prompts.edit(request.instruction, config.image_tokens());
  const auto part = layout == EditLayout::janus_4o
                        ? tiny.prompts.without_codes(full)
                        : tiny.prompts.without_instruction(full, config.image_tokens());
  const auto none = tiny.prompts.unguided(full, request.drawing.negative);
  const double g = request.drawing.guidance.value_or(5);
  const double i = request.image_guidance.value_or(layout == EditLayout::janus_4o ? 5.0f : 1.5f);
  for (const Picture& picture : edited(tiny, request)) {
    const auto of_full = by_hand.logits(full, picture.codes);
    const auto of_part = by_hand.logits(part, picture.codes);
    const auto of_none = by_hand.logits(none, picture.codes);
    Sampler sampler;
    for (size_t at = 0; at < picture.codes.size(); ++at) {
      std::vector<float> logits(static_cast<size_t>(config.vq.codes));
      for (size_t c = 0; c < logits.size(); ++c) {
        logits[c] = static_cast<float>(
            guided(layout, of_full[at][c], of_part[at][c], of_none[at][c], g, i));
      }
      const Sampling sampling{request.drawing.temperature, request.drawing.top_k,
                              request.drawing.top_p};
      EXPECT_EQ(picture.codes[at], sampler.pick(logits, sampling, picture.seed, at)) << at;
    }
  }
}

TEST(Instruct, ThreeRowsAsByHand) {
  const Image image = noise(70, 50, 1);
  for (const Tiny* tiny : {&ours(), &janus_4o()}) {
    EditRequest request = instruct(image, "make the ball red", 2);
    expect_as_by_hand(*tiny, request);
    request.drawing.guidance = 3;
    request.image_guidance = 2;
    request.drawing.top_k = 40;
    expect_as_by_hand(*tiny, request);
    request.drawing.negative = "fog";
    request.drawing.temperature = 0;
    expect_as_by_hand(*tiny, request);
  }
}

TEST(Instruct, ThreeRowsAsByHandOnTheSlowBackend) {
  for (const EditLayout layout : {EditLayout::und_gen, EditLayout::janus_4o}) {
    const Tiny slow = load(layout, "ref");
    expect_as_by_hand(slow, instruct(noise(64, 64, 2), "remove the star"));
  }
}

// Where a row does not count it is not run, and the picture is the same.
TEST(Instruct, RowsThatDoNotCountAreNotRun) {
  struct Case {
    float text, image;
    int64_t rows;
  };
  for (const Case& c : {Case{5, 5, 2}, {5, 1, 2}, {1, 1, 1}, {0, 1, 1}, {0, 0, 1}, {5, 1.5f, 3}}) {
    EditRequest request = instruct(noise(64, 64, 3), "add a cup");
    request.drawing.guidance = c.text;
    request.image_guidance = c.image;
    EXPECT_EQ(edit_rows(ours().prompts, request, 64).count(), c.rows) << c.text << ' ' << c.image;
    expect_as_by_hand(ours(), request);
  }
  EditRequest request = instruct(noise(64, 64, 3), "add a cup");
  request.image_guidance = 0;
  EXPECT_EQ(edit_rows(janus_4o().prompts, request, 64).count(), 2);
  expect_as_by_hand(janus_4o(), request);
}

TEST(Instruct, WhatAPictureDependsOn) {
  const Image image = noise(64, 64, 4);
  const EditRequest request = instruct(image, "make the ball red", 3);
  const std::vector<Picture> pictures = edited(ours(), request);
  EXPECT_NE(pictures[0].codes, pictures[1].codes);
  expect_same(edited(ours(), request, 1), pictures);
  expect_same(edited(ours(), request, 2), pictures);
  expect_same(edited(ours(), request, 8, 1), pictures);
  expect_same(edited(ours(), request, 8, 7), pictures);
  for (const Picture& picture : pictures) {
    expect_same(edited(ours(), instruct(image, "make the ball red", 1, picture.seed)), {picture});
  }
  EXPECT_NE(edited(ours(), instruct(image, "make the ball blue"))[0].codes, pictures[0].codes);
  EXPECT_NE(edited(ours(), instruct(noise(64, 64, 5), "make the ball red"))[0].codes,
            pictures[0].codes);
  EXPECT_NE(edited(janus_4o(), instruct(image, "make the ball red"))[0].codes, pictures[0].codes);
}

TEST(Instruct, ThreadsChangeNothing) {
  const EditRequest request = instruct(noise(64, 48, 6), "make the ball red", 2);
  const std::vector<Picture> pictures = edited(ours(), request);
  for (const int threads : {2, 3, 5}) {
    expect_same(edited(load(EditLayout::und_gen, "cpu", threads), request), pictures);
  }
}

// Beside each other, drawings and questions, whoever joined first, remembering or not.
TEST(Instruct, ACrowdChangesNothing) {
  const Tiny& tiny = ours();
  const Image image = noise(64, 64, 7), other = noise(80, 64, 8);
  std::vector<EditRequest> requests = {
      instruct(image, "make the ball red", 2), instruct(image, "make the ball blue", 1, 9),
      instruct(other, "make the ball red"), instruct(image, "make the ball red", 1, 6)};
  requests.push_back({});  // by keeping
  requests.back().image = image;
  requests.back().drawing = {.prompt = "a red ball", .images = 2, .seed = 3};
  for (const bool remember : {false, true}) {
    std::vector<Outcome> runs(requests.size());
    RunningBatch batch(tiny.model, Dtype::f32, 1200, remember);
    std::string answer;
    auto asked = std::make_shared<AskRequest>();
    asked->messages = {{"user", "What is shown?", {image}}};
    asked->max_tokens = 12;
    batch.join(make_asking(batch.shared(), tiny.prompts, asked, {},
                           [&answer](Answer given) { answer = given.text; }),
               [](const std::exception_ptr& error) { EXPECT_EQ(error, nullptr); });
    for (size_t i = 0; i < requests.size(); ++i) {
      join(tiny, batch, requests[i], runs[i], i == 0 ? 1 : 8);
      for (int steps = 0; steps < 3; ++steps) batch.advance();
    }
    while (!batch.empty()) batch.advance();
    for (size_t i = 0; i < requests.size(); ++i) {
      if (runs[i].failure) std::rethrow_exception(runs[i].failure);
      expect_same(runs[i].pictures, edited(tiny, requests[i]));
    }
    EXPECT_EQ(answer, ask({tiny.model, tiny.prompts}, *asked).text);
  }
}

// What was told is what is taken: blocks to their ends, and no scratch memory beyond it.
TEST(Instruct, TheMemoryThatWasToldIsEnough) {
  const Tiny& tiny = ours();
  const EditRequest request = instruct(noise(64, 64, 9), "make the ball red", 3);
  const auto order = edit_order(tiny.model.config(), tiny.prompts, request);
  const auto rows = rows_of_pictures(*order);
  const BatchShape shape = batch_shape(tiny.model.config(), rows);
  EXPECT_EQ(shape.rows, 9);
  EXPECT_EQ(shape.shown, 2 * tiny.model.config().image_tokens());
  const auto run = [&](int64_t blocks) {
    Outcome result;
    RunningBatch batch(tiny.model, Dtype::f32, blocks, false);
    join(tiny, batch, request, result);
    while (!batch.empty()) batch.advance();
    return result;
  };
  EXPECT_EQ(run(shape.blocks).pictures.size(), 3u);
  EXPECT_NE(run(shape.blocks - 1).failure, nullptr);

  int64_t at_first_code = 0;
  RunningBatch batch(tiny.model, Dtype::f32, shape.blocks, false);
  std::exception_ptr failure;
  batch.join(make_drawing(
                 batch.shared(), order, 3, [](const Picture&) {},
                 [&](const Progress& progress) {
                   const bool first =
                       progress.phase == Progress::Phase::codes && at_first_code == 0;
                   if (first) at_first_code = Buffer::allocations();
                   return true;
                 }),
             [&](const std::exception_ptr& error) { failure = error; });
  while (!batch.empty()) batch.advance();
  EXPECT_EQ(failure, nullptr);
  EXPECT_EQ(Buffer::allocations(), at_first_code + 3);  // pixels
}

janus::Setup setup_of(const Tiny& tiny, int64_t allowed) {
  const std::shared_ptr<const Backend> backend(&tiny.model.backend(), [](const Backend*) {});
  janus::Setup made =
      make_setup(tiny.model.config(), backend, Dtype::f32, Dtype::f32, Parts{}, allowed);
  made.program_bytes = 0;
  return made;
}

TEST(Instruct, MoreRowsTakeMoreMemory) {
  const Tiny& tiny = ours();
  constexpr int64_t kPlenty = int64_t{1} << 40;
  EditRequest request = instruct(noise(64, 64, 9), "make the ball red", 4);
  const auto plan = [&](const EditRequest& of, int64_t allowed) {
    return plan_drawing(setup_of(tiny, allowed), *edit_order(tiny.model.config(), tiny.prompts, of),
                        4);
  };
  const MemoryPlan three = plan(request, kPlenty);
  EXPECT_EQ(three.pictures_at_once, 4);
  request.image_guidance = 5;  // two rows
  EXPECT_GT(three.cache, plan(request, kPlenty).cache);
  request.image_guidance.reset();
  const MemoryPlan fewer = plan(request, three.total() - 1);
  EXPECT_TRUE(fewer.fits());
  EXPECT_LT(fewer.pictures_at_once, 4);
  const MemoryPlan none = plan(request, three.weights + 1000);
  EXPECT_FALSE(none.fits());
  EXPECT_NE(none.refusal.find("drawing 4 pictures"), std::string::npos) << none.refusal;
}

TEST(Instruct, WhatCannotBeIsRefused) {
  const auto refused = [](const Tiny& tiny, const EditRequest& request, Code code,
                          const std::string& words) {
    try {
      edit_order(tiny.model.config(), tiny.prompts, request);
      ADD_FAILURE() << words << " is not refused";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), code) << error.what();
      EXPECT_NE(std::string(error.what()).find(words), std::string::npos) << error.what();
    }
  };
  const EditRequest good = instruct(noise(20, 10, 1), "make the ball red");
  refused(tiny(), good, Code::not_supported, "was not taught to follow instructions");
  EditRequest bad = good;
  bad.image = {};
  refused(ours(), bad, Code::bad_input, "no pixels");
  bad = good;
  bad.instruction = " \n";
  refused(ours(), bad, Code::bad_input, "the instruction is blank");
  bad.instruction = "<image_placeholder>";
  refused(ours(), bad, Code::bad_input, "holds <image_placeholder>");
  bad.instruction = "more";
  for (int i = 0; i < 9000; ++i) bad.instruction += " and more";
  refused(ours(), bad, Code::bad_input, "shorten the prompt");
  bad = good;
  bad.drawing.prompt = "a ball";
  refused(ours(), bad, Code::bad_input, "an instruction, which says what changes, or a prompt");
  bad = good;
  bad.outpaint = Outpaint::left;
  refused(ours(), bad, Code::bad_input, "do one after the other");
  bad = good;
  bad.image_guidance = -1;
  EXPECT_NO_THROW(edit_order(ours().model.config(), ours().prompts, bad));
  refused(janus_4o(), bad, Code::bad_input,
          "image guidance is -1; it must be a finite number from");
  bad.image_guidance = INFINITY;
  refused(ours(), bad, Code::bad_input, "image guidance is inf");
  bad = good;
  bad.drawing.images = 0;
  refused(ours(), bad, Code::bad_input, "images is 0");
}

}  // namespace
}  // namespace janus
