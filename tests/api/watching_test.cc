// What a server looks at while requests run: ends told, growing pictures, probabilities of tokens,
// the counts of a prompt that is too long. SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <latch>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "api/fields.h"
#include "januspro/januspro.hpp"

namespace janus {
namespace {

Engine load_tiny() { return Engine::load({.checkpoint = golden("tiny-hf"), .threads = 2}); }

AskRequest question(int tokens) {
  return {.messages = {{"user", "hi", {}}}, .max_tokens = tokens, .temperature = 1, .seed = 5};
}

TEST(WatchingThreads, AnEndIsToldOnceWhateverItIs) {
  Engine engine = load_tiny();
  std::atomic<int> done{0}, cancelled{0}, late{0};
  std::latch told{2}, open{1};
  DrawEvents events;
  events.on_step = [&](const Progress&) {
    open.wait();
    return true;
  };
  const Job running = engine.submit(DrawRequest{.prompt = "blue"}, events);
  const Job waiting = engine.submit(question(4));
  running.on_end([&] {
    done += running.view().state == JobState::done ? 1 : 100;
    told.count_down();
  });
  waiting.on_end([&] {
    cancelled += waiting.view().state == JobState::cancelled ? 1 : 100;
    told.count_down();
  });
  waiting.cancel();
  EXPECT_EQ(cancelled, 1);
  open.count_down();
  told.wait();
  running.on_end([&] { ++late; });
  EXPECT_EQ(done, 1);
  EXPECT_EQ(late, 1);
  waiting.cancel();
  EXPECT_EQ(cancelled, 1);
}

TEST(Watching, GrowingPicturesAreShownAtTheirRows) {
  Engine engine = load_tiny();
  const DrawRequest request{.prompt = "blue", .images = 2, .seed = 3};
  const auto expected = engine.draw(request);
  const auto grid = static_cast<int>(std::lround(std::sqrt(engine.info().image_tokens)));
  const int side = engine.info().image;
  for (const int count : {1, 3, grid, 4 * grid}) {
    std::vector<std::vector<int>> numbers(2);
    DrawEvents events;
    events.partials = count;
    events.on_partial = [&](const Partial& partial) {
      numbers[static_cast<size_t>(partial.index)].push_back(partial.number);
      EXPECT_GE(partial.rows * (count + 1), (partial.number + 1) * grid);
      EXPECT_LT(partial.rows, grid);
      EXPECT_EQ(partial.image.width, side);
      EXPECT_EQ(partial.image.rgb.back(), 197);
      const size_t drawn = static_cast<size_t>(partial.rows * side / grid * side * 3);
      const auto& rgb = partial.image.rgb;
      EXPECT_EQ(std::count(rgb.begin() + static_cast<int64_t>(drawn), rgb.end(), 197),
                std::ssize(rgb) - static_cast<int64_t>(drawn));
      EXPECT_NE(std::set(rgb.begin(), rgb.begin() + static_cast<int64_t>(drawn)).size(), 1u);
    };
    EXPECT_EQ(engine.draw(request, events)[1].image, expected[1].image);
    for (const auto& seen : numbers) {
      EXPECT_TRUE(std::is_sorted(seen.begin(), seen.end()));
      EXPECT_EQ(seen.size(), static_cast<size_t>(std::min(count, grid - 1)));
    }
  }
}

TEST(Watching, TokensTellTheirProbabilities) {
  Engine engine = load_tiny();
  AskRequest request = question(6);
  EXPECT_TRUE(engine.ask(request).tokens.empty());
  request.logprobs = 3;
  std::optional<Job> job;
  std::latch known{1};
  size_t seen = 0;
  job = engine.submit(request, [&](std::string_view piece) {
    known.wait();
    if (!piece.empty()) seen = job->tokens(0).size();
    return true;
  });
  known.count_down();
  const Answer answer = job->answer();
  EXPECT_EQ(answer.text, engine.ask(question(6)).text);
  ASSERT_FALSE(answer.tokens.empty());
  EXPECT_GT(seen, 0u);
  EXPECT_EQ(job->tokens(1).size(), answer.tokens.size() - 1);
  EXPECT_TRUE(job->tokens(1000).empty());
  for (const AnswerToken& token : answer.tokens) {
    EXPECT_LE(token.chosen.logprob, 0);
    ASSERT_EQ(token.likeliest.size(), 3u);
    EXPECT_GE(token.likeliest[0].logprob, token.likeliest[1].logprob);
    EXPECT_GE(token.likeliest[0].logprob, token.chosen.logprob);
  }
  request.temperature = 0;
  const Answer greedy = engine.ask(request);
  for (const AnswerToken& token : greedy.tokens) {
    EXPECT_EQ(token.chosen.logprob, token.likeliest[0].logprob);
    EXPECT_EQ(token.chosen.bytes, token.likeliest[0].bytes);
  }
  request.logprobs = 100'000;
  double sum = 0;
  const Answer whole = engine.ask(request);
  for (const ScoredToken& token : whole.tokens[0].likeliest) {
    sum += std::exp(static_cast<double>(token.logprob));
  }
  EXPECT_NEAR(sum, 1, 1e-5);
}

TEST(Watching, APromptThatIsTooLongIsCounted) {
  Engine engine = load_tiny();
  std::string text;
  for (int i = 0; i < 40000; ++i) text += "word ";
  const auto counts = [](const auto& call) {
    try {
      call();
    } catch (const TooLong& error) {
      EXPECT_EQ(error.code(), Code::bad_input);
      return std::pair(error.tokens(), error.limit());
    }
    return std::pair<int64_t, int64_t>(0, 0);
  };
  const auto asked = counts([&] { engine.submit(AskRequest{.messages = {{"user", text, {}}}}); });
  EXPECT_EQ(asked.second, engine.info().context - 1);
  EXPECT_GT(asked.first, asked.second);
  const auto drawn = counts([&] { engine.submit(DrawRequest{.prompt = text}); });
  EXPECT_EQ(drawn.second, engine.info().context - engine.info().image_tokens + 1);
  EXPECT_GT(drawn.first, drawn.second);
}

}  // namespace
}  // namespace janus
