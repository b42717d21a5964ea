// Requests that are submitted: order, watching, cancelling, results, from several threads.
// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <functional>
#include <latch>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "api/fields.h"
#include "januspro/januspro.hpp"

namespace janus {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;

Engine load_tiny() {
  EngineOptions options;
  options.checkpoint = golden("tiny-hf");
  options.threads = 2;
  return Engine::load(options);
}

AskRequest question(int tokens = 8) {
  return {.messages = {{"user", "hi", {}}}, .max_tokens = tokens};
}

// The code that a job, or a call, failed with.
std::optional<Code> code_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const Error& error) {
    return error.code();
  }
  return {};
}

// Keeps a drawing from going on after its first step until release().
struct Gate {
  std::latch reached{1}, open{1};
  std::atomic<bool> first{true};

  DrawEvents events() {
    DrawEvents events;
    events.on_step = [this](const Progress&) {
      if (first.exchange(false)) {
        reached.count_down();
        open.wait();
      }
      return true;
    };
    return events;
  }
};

TEST(Job, FieldsAreThoseOfTheFrozenList) {
  EXPECT_EQ(fields_of("job.hpp", "JobView"),
            (Names{"state", "change", "phase", "codes", "codes_total", "pictures", "pictures_total",
                   "text_bytes"}));
}

TEST(JobThreads, ComesToWhatACallComesTo) {
  Engine engine = load_tiny();
  const std::vector<DrawRequest> requests{{.prompt = "blue", .images = 2, .seed = 3},
                                          {.prompt = "red"}};
  const std::vector<Picture> expected = engine.draw(requests);
  const Answer answer = engine.ask(question());
  const Job drawing = engine.submit(requests);
  const Job asking = engine.submit(question());
  const std::vector<Picture> pictures = drawing.pictures();
  ASSERT_EQ(pictures.size(), 3u);
  for (size_t i = 0; i < pictures.size(); ++i) {
    const auto number = static_cast<int64_t>(i);
    EXPECT_EQ(pictures[i].image, expected[i].image);
    EXPECT_EQ(pictures[i].seed, expected[i].seed);
    EXPECT_EQ(drawing.codes(number), expected[i].codes);
    EXPECT_EQ(drawing.picture(number)->image, expected[i].image);
  }
  EXPECT_EQ(asking.answer().text, answer.text);
  EXPECT_EQ(asking.text(), answer.text);
  const JobView view = drawing.view();
  EXPECT_EQ(view.state, JobState::done);
  EXPECT_EQ(view.codes, view.codes_total);
  EXPECT_EQ(view.codes_total, 3 * engine.info().image_tokens);
  EXPECT_EQ(view.pictures, 3);
  EXPECT_EQ(asking.view().text_bytes, static_cast<int64_t>(answer.text.size()));
  EXPECT_EQ(code_of([&] { drawing.answer(); }), Code::bad_input);
  EXPECT_EQ(code_of([&] { asking.pictures(); }), Code::bad_input);
  EXPECT_EQ(code_of([&] { drawing.codes(3); }), Code::bad_input);
}

TEST(JobThreads, WaitsForThePresentStepAndCanBeCancelledMeanwhile) {
  Engine engine = load_tiny();
  Gate gate;
  const Job running = engine.submit(DrawRequest{.prompt = "blue"}, gate.events());
  gate.reached.wait();
  const Job waiting = engine.submit(DrawRequest{.prompt = "blue"});
  const Job unwanted = engine.submit(DrawRequest{.prompt = "blue"});
  EXPECT_EQ(running.view().state, JobState::running);
  EXPECT_EQ(waiting.view().state, JobState::waiting);
  EXPECT_FALSE(waiting.wait(milliseconds(1)));
  unwanted.cancel();
  EXPECT_TRUE(unwanted.wait(milliseconds(0)));
  EXPECT_EQ(unwanted.view().state, JobState::cancelled);
  gate.open.count_down();
  EXPECT_EQ(code_of([&] { unwanted.pictures(); }), Code::cancelled);
  EXPECT_EQ(waiting.pictures()[0].codes, running.pictures()[0].codes);
  EXPECT_EQ(waiting.view().state, JobState::done);
}

