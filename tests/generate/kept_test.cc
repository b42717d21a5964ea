// What is kept between answers changes no bit of them, whatever came in between.
// SPDX-License-Identifier: MIT
#include "generate/kept.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "base/error.h"
#include "generate/ask.h"
#include "generate/pass.h"
#include "generate/running.h"
#include "generate/tiny.h"
#include "io/image.h"

namespace janus {
namespace {

Image photo(const std::string& name = "coffee-portrait.png") {
  return load_image(golden("images/" + name));
}

TEST(KeptPictures, KeysAreOfSizeAndPixels) {
  Image wide{.width = 2, .height = 1, .rgb = {1, 2, 3, 4, 5, 6}};
  Image high = wide;
  std::swap(high.width, high.height);
  Image other = wide;
  other.rgb[5] = 7;
  EXPECT_EQ(picture_key(wide), picture_key(Image(wide)));
  EXPECT_NE(picture_key(wide), picture_key(high));
  EXPECT_NE(picture_key(wide), picture_key(other));
}

TEST(KeptPictures, WhatWasUsedLongestAgoGoesFirst) {
  const auto key = [](uint8_t n) { return PictureKey{n}; };
  const auto vectors = [](float value) {
    OwnedTensor one(Dtype::f32, {4, 16});  // 256 bytes
    one.view.f32()[0] = value;
    return one;
  };
  const auto first = [](const KeptPictures::Vectors& kept) { return *kept->view.f32(); };
  KeptPictures pictures(3 * 256);
  EXPECT_FALSE(pictures.find(key(1)));
  for (uint8_t n = 1; n <= 3; ++n) EXPECT_EQ(first(pictures.keep(key(n), vectors(n))), n);
  ASSERT_TRUE(pictures.find(key(1)));
  EXPECT_EQ(first(pictures.find(key(1))), 1);
  const KeptPictures::Vectors held = pictures.find(key(2));
  pictures.find(key(3));
  pictures.find(key(1));
  pictures.keep(key(4), vectors(4));
  EXPECT_EQ(pictures.bytes(), 3 * 256);
  EXPECT_FALSE(pictures.find(key(2)));
  EXPECT_EQ(first(held), 2);  // who holds it, has it
  EXPECT_TRUE(pictures.find(key(1)) && pictures.find(key(3)) && pictures.find(key(4)));
  EXPECT_EQ(first(pictures.keep(key(1), vectors(9))), 1);  // what is known is not replaced
  EXPECT_EQ(pictures.bytes(), 3 * 256);

  KeptPictures small(1);
  small.keep(key(1), vectors(1));
  EXPECT_TRUE(small.find(key(1)));
  EXPECT_TRUE(small.keep(key(2), vectors(2)));
  EXPECT_EQ(small.bytes(), 256);
}

std::vector<Fed> some_fed(int64_t count, int32_t step) {
  std::vector<Fed> fed;
  for (int64_t i = 0; i < count; ++i) {
    fed.push_back(
        fed_text(static_cast<int32_t>((i * step + 11) % tiny().model.config().llama.vocabulary)));
  }
  return fed;
}

// A cache, what is kept of it, and passes over it.
class Bench {
 public:
  explicit Bench(const Model& model, Dtype dtype = Dtype::f32, int64_t blocks = 40,
                 int64_t limit = int64_t{1} << 30, int sequences = 8)
      : model_(model),
        cache_(model.backend(), model.config().llama, dtype, sequences, 400, blocks),
        kept_(cache_, block_bytes(model, dtype), limit) {}

  static int64_t block_bytes(const Model& model, Dtype dtype) {
    return KvCache::bytes(model.backend(), model.config().llama, dtype, 1);
  }

  // Text logits of the positions of `fed` that were not known, which are run in passes of `piece`
  // rows; the sequence is kept then.
  std::vector<float> run(const std::vector<Fed>& fed, int64_t known, int64_t piece = 1000) {
    const auto [sequence, begun] = kept_.begin(fed);
    EXPECT_EQ(begun, known);
    std::vector<float> values;
    for (int64_t at = begun; at < std::ssize(fed); at += piece) {
      Pass pass(model_, cache_, kept_);
      const int64_t end = std::min<int64_t>(at + piece, std::ssize(fed));
      for (int64_t t = at; t < end; ++t) {
        pass.add(sequence, fed[static_cast<size_t>(t)], Wants::text);
      }
      Workspace space(pass.shape().scratch(model_.config()));
      Workspace::Frame frame(space);
      pass.run(space, frame);
      for (int64_t row = 0; row < pass.rows(); ++row) {
        const std::span<const float> logits = pass.logits(row);
        values.insert(values.end(), logits.begin(), logits.end());
      }
      EXPECT_EQ(space.bytes(), pass.shape().scratch(model_.config()));
    }
    kept_.keep(sequence, fed);
    return values;
  }
  KeptPrompts& kept() { return kept_; }
  KvCache& cache() { return cache_; }

