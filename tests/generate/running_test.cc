// Requests that run together: each gets what it gets alone, bit for bit, whatever runs beside it,
// whenever it joined, and however the others end. SPDX-License-Identifier: MIT
#include "generate/running.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "generate/ask.h"
#include "generate/draw.h"
#include "generate/tiny.h"
#include "io/image.h"

namespace janus {
namespace {

Tiny load_level(const std::string& level, int threads) {
  LoadOptions options;
  options.backend = level == "ref" ? open_backend("ref", 1) : open_backend("cpu", threads, level);
  options.weights = Dtype::f32;
  const Checkpoint checkpoint(golden("tiny-hf"));
  return {Model::load(checkpoint, options), load_prompts(checkpoint)};
}

// What a request comes to.
struct Result {
  std::vector<Picture> pictures;
  std::optional<Answer> answer;
  std::string streamed;
  std::exception_ptr failure;
  bool ended = false;
};

struct Request {
  std::vector<DrawRequest> draw;  // or
  AskRequest ask;
  int at_once = 8;
  int stop_after = 1 << 30;  // events; then it is not wanted any more
};

std::unique_ptr<Member> member_of(const Tiny& tiny, const Shared& shared, const Request& request,
                                  Result& result) {
  const auto left = std::make_shared<int>(request.stop_after);
  if (request.draw.empty()) {
    return make_asking(
        shared, tiny.prompts, std::make_shared<const AskRequest>(request.ask),
        [&result, left](std::string_view piece) {
          result.streamed += piece;
          return --*left > 0;
        },
        [&result](Answer answer) { result.answer = std::move(answer); });
  }
  return make_drawing(
      shared, draw_order(tiny.model.config(), tiny.prompts, request.draw), request.at_once,
      [&result](Picture picture) { result.pictures.push_back(std::move(picture)); },
      [left](const Progress&) { return --*left > 0; });
}

void join(const Tiny& tiny, RunningBatch& batch, const Request& request, Result& result) {
  batch.join(member_of(tiny, batch.shared(), request, result),
             [&result](const std::exception_ptr& failure) {
               result.failure = failure;
               result.ended = true;
             });
}

Result alone(const Tiny& tiny, const Request& request) {
  Result result;
  RunningBatch batch(tiny.model, Dtype::f32, 600, false);
  join(tiny, batch, request, result);
  while (!batch.empty()) batch.advance();
  EXPECT_TRUE(result.ended);
  return result;
}

void expect_same(const Result& result, const Result& expected, size_t which) {
  EXPECT_TRUE(result.ended) << which;
  EXPECT_NO_THROW(if (result.failure) std::rethrow_exception(result.failure)) << which;
  ASSERT_EQ(result.pictures.size(), expected.pictures.size()) << which;
  for (size_t i = 0; i < result.pictures.size(); ++i) {
    EXPECT_EQ(result.pictures[i].codes, expected.pictures[i].codes) << which;
    EXPECT_EQ(result.pictures[i].image, expected.pictures[i].image) << which;
    EXPECT_EQ(result.pictures[i].request, expected.pictures[i].request) << which;
    EXPECT_EQ(result.pictures[i].index, expected.pictures[i].index) << which;
  }
  ASSERT_EQ(result.answer.has_value(), expected.answer.has_value()) << which;
  if (!result.answer) return;
  EXPECT_EQ(result.answer->text, expected.answer->text) << which;
  EXPECT_EQ(result.answer->finish, expected.answer->finish) << which;
  EXPECT_EQ(result.answer->answer_tokens, expected.answer->answer_tokens) << which;
  EXPECT_EQ(result.streamed, expected.streamed) << which;
}

Request question(const std::string& text, std::vector<Image> images, int tokens, float temperature,
                 const std::string& system = "Be short.") {
  Request request;
  request.ask.messages = {{"user", text, std::move(images)}};
  request.ask.system = system;
  request.ask.max_tokens = tokens;
  request.ask.temperature = temperature;
  request.ask.seed = 11;
  return request;
}

// Sixteen of all kinds, some with beginnings in common.
std::vector<Request> crowd() {
  const Image cup = load_image(golden("images/coffee-portrait.png"));
  const Image man = load_image(golden("images/astronaut-64.png"));
  std::string much;
  for (int i = 0; i < 40; ++i) much += "word after word ";
  std::vector<Request> requests(6);
  requests[0].draw = {{.prompt = "blue", .images = 3, .seed = 3}};
  requests[1].draw = {{.prompt = "blue", .seed = 4, .guidance = 2}, {.prompt = "a red ball"}};
  requests[2].draw = {{.prompt = "a hill", .negative = "fog", .images = 2, .seed = 8}};
  requests[3].draw = {{.prompt = "a hill", .images = 3, .seed = 8, .guidance = 1}};
  requests[3].at_once = 2;
  requests[4].draw = {{.prompt = much, .seed = 9, .temperature = 0.7F, .top_k = 50}};
  requests[5].draw = {{.prompt = "nothing", .guidance = 0, .top_p = 0.9F}};
  requests.push_back(question("What is shown?", {cup}, 12, 1));
  requests.push_back(question("What is shown?", {man}, 20, 0));
  requests.push_back(question("What is shown?", {cup, man}, 9, 1));
  requests.push_back(question("What is shown? Say more.", {cup}, 30, 1));
  requests.push_back(question("hi", {}, 40, 1));
  requests.push_back(question("hi", {}, 40, 0));
  requests.push_back(question("hi there", {}, 1, 1));
  requests.push_back(question(much, {}, 15, 1));
  requests.push_back(question(much + "?", {man}, 5, 1, ""));
  requests.push_back(question("And now?", {cup}, 25, 1));
  return requests;
}

// One more joins after each `pause` of work.
void expect_crowd_as_alone(const Tiny& tiny, bool remember, int pause, size_t most, int ahead = 0) {
  std::vector<Request> requests = crowd();
  if (requests.size() > most) {
    std::vector<Request> some;
    for (size_t i = 0; i < most; ++i) some.push_back(requests[i * requests.size() / most]);
    requests = some;
  }
  RunningBatch batch(tiny.model, Dtype::f32, 600, remember, ahead);
  std::vector<Result> results(requests.size());
  for (size_t i = 0; i < requests.size(); ++i) {
    join(tiny, batch, requests[i], results[i]);
    for (int k = 0; k < pause; ++k) batch.advance();
  }
  while (!batch.empty()) batch.advance();
  for (size_t i = 0; i < requests.size(); ++i) {
    expect_same(results[i], alone(tiny, requests[i]), i);
  }
  batch.forget();
  EXPECT_EQ(batch.shared().cache.free_blocks(), 600);
  EXPECT_EQ(batch.shared().cache.free_sequences(), RunningBatch::kSequences);
}

TEST(Running, SixteenTogetherGetWhatEachGetsAlone) {
  for (const int ahead : {0, 1, 5, 64}) expect_crowd_as_alone(tiny(), true, 3, 16, ahead);
  expect_crowd_as_alone(tiny(), false, 0, 16);
}

TEST(LongRunning, AlsoAtEveryLevel) {
  for (const std::string& level : available_isa_levels()) {
    expect_crowd_as_alone(load_level(level, 2), true, 5, 16);
  }
  expect_crowd_as_alone(load_level("ref", 1), true, 5, 4);
}

TEST(Running, WhoFailsOrIsNotWantedLeavesTheOthersAlone) {
  const std::vector<Request> requests = crowd();
  RunningBatch batch(tiny().model, Dtype::f32, 600, true);
  std::vector<Result> results(requests.size());
  for (size_t i = 0; i < requests.size(); ++i) {
    Request request = requests[i];
    if (i % 3 == 0) request.stop_after = static_cast<int>(1 + i * 2);
    join(tiny(), batch, request, results[i]);
  }
  Request failing = requests[0];
  Result failed;
  std::unique_ptr<Member> member = make_drawing(
      batch.shared(), draw_order(tiny().model.config(), tiny().prompts, failing.draw), 8,
      [](const Picture&) {},
      [](const Progress& progress) -> bool {
        if (progress.done > 9) throw std::runtime_error("an event's own");
        return true;
      });
  batch.join(std::move(member), [&](const std::exception_ptr& failure) {
    failed.failure = failure;
    failed.ended = true;
  });
  while (!batch.empty()) batch.advance();
  EXPECT_TRUE(failed.ended);
  EXPECT_THROW(std::rethrow_exception(failed.failure), std::runtime_error);
  for (size_t i = 0; i < requests.size(); ++i) {
    if (i % 3 != 0) {
      expect_same(results[i], alone(tiny(), requests[i]), i);
    } else if (results[i].failure) {
      EXPECT_THROW(std::rethrow_exception(results[i].failure), Error) << i;
    }
  }
  EXPECT_TRUE(results[0].failure && results[6].failure);
  batch.forget();
  EXPECT_EQ(batch.shared().cache.free_blocks(), 600);
  EXPECT_EQ(batch.shared().cache.free_sequences(), RunningBatch::kSequences);
}

TEST(Running, KeptPromptsGoWhenWhatRunsNeedsTheirBlocks) {
  const Request talk = question("What is shown?", {load_image(golden("images/rocket.jpg"))}, 30, 1);
  const AnswerShape shape = answer_shape(tiny().model.config(), tiny().prompts, talk.ask);
  RunningBatch batch(tiny().model, Dtype::f32, KvCache::blocks_for(shape.positions), true);
  const Result expected = alone(tiny(), talk);
  for (int i = 0; i < 3; ++i) {
    Result result;
    join(tiny(), batch, talk, result);
    while (!batch.empty()) batch.advance();
    expect_same(result, expected, 0);
    EXPECT_EQ(result.answer->cached_tokens > 0, i > 0);
    Result other;  // as large, with another beginning
    Request drawing = question("Another question.", talk.ask.messages[0].images, 30, 1, "Else.");
    join(tiny(), batch, drawing, other);
    while (!batch.empty()) batch.advance();
    EXPECT_FALSE(other.failure);
    join(tiny(), batch, talk, result = {});
    while (!batch.empty()) batch.advance();
    expect_same(result, expected, 1);
    EXPECT_LT(result.answer->cached_tokens, 20);
  }
}

// More than there are blocks for is not planned, and then ends the one that needs them alone.
TEST(Running, WithoutBlocksARequestFailsAndTheOthersGoOn) {
  const Request small = question("hi", {}, 30, 1);
  Request large = question("hi", {}, 1000, 1);
  RunningBatch batch(tiny().model, Dtype::f32, 3, false);
  Result first, second;
  join(tiny(), batch, large, second);
  join(tiny(), batch, small, first);
  while (!batch.empty()) batch.advance();
  expect_same(first, alone(tiny(), small), 0);
  EXPECT_NE(second.answer.has_value(), second.failure != nullptr);
  EXPECT_EQ(batch.shared().cache.free_blocks(), 3);
}

}  // namespace
}  // namespace janus