// Both are seen at work within one event.
TEST(JobThreads, RunsBesideTheOthers) {
  Engine engine = load_tiny();
  Gate gate;
  const Job drawing = engine.submit(DrawRequest{.prompt = "blue", .images = 2}, gate.events());
  gate.reached.wait();
  std::optional<JobView> seen;
  const Job asking = engine.submit(question(3), [&](std::string_view) {
    if (!seen) seen = drawing.view();
    return true;
  });
  gate.open.count_down();
  asking.wait();
  ASSERT_TRUE(seen.has_value());
  EXPECT_EQ(seen->state, JobState::running);
  EXPECT_FALSE(drawing.view().over());  // three tokens take less than a picture
  drawing.wait();
}

// What does not fit beside those that run waits for them; what fits never is refused at once.
TEST(JobThreads, WaitsForMemoryAndIsRefusedOnlyWhereItCouldNeverFit) {
  EngineOptions options;
  options.checkpoint = golden("tiny-hf");
  options.threads = 2;
  const DrawRequest large{.prompt = "blue", .images = 4};
  options.memory = Engine::load(options).plan(large).total() + 1000;
  Engine engine = Engine::load(options);
  Gate gate;
  const Job first = engine.submit(large, gate.events());
  gate.reached.wait();
  std::optional<JobState> seen;
  DrawEvents events;
  events.on_step = [&](const Progress&) {
    if (!seen) seen = first.view().state;
    return true;
  };
  const Job second = engine.submit(large, events);
  DrawRequest too_large = large;
  too_large.prompt = "x";
  for (int i = 0; i < 8000; ++i) too_large.prompt += " x";
  const Job never = engine.submit(too_large);
  gate.open.count_down();
  EXPECT_EQ(code_of([&] { never.pictures(); }), Code::out_of_memory);
  EXPECT_EQ(second.pictures().size(), 4u);
  EXPECT_EQ(seen, JobState::done);
}

// Of three places two are taken; of what comes then two pictures are drawn one after the other, and
// an answer behind them waits until one of the first drawing's places is free.
TEST(JobThreads, WaitsForAPlace) {
  EngineOptions options;
  options.checkpoint = golden("tiny-hf");
  options.threads = 2;
  options.parallel = 3;
  Engine engine = Engine::load(options);
  EXPECT_EQ(engine.info().parallel, 3);
  EXPECT_EQ(engine.plan(DrawRequest{.prompt = "blue", .images = 8}).pictures_at_once, 3);
  Gate gate;
  const Job first = engine.submit(DrawRequest{.prompt = "blue", .images = 2}, gate.events());
  gate.reached.wait();
  size_t most = 0;
  DrawEvents events;
  events.on_step = [&](const Progress& progress) {
    most = std::max(most, progress.sketches.size());
    return true;
  };
  const Job second = engine.submit(DrawRequest{.prompt = "a ball", .images = 2}, events);
  std::optional<JobState> seen;
  const Job third = engine.submit(question(2), [&](std::string_view) {
    if (!seen) seen = first.view().state;
    return true;
  });
  gate.open.count_down();
  third.wait();
  EXPECT_EQ(second.pictures().size(), 2u);
  EXPECT_EQ(most, 1u);
  EXPECT_EQ(seen, JobState::done);
}