 private:
  const Model& model_;
  KvCache cache_;
  KeptPrompts kept_;
};

// What is kept shares `cut` positions with the prompt.
void expect_the_same_bits(const Tiny& model, Dtype dtype, int64_t count, int64_t cut) {
  const std::vector<Fed> prompt = some_fed(count, 7);
  const std::vector<float> all = Bench(model.model, dtype).run(prompt, 0);
  std::vector<Fed> before = some_fed(cut + 40, 7);
  for (size_t i = static_cast<size_t>(cut); i < before.size(); ++i) before[i].id += 1;
  Bench bench(model.model, dtype);
  bench.run(before, 0);
  const std::vector<float> rest = bench.run(prompt, cut, 37);
  const int64_t width = model.model.config().llama.vocabulary;
  EXPECT_TRUE(std::equal(all.begin() + cut * width, all.end(), rest.begin(), rest.end()))
      << model.model.backend().name() << " cut at " << cut;
}

TEST(KeptPrompts, BitsAreTheSameWhereverThePromptWasCut) {
  for (const int64_t cut : {1, 63, 64, 65, 100, 128, 139}) {
    expect_the_same_bits(tiny(), Dtype::f32, 140, cut);
    expect_the_same_bits(tiny(), Dtype::bf16, 140, cut);
  }
  const Tiny ref = load_tiny("ref");
  for (const int64_t cut : {1, 65, 69}) expect_the_same_bits(ref, Dtype::f32, 70, cut);
  expect_the_same_bits(ref, Dtype::bf16, 70, 64);
}

TEST(KeptPrompts, TheLastPositionIsRunAgain) {
  Bench bench(tiny().model);
  const std::vector<Fed> prompt = some_fed(30, 7);
  const std::vector<float> first = bench.run(prompt, 0);
  const std::vector<float> again = bench.run(prompt, 29);
  EXPECT_TRUE(std::equal(again.begin(), again.end(), first.end() - std::ssize(again)));
}

TEST(KeptPrompts, TheLongestCommonBeginningIsTaken) {
  Bench bench(tiny().model);
  std::vector<Fed> other = some_fed(30, 7);
  other[10].id += 1;
  bench.run(other, 0);
  bench.run(some_fed(20, 7), 10);
  bench.run(some_fed(30, 7), 20);
  other.push_back(fed_text(5));
  bench.run(other, 30);
  Fed code = fed_code(other[3].id);  // the same number, and something else
  other[3] = code;
  bench.run(other, 3);
}

TEST(KeptPrompts, WhatAPromptGoesOnFromIsNotKeptTwice) {
  Bench bench(tiny().model);
  const int64_t block = Bench::block_bytes(tiny().model, Dtype::f32);
  bench.run(some_fed(20, 7), 0);
  bench.run(some_fed(70, 7), 20);
  EXPECT_EQ(bench.kept().bytes(), 2 * block);
  bench.kept().forget();
  EXPECT_EQ(bench.kept().bytes(), 0);
  EXPECT_EQ(bench.cache().free_blocks(), 40);
  EXPECT_EQ(bench.cache().free_sequences(), 8);
}

TEST(KeptPrompts, WhatWasUsedLongestAgoGoesFirst) {
  const int64_t block = Bench::block_bytes(tiny().model, Dtype::f32);
  Bench bench(tiny().model, Dtype::f32, 40, 3 * block);
  for (const int32_t step : {3, 5, 7}) bench.run(some_fed(60, step), step == 3 ? 0 : 1);
  bench.run(some_fed(60, 3), 59);  // used
  bench.run(some_fed(60, 9), 1);   // 5 goes
  EXPECT_EQ(bench.kept().bytes(), 3 * block);
  bench.run(some_fed(60, 7), 59);
  bench.run(some_fed(60, 3), 59);
  bench.run(some_fed(60, 5), 1);
  bench.run(some_fed(300, 11), 1);  // the last stays, however large
  EXPECT_EQ(bench.kept().bytes(), 5 * block);
  bench.run(some_fed(60, 5), 1);
}

TEST(KeptPrompts, MakeRoomForWhatRuns) {
  Bench blocks(tiny().model, Dtype::f32, 5);  // of 64 positions
  blocks.run(some_fed(100, 3), 0);
  blocks.run(some_fed(100, 5), 1);  // 2 blocks each, the first in common for one position only
  blocks.run(some_fed(300, 7), 1);  // all 5
  blocks.run(some_fed(100, 3), 1);
  Bench sequences(tiny().model, Dtype::f32, 40, int64_t{1} << 30, 2);
  sequences.run(some_fed(20, 3), 0);
  sequences.run(some_fed(20, 5), 1);
  sequences.run(some_fed(20, 7), 1);
  EXPECT_EQ(sequences.cache().free_sequences(), 0);
  sequences.run(some_fed(20, 5), 19);
}

// --- whole answers -------------------------------------------------------------------------------

// Asks with and without memory, and compares everything but cached_tokens.
class Compared {
 public:
  explicit Compared(const Tiny& tiny, Dtype cache = Dtype::f32)
      : tiny_(tiny), cache_(cache), batch_(tiny.model, cache, 600, true) {}

