// What is kept between answers changes no bit of them, whatever came in between.
// SPDX-License-Identifier: MIT
#include "generate/recollection.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "base/error.h"
#include "generate/ask.h"
#include "generate/tiny.h"
#include "io/image.h"

namespace janus {
namespace {

Image photo(const std::string& name = "coffee-portrait.png") {
  return load_image(golden("images/" + name));
}

TEST(PictureMemory, KeysAreOfSizeAndPixels) {
  Image wide{.width = 2, .height = 1, .rgb = {1, 2, 3, 4, 5, 6}};
  Image high = wide;
  std::swap(high.width, high.height);
  Image other = wide;
  other.rgb[5] = 7;
  EXPECT_EQ(picture_key(wide), picture_key(Image(wide)));
  EXPECT_NE(picture_key(wide), picture_key(high));
  EXPECT_NE(picture_key(wide), picture_key(other));
}

TEST(PictureMemory, WhatWasUsedLongestAgoGoesFirst) {
  const auto key = [](uint8_t n) { return PictureKey{n}; };
  const auto vectors = [](float value) {
    OwnedTensor one(Dtype::f32, {4, 16});  // 256 bytes
    one.view.f32()[0] = value;
    return one;
  };
  PictureMemory memory(3 * 256);
  EXPECT_FALSE(memory.find(key(1)));
  for (uint8_t n = 1; n <= 3; ++n) EXPECT_EQ(*memory.keep(key(n), vectors(n)).f32(), n);
  ASSERT_TRUE(memory.find(key(1)));
  EXPECT_EQ(*memory.find(key(1)).f32(), 1);
  memory.keep(key(4), vectors(4));
  EXPECT_EQ(memory.bytes(), 3 * 256);
  EXPECT_FALSE(memory.find(key(2)));
  EXPECT_TRUE(memory.find(key(1)) && memory.find(key(3)) && memory.find(key(4)));
  EXPECT_EQ(*memory.keep(key(1), vectors(9)).f32(), 1);  // what is known is not replaced
  EXPECT_EQ(memory.bytes(), 3 * 256);

  PictureMemory tiny_one(1);
  tiny_one.keep(key(1), vectors(1));
  EXPECT_TRUE(tiny_one.find(key(1)));
  EXPECT_TRUE(tiny_one.keep(key(2), vectors(2)));
  EXPECT_EQ(tiny_one.bytes(), 256);
}

std::vector<int32_t> some_ids(int64_t count, int32_t step) {
  std::vector<int32_t> ids;
  for (int64_t i = 0; i < count; ++i) {
    ids.push_back(static_cast<int32_t>((i * step + 11) % tiny().model.config().llama.vocabulary));
  }
  return ids;
}

std::vector<Fed> fed_of(const std::vector<int32_t>& ids) {
  std::vector<Fed> fed;
  for (const int32_t id : ids) fed.push_back({id, -1, {}});
  return fed;
}

// Runs the rest of `ids` behind what the memory has; hidden states of that rest, then of three
// tokens more.
std::vector<float> run_rest(const Model& model, PrefixMemory& memory,
                            const std::vector<int32_t>& ids, int64_t positions, int64_t kept) {
  const std::vector<Fed> fed = fed_of(ids);
  EXPECT_EQ(memory.resume(fed, positions), kept);
  const auto rest = std::span(ids).subspan(static_cast<size_t>(kept));
  OwnedTensor x(Dtype::f32, {static_cast<int64_t>(rest.size()), model.config().llama.width});
  model.embed_text(rest, x.view);
  memory.run(x.view, std::span(fed).subspan(static_cast<size_t>(kept)), {});
  std::vector<float> values(x.view.f32(), x.view.f32() + x.view.count());
  const Tensor one = x.view.slice(0, 1);
  for (const int32_t id : {3, 14, 15}) {
    model.embed_text(std::span(&id, 1), one);
    memory.step(id, one);
    values.insert(values.end(), one.f32(), one.f32() + one.cols());
  }
  return values;
}

// The memory first runs something that shares `cut` positions with the prompt.
void expect_the_same_bits(const Tiny& model, Dtype cache, int64_t count, int64_t cut) {
  const std::vector<int32_t> prompt = some_ids(count, 7);
  PrefixMemory fresh(model.model, cache);
  const std::vector<float> all = run_rest(model.model, fresh, prompt, count + 3, 0);
  std::vector<int32_t> before = some_ids(cut + 40, 7);
  for (size_t i = static_cast<size_t>(cut); i < before.size(); ++i) before[i] += 1;
  PrefixMemory memory(model.model, cache);
  const auto length = static_cast<int64_t>(before.size());
  run_rest(model.model, memory, before, length + 3, 0);
  const std::vector<float> rest = run_rest(model.model, memory, prompt, count + 3, cut);
  const auto width = static_cast<size_t>(model.model.config().llama.width);
  const std::vector<float> expected(all.begin() + cut * static_cast<int64_t>(width), all.end());
  EXPECT_TRUE(rest == expected) << model.model.backend().name() << " cut at " << cut;
}

TEST(PrefixMemory, BitsAreTheSameWhereverThePromptWasCut) {
  for (const int64_t cut : {1, 63, 64, 65, 100, 128, 139}) {
    expect_the_same_bits(tiny(), Dtype::f32, 140, cut);
    expect_the_same_bits(tiny(), Dtype::bf16, 140, cut);
  }
  const Tiny ref = load_tiny("ref");
  for (const int64_t cut : {1, 65, 69}) expect_the_same_bits(ref, Dtype::f32, 70, cut);
  expect_the_same_bits(ref, Dtype::bf16, 70, 64);
}

TEST(PrefixMemory, AtLeastTheLastPositionIsRunAgain) {
  PrefixMemory memory(tiny().model, Dtype::f32);
  const std::vector<int32_t> prompt = some_ids(30, 7);
  const std::vector<float> first = run_rest(tiny().model, memory, prompt, 40, 0);
  const std::vector<float> again = run_rest(tiny().model, memory, prompt, 40, 29);
  const std::ptrdiff_t rows = 29 * tiny().model.config().llama.width;
  EXPECT_EQ(again, std::vector<float>(first.begin() + rows, first.end()));
}

TEST(PrefixMemory, StepsAreRememberedAsWell) {
  PrefixMemory memory(tiny().model, Dtype::f32);
  std::vector<int32_t> prompt = some_ids(20, 7);
  run_rest(tiny().model, memory, prompt, 23, 0);
  prompt.insert(prompt.end(), {3, 14, 15, 92});  // those that run_rest() stepped, and one more
  EXPECT_EQ(memory.resume(fed_of(prompt), 40), 23);
}

TEST(PrefixMemory, RoomGrowsAndShrinksWithTheRequests) {
  const Model& model = tiny().model;
  const int64_t context = model.config().llama.context;
  PrefixMemory memory(model, Dtype::f32);
  EXPECT_EQ(memory.room(), 0);
  run_rest(model, memory, some_ids(100, 7), 103, 0);
  EXPECT_EQ(memory.room(), 103);
  run_rest(model, memory, some_ids(101, 7), 104, 100);
  EXPECT_EQ(memory.room(), 154);  // half more
  run_rest(model, memory, some_ids(102, 7), 1000, 101);
  EXPECT_EQ(memory.room(), 1000);
  run_rest(model, memory, some_ids(103, 7), context - 1, 102);
  EXPECT_EQ(memory.room(), context - 1);
  run_rest(model, memory, some_ids(104, 7), context, 103);
  EXPECT_EQ(memory.room(), context);  // and no more
  run_rest(model, memory, some_ids(105, 7), 108, 104);
  EXPECT_EQ(memory.room(), 108);
  run_rest(model, memory, some_ids(105, 9), 2000, 1);  // both begin with the same id
  EXPECT_EQ(memory.room(), 2000);
}

TEST(PrefixMemory, WhatDidNotRunIsNotRemembered) {
  const Model& model = tiny().model;
  const std::vector<int32_t> prompt = some_ids(1500, 7);
  const std::vector<Fed> fed = fed_of(prompt);
  OwnedTensor x(Dtype::f32, {1500, model.config().llama.width});
  for (int stopped_at = 1; stopped_at <= 3; ++stopped_at) {
    PrefixMemory memory(model, Dtype::f32);
    ASSERT_EQ(memory.resume(fed, 1600), 0);
    model.embed_text(prompt, x.view);
    int pieces = 0;
    EXPECT_THROW(
        memory.run(x.view, fed, [&] { check(++pieces < stopped_at, Code::cancelled, "stopped"); }),
        Error);
    EXPECT_EQ(memory.resume(fed, 1600), 512 * (stopped_at - 1));
  }
}

// --- whole answers -------------------------------------------------------------------------------

// Asks with and without memory, and compares everything but cached_tokens.
class Compared {
 public:
  explicit Compared(const Tiny& tiny, Dtype cache = Dtype::f32)
      : tiny_(tiny), cache_(cache), memory_(tiny.model, cache) {}