TEST(JobThreads, StopsAfterTheStepThatRunsAndKeepsWhatThereIs) {
  Engine engine = load_tiny();
  const std::vector<Picture> whole =
      engine.draw({.prompt = "blue", .images = 2, .seed = 3, .temperature = 0});
  const auto codes = static_cast<size_t>(engine.info().image_tokens);
  std::atomic<int> steps{0};
  std::optional<Job> job;
  std::latch known{1};
  DrawEvents events;
  events.on_step = [&](const Progress& progress) {
    known.wait();
    ++steps;
    if (progress.done >= 2 * 5) job->cancel();
    return true;
  };
  job = engine.submit(DrawRequest{.prompt = "blue", .images = 2, .seed = 3, .temperature = 0},
                      events);
  known.count_down();
  job->wait();
  EXPECT_EQ(job->view().state, JobState::cancelled);
  EXPECT_EQ(job->view().codes, 2 * 5);
  EXPECT_LT(static_cast<size_t>(steps), codes);
  for (int64_t i = 0; i < 2; ++i) {
    const std::vector<int32_t>& all = whole[static_cast<size_t>(i)].codes;
    EXPECT_EQ(job->codes(i), std::vector<int32_t>(all.begin(), all.begin() + 5));
    EXPECT_EQ(job->picture(i), nullptr);
  }
  EXPECT_EQ(engine.draw({.prompt = "blue", .seed = 3, .temperature = 0})[0].codes, whole[0].codes);
}

// A stop string that the answer begins and never ends holds all text back.
TEST(JobThreads, AnAnswerStopsThoughNoTextComes) {
  Engine engine = load_tiny();
  AskRequest request = question(40);
  const std::string text = engine.ask(request).text;
  ASSERT_GT(text.size(), 8u);
  request.stop = {text + "and never this"};
  std::optional<Job> job;
  std::latch known{1};
  int calls = 0;
  const OnText on_text = [&](std::string_view piece) {
    known.wait();
    EXPECT_TRUE(piece.empty());
    if (++calls == 4) job->cancel();
    return true;
  };
  job = engine.submit(request, on_text);
  known.count_down();
  EXPECT_EQ(code_of([&] { job->answer(); }), Code::cancelled);
  EXPECT_EQ(calls, 4);
}

TEST(Job, RequestsThatCannotBeUsedAreRefusedAtOnce) {
  Engine engine = load_tiny();
  std::string text;  // fills the context
  for (int i = 0; i < 17000; ++i) text += "x ";
  EXPECT_EQ(code_of([&] { engine.submit(DrawRequest{.images = 0}); }), Code::bad_input);
  EXPECT_EQ(code_of([&] { engine.submit(DrawRequest{.top_p = 2}); }), Code::bad_input);
  EXPECT_EQ(code_of([&] { engine.submit(DrawRequest{.prompt = text}); }), Code::bad_input);
  EXPECT_EQ(code_of([&] { engine.submit(AskRequest{}); }), Code::bad_input);
  AskRequest request = question();
  request.messages[0].text = text;
  EXPECT_EQ(code_of([&] { engine.submit(request); }), Code::bad_input);
}

TEST(JobThreads, IsWatchedWhileItGrows) {
  Engine engine = load_tiny();
  const Job job = engine.submit(DrawRequest{.prompt = "blue", .images = 3});
  const auto all = static_cast<size_t>(engine.info().image_tokens);
  // Looks without a pause, so that it is in the middle of a look when something changes.
  std::atomic<bool> enough{false};
  std::thread onlooker([&] {
    const auto go_on = [&] { return !enough.load(std::memory_order_relaxed); };
    while (go_on() && job.codes(0).size() < all) {
    }
    while (go_on() && !job.picture(0)) {
    }
  });
  std::vector<int32_t> seen;
  JobView view = job.view();
  while (!view.over()) {
    const JobView next = job.wait_change(view.change, minutes(1));
    EXPECT_GT(next.change, view.change);
    EXPECT_GE(next.codes, view.codes);
    EXPECT_GE(next.pictures, view.pictures);
    const std::vector<int32_t> codes = job.codes(2);
    EXPECT_GE(codes.size(), seen.size());
    const size_t shared = std::min(codes.size(), seen.size());
    EXPECT_TRUE(std::equal(seen.begin(), seen.end(), codes.begin(),
                           codes.begin() + static_cast<int64_t>(shared)));
    seen = codes;
    view = next;
  }
  enough = true;
  onlooker.join();
  EXPECT_EQ(seen, job.pictures()[2].codes);
  EXPECT_EQ(job.wait_change(view.change, minutes(1)).change, view.change);  // nothing will come
}