  Answer ask(const AskRequest& request) {
    const Answer plain = janus::ask({tiny_.model, tiny_.prompts, cache_}, request);
    const Answer answer = janus::ask({tiny_.model, tiny_.prompts, cache_, &batch_}, request);
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
    EXPECT_THROW(janus::ask({tiny_.model, tiny_.prompts, cache_, &batch_}, request, on_text),
                 Error);
    return said;
  }
  RunningBatch& batch() { return batch_; }

 private:
  const Tiny& tiny_;
  Dtype cache_;
  RunningBatch batch_;
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

TEST(Kept, AConversationIsAnsweredAlikeWithAndWithoutIt) {
  hold_a_conversation(tiny(), Dtype::f32);
  hold_a_conversation(tiny(), Dtype::bf16);
  hold_a_conversation(load_tiny("ref"), Dtype::f32);
}

TEST(Kept, ThePictureInTheMiddleMayChange) {
  Compared asked(tiny());
  AskRequest request = question("One <image_placeholder> and two <image_placeholder>, which?",
                                {photo(), photo("astronaut-64.png")});
  const Answer first = asked.ask(request);
  add_turn(request, first.text, "Sure?", {photo()});
  asked.ask(request);
  const int64_t place = place_of_picture(tiny(), request, 1);
  request.messages[0].images[1] = photo("coffee-palette.png");
  EXPECT_EQ(asked.ask(request).cached_tokens, place);
  request.messages[0].images[1] = photo("astronaut-64.png");  // as two questions before
  const Answer again = asked.ask(request);
  EXPECT_EQ(again.cached_tokens, again.prompt_tokens - 1);
  std::swap(request.messages[0].images[0], request.messages[0].images[1]);
  EXPECT_EQ(asked.ask(request).cached_tokens, place_of_picture(tiny(), request, 0));
}

TEST(Kept, OtherQuestionsInBetweenDoNoHarm) {
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

TEST(Kept, CancelledAnswersLeaveItTrue) {
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

TEST(Kept, StopStringsAndTheLimitLeaveItTrue) {
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

TEST(Kept, RefusedRequestsLeaveItTrue) {
  Compared asked(tiny());
  AskRequest request = question("What is shown?", {photo()});
  const Answer first = asked.ask(request);
  AskRequest refused = question("\xff", {photo()});
  EXPECT_THROW(ask({tiny().model, tiny().prompts, Dtype::f32, &asked.batch()}, refused), Error);
  std::string text;
  for (int i = 0; i < 17000; ++i) text += "x ";
  refused = question(text);
  EXPECT_THROW(ask({tiny().model, tiny().prompts, Dtype::f32, &asked.batch()}, refused), Error);
  add_turn(request, first.text, "Which colour?");
  EXPECT_GE(asked.ask(request).cached_tokens, first.prompt_tokens - 1);
}

TEST(Kept, APictureIsReadOnceHoweverOftenItIsShown) {
  RunningBatch batch(tiny().model, Dtype::f32, 600, true);
  const Asking asking{tiny().model, tiny().prompts, Dtype::f32, &batch};
  const AskRequest request = question("What is shown?", {photo(), photo()});
  const std::string seen = ask(asking, request).text;
  const auto& config = tiny().model.config();
  KeptPictures& pictures = batch.shared().pictures;
  EXPECT_EQ(pictures.bytes(), int64_t{4} * config.vision.tokens() * config.llama.width);
  const KeptPictures::Vectors vectors = pictures.find(picture_key(photo()));
  ASSERT_TRUE(vectors);
  std::fill_n(vectors->view.f32(), vectors->view.count(), 0.0f);
  batch.shared().prompts.forget();             // so that keys and values of the picture are gone
  EXPECT_NE(ask(asking, request).text, seen);  // what is kept is what is used
}

}  // namespace
}  // namespace janus