  Answer ask(const AskRequest& request) {
    const Answer plain = janus::ask({tiny_.model, tiny_.prompts, cache_}, request);
    const Answer answer = janus::ask({tiny_.model, tiny_.prompts, cache_, &memory_}, request);
    EXPECT_EQ(answer.text, plain.text);
    EXPECT_EQ(answer.finish, plain.finish);
    EXPECT_EQ(answer.prompt_tokens, plain.prompt_tokens);
    EXPECT_EQ(answer.answer_tokens, plain.answer_tokens);
    EXPECT_EQ(plain.cached_tokens, 0);
    EXPECT_LT(answer.cached_tokens, answer.prompt_tokens);
    return answer;
  }
  // Stopped when the `count`-th piece, empty ones included, comes; what had been said by then.
  std::string cancel(const AskRequest& request, int count) {
    std::string said;
    const auto on_text = [&](std::string_view piece) {
      said += piece;
      return --count > 0;
    };
    EXPECT_THROW(janus::ask({tiny_.model, tiny_.prompts, cache_, &memory_}, request, on_text),
                 Error);
    return said;
  }
  Recollection& memory() { return memory_; }

 private:
  const Tiny& tiny_;
  Dtype cache_;
  Recollection memory_;
};

AskRequest question(const std::string& text, std::vector<Image> images = {}) {
  AskRequest request;
  request.messages.push_back({"user", text, std::move(images)});
  request.max_tokens = 12;
  request.temperature = 1;  // every bit of the logits may decide
  request.seed = 5;
  return request;
}

void add_turn(AskRequest& request, const std::string& answer, const std::string& text,
              std::vector<Image> images = {}) {
  request.messages.push_back({"assistant", answer, {}});
  request.messages.push_back({"user", text, std::move(images)});
}

// Where the picture number `index` of the request begins in its prompt.
int64_t place_of_picture(const Tiny& tiny, const AskRequest& request, int64_t index) {
  std::vector<Message> messages;
  for (const ChatMessage& message : request.messages) {
    messages.push_back({message.role == "user" ? Role::user : Role::assistant, message.text,
                        static_cast<int64_t>(message.images.size())});
  }
  const std::vector<int32_t> ids = tiny.prompts.read(messages);
  int64_t left = index * tiny.prompts.image_tokens();
  for (size_t t = 0; t < ids.size(); ++t) {
    if (ids[t] == tiny.prompts.ids().image && left-- == 0) return static_cast<int64_t>(t);
  }
  return -1;
}

void hold_a_conversation(const Tiny& tiny, Dtype cache) {
  Compared asked(tiny, cache);
  AskRequest request = question("What is shown?", {photo()});
  const Answer first = asked.ask(request);
  EXPECT_EQ(first.cached_tokens, 0);
  add_turn(request, first.text, "Which colour is it?");
  const Answer second = asked.ask(request);
  EXPECT_GE(second.cached_tokens, first.prompt_tokens - 1);
  add_turn(request, second.text, "And this?", {photo("astronaut-64.png")});
  const Answer third = asked.ask(request);
  EXPECT_GE(third.cached_tokens, second.prompt_tokens - 1);
  EXPECT_LT(third.cached_tokens, place_of_picture(tiny, request, 1));
}

TEST(Recollection, AConversationIsAnsweredAlikeWithAndWithoutIt) {
  hold_a_conversation(tiny(), Dtype::f32);
  hold_a_conversation(tiny(), Dtype::bf16);
  hold_a_conversation(load_tiny("ref"), Dtype::f32);
}

TEST(Recollection, ThePictureInTheMiddleMayChange) {
  Compared asked(tiny());
  AskRequest request = question("One <image_placeholder> and two <image_placeholder>, which?",
                                {photo(), photo("astronaut-64.png")});
  const Answer first = asked.ask(request);
  add_turn(request, first.text, "Sure?", {photo()});
  asked.ask(request);
  const int64_t place = place_of_picture(tiny(), request, 1);
  request.messages[0].images[1] = photo("coffee-palette.png");
  EXPECT_EQ(asked.ask(request).cached_tokens, place);
  request.messages[0].images[1] = photo("astronaut-64.png");  // known, but not in this place
  EXPECT_EQ(asked.ask(request).cached_tokens, place);
  std::swap(request.messages[0].images[0], request.messages[0].images[1]);
  EXPECT_EQ(asked.ask(request).cached_tokens, place_of_picture(tiny(), request, 0));
}

TEST(Recollection, OtherQuestionsInBetweenDoNoHarm) {
  Compared asked(tiny());
  AskRequest request = question("What is shown?", {photo()});
  add_turn(request, asked.ask(request).text, "Which colour?");
  const AskRequest other = question("hello");
  const std::string before = asked.ask(request).text;
  asked.ask(other);
  EXPECT_EQ(asked.ask(request).text, before);
  asked.ask(other);
  AskRequest shorter = other;
  shorter.messages[0].text = "hell";
  asked.ask(shorter);
  AskRequest same = other;
  same.system = "Another system prompt.";
  EXPECT_LT(asked.ask(same).cached_tokens, 5);
  EXPECT_GT(asked.ask(same).cached_tokens, 10);  // all of it but the last token
}

TEST(Recollection, CancelledAnswersLeaveItTrue) {
  Compared asked(tiny());
  std::string text;
  for (int i = 0; i < 80; ++i) text += "many words ";
  AskRequest request = question(text, {photo()});
  ASSERT_GT(asked.ask(request).prompt_tokens, 512 + 64);  // more than one piece
  for (const int count : {1, 2, 3, 4, 6}) {
    const std::string said = asked.cancel(request, count);
    AskRequest next = request;
    add_turn(next, said, "Go on.");
    asked.ask(next);
    asked.cancel(next, count);
    asked.ask(request);
  }
}

TEST(Recollection, StopStringsAndTheLimitLeaveItTrue) {
  Compared asked(tiny());
  AskRequest request = question("What is shown?", {photo()});
  request.max_tokens = 40;
  const std::string whole = asked.ask(request).text;
  const size_t middle = whole.find_first_not_of("\x80\xBF", whole.size() / 2);
  request.stop = {whole.substr(middle, 3)};
  const Answer stopped = asked.ask(request);
  EXPECT_EQ(stopped.finish, Answer::Finish::stop);
  add_turn(request, stopped.text, "Go on.");
  asked.ask(request);
  request.max_tokens = 1;
  EXPECT_EQ(asked.ask(request).finish, Answer::Finish::length);
  add_turn(request, "Something that the model never said.", "Really?");
  asked.ask(request);
}

TEST(Recollection, RefusedRequestsLeaveItTrue) {
  Compared asked(tiny());
  AskRequest request = question("What is shown?", {photo()});
  const Answer first = asked.ask(request);
  AskRequest refused = question("\xff", {photo()});
  EXPECT_THROW(ask({tiny().model, tiny().prompts, Dtype::f32, &asked.memory()}, refused), Error);
  std::string text;
  for (int i = 0; i < 17000; ++i) text += "x ";
  refused = question(text);
  EXPECT_THROW(ask({tiny().model, tiny().prompts, Dtype::f32, &asked.memory()}, refused), Error);
  add_turn(request, first.text, "Which colour?");
  EXPECT_GE(asked.ask(request).cached_tokens, first.prompt_tokens - 1);
}

TEST(Recollection, APictureIsReadOnceHoweverOftenItIsShown) {
  Recollection memory(tiny().model, Dtype::f32);
  const Asking asking{tiny().model, tiny().prompts, Dtype::f32, &memory};
  const AskRequest request = question("What is shown?", {photo(), photo()});
  const std::string seen = ask(asking, request).text;
  const auto& config = tiny().model.config();
  EXPECT_EQ(memory.pictures.bytes(), int64_t{4} * config.vision.tokens() * config.llama.width);
  const Tensor vectors = memory.pictures.find(picture_key(photo()));
  ASSERT_TRUE(vectors);
  std::fill_n(vectors.f32(), vectors.count(), 0.0f);
  ask(asking, question("hello"));              // so that keys and values of the picture are gone
  EXPECT_NE(ask(asking, request).text, seen);  // what is kept is what is used
}

}  // namespace
}  // namespace janus