TEST(JobThreads, EventsMaySubmitAndNothingThatWouldWaitForThemselves) {
  Engine engine = load_tiny();
  std::optional<Job> job, other;
  std::latch known{1};
  std::optional<Code> drawn, waited;
  DrawEvents events;
  events.on_picture = [&](const Picture&) {
    known.wait();
    drawn = code_of([&] { engine.draw({.prompt = "blue"}); });
    engine.prepare_preview({});
    waited = code_of([&] { job->wait(); });
    other = engine.submit(question());
  };
  job = engine.submit(DrawRequest{.prompt = "blue"}, events);
  known.count_down();
  job->wait();
  EXPECT_EQ(job->view().state, JobState::done);
  EXPECT_EQ(drawn, Code::bad_input);
  EXPECT_EQ(waited, Code::bad_input);
  EXPECT_EQ(other->answer().text, engine.ask(question()).text);
}

TEST(JobThreads, WhatAnEventThrowsIsWhatTheJobFailsOf) {
  Engine engine = load_tiny();
  DrawEvents events;
  events.on_step = [](const Progress&) -> bool { throw std::out_of_range("mine"); };
  const Job job = engine.submit(DrawRequest{.prompt = "blue"}, events);
  EXPECT_THROW(job.pictures(), std::out_of_range);
  EXPECT_EQ(job.view().state, JobState::failed);
  EXPECT_THROW(engine.draw(DrawRequest{.prompt = "blue"}, events), std::out_of_range);
  EXPECT_EQ(engine.draw({.prompt = "blue"}).size(), 1u);
}

TEST(JobThreads, OutlivesItsEngine) {
  Gate gate;
  std::optional<Engine> engine = load_tiny();
  const Job running = engine->submit(DrawRequest{.prompt = "blue", .images = 2}, gate.events());
  gate.reached.wait();
  const Job waiting = engine->submit(question());
  std::thread end([&] { engine.reset(); });
  EXPECT_EQ(code_of([&] { waiting.answer(); }), Code::cancelled);
  gate.open.count_down();
  end.join();
  EXPECT_EQ(running.view().state, JobState::cancelled);
  EXPECT_GT(running.view().change, 0u);
  EXPECT_EQ(running.picture(1), nullptr);
  running.cancel();
}

TEST(JobThreads, ManyThreadsSubmitWatchAndCancel) {
  Engine engine = load_tiny();
  const std::vector<int32_t> expected = engine.draw({.prompt = "blue", .seed = 3})[0].codes;
  const std::string text = engine.ask(question()).text;
  engine.prepare_preview({});
  std::vector<Job> jobs;
  for (int i = 0; i < 2; ++i) jobs.push_back(engine.submit({.prompt = "blue", .seed = 3}));
  std::atomic<int> right{0};
  std::vector<std::thread> threads;
  for (size_t t = 0; t < 3; ++t) {
    threads.emplace_back([&, t] {
      const Job mine = engine.submit({.prompt = "blue", .seed = 3});
      const Job unwanted = engine.submit(DrawRequest{.prompt = "red", .images = 4});
      const Job asked = engine.submit(question());
      if (t == 0) jobs[1].cancel();
      for (const Job& job : jobs) {
        engine.preview(job.codes(0));
        job.wait_change(job.view().change, milliseconds(5));
      }
      if (t == 1) engine.ask(question());
      unwanted.cancel();
      const bool drawn = mine.pictures()[0].codes == expected;
      const bool told = asked.answer().text == text;
      const bool stopped = unwanted.wait(minutes(5));
      right += drawn && told && stopped;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(right, 3);
  EXPECT_EQ(jobs[0].pictures()[0].codes, expected);
}

}  // namespace
}  // namespace janus
