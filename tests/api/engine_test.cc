// The public door: what it promises about requests, threads, loading and the preview.
// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <thread>

#include "api/fields.h"
#include "januspro/januspro.hpp"

namespace janus {
namespace {

EngineOptions tiny_options() {
  EngineOptions options;
  options.checkpoint = golden("tiny-hf");
  options.threads = 2;
  return options;
}

// A field more or less is a decision that shows here; a request has a dozen at most.
TEST(Api, FieldsAreThoseOfTheFrozenList) {
  EXPECT_EQ(
      fields_of("requests.hpp", "DrawRequest"),
      (Names{"prompt", "negative", "images", "seed", "guidance", "temperature", "top_k", "top_p"}));
  EXPECT_EQ(
      fields_of("requests.hpp", "EditRequest"),
      (Names{"drawing", "image", "mask", "outpaint", "keep", "instruction", "image_guidance"}));
  EXPECT_EQ(fields_of("requests.hpp", "AskRequest"),
            (Names{"messages", "system", "max_tokens", "temperature", "top_k", "top_p", "seed",
                   "stop", "logprobs"}));
  EXPECT_EQ(fields_of("requests.hpp", "ChatMessage"), (Names{"role", "text", "images"}));
  EXPECT_EQ(fields_of("januspro.hpp", "EngineOptions"),
            (Names{"checkpoint", "mmproj", "halves", "backend", "threads", "isa", "weights",
                   "cache", "round_rope", "pictures_at_once", "parallel", "remember", "memory",
                   "ahead", "adapters", "edit_layout", "on_load", "on_warning"}));
  EXPECT_EQ(fields_of("requests.hpp", "MemoryPlan"),
            (Names{"program", "weights", "cache", "scratch", "pictures", "kept", "limit",
                   "pictures_at_once", "refusal"}));
  EXPECT_EQ(fields_of("requests.hpp", "EmbedRequest"), (Names{"text", "images"}));
  EXPECT_EQ(fields_of("requests.hpp", "Embedding"), (Names{"values", "prompt_tokens"}));
  EXPECT_EQ(fields_of("image.hpp", "PictureOptions"), (Names{"format", "quality"}));
  EXPECT_EQ(fields_of("requests.hpp", "Answer"),
            (Names{"text", "finish", "prompt_tokens", "cached_tokens", "answer_tokens", "tokens"}));
}

TEST(Api, TheExampleOfTheHeaderWorks) {
  Engine engine = Engine::load({.checkpoint = golden("tiny-hf")});
  const auto pictures = engine.draw({.prompt = "a lighthouse in fog", .images = 4, .seed = 7});
  ASSERT_EQ(pictures.size(), 4u);
  const auto answer =
      engine.ask({.messages = {{"user", "What is this?", {pictures[0].image}}}, .max_tokens = 4});
  EXPECT_GT(answer.prompt_tokens, 64);
}

TEST(Api, InfoSaysWhatWasLoaded) {
  const Engine engine = Engine::load(tiny_options());
  const ModelInfo& info = engine.info();
  EXPECT_EQ(info.name, "tiny-hf");
  EXPECT_EQ(info.layout, "transformers");
  EXPECT_EQ(info.backend.rfind("cpu ", 0), 0u);
  EXPECT_EQ(info.weights, "f32");
  EXPECT_EQ(info.parameters, 905547);
  EXPECT_EQ(info.image_tokens, 64);
  EXPECT_EQ(info.cache_token_bytes, 2 * 2 * 64 * 4);
  EngineOptions official = tiny_options();
  official.checkpoint = golden("tiny-official");
  const Engine other = Engine::load(official);
  EXPECT_EQ(other.info().layout, "official");
  EXPECT_EQ(other.info().weights, "bf16");
  EXPECT_EQ(other.info().hash, info.hash);
}

TEST(Api, ASecondTurnIsNotReadFromTheBeginningAndAnswersAlike) {
  Engine engine = Engine::load(tiny_options());
  EngineOptions options = tiny_options();
  options.remember = false;
  Engine forgetful = Engine::load(options);
  const Image picture = load_picture(golden("images/astronaut-64.png"));
  AskRequest request;
  request.messages = {{"user", "What is it?", {picture}}};
  request.max_tokens = 8;
  for (int turn = 0; turn < 3; ++turn) {
    const Answer answer = engine.ask(request), plain = forgetful.ask(request);
    EXPECT_EQ(answer.text, plain.text);
    EXPECT_EQ(answer.prompt_tokens, plain.prompt_tokens);
    EXPECT_EQ(plain.cached_tokens, 0);
    EXPECT_EQ(answer.cached_tokens > engine.info().vision_tokens, turn > 0);
    engine.draw({.prompt = "blue"});  // in between, it changes nothing
    request.messages.push_back({"assistant", answer.text, {}});
    request.messages.push_back({"user", "And then?", {}});
  }
}

TEST(Api, TextAndPicturesBecomeOneVector) {
  Engine engine = Engine::load(tiny_options());
  const EmbedRequest request{"a cup", {load_picture(golden("images/coffee-portrait.png"))}};
  const Embedding embedding = engine.embed(request);
  EXPECT_EQ(std::ssize(embedding.values), engine.info().width);
  EXPECT_GT(embedding.prompt_tokens, engine.info().vision_tokens);
  const Job job = engine.submit(request);
  EXPECT_EQ(job.embedding().values, embedding.values);
  EXPECT_NE(engine.embed({"a cup", {}}).values, embedding.values);
  EXPECT_THROW(job.answer(), Error);
  EXPECT_THROW(engine.submit(DrawRequest{.prompt = "blue"}).embedding(), Error);
  EngineOptions options = tiny_options();
  options.halves = "draw";
  Engine drawing = Engine::load(options);
  EXPECT_THROW(drawing.embed(request), Error);
}

TEST(Api, TheUseOfTheCacheIsTold) {
  EngineOptions options = tiny_options();
  options.remember = false;
  Engine engine = Engine::load(options);
  EXPECT_EQ(engine.cache_use(), 0);
  double most = 0;
  DrawEvents events;
  events.on_step = [&](const Progress&) {
    most = std::max(most, engine.cache_use());
    return true;
  };
  engine.draw({.prompt = "blue"}, events);
  EXPECT_GT(most, 0);
  EXPECT_LT(most, 1);
  EXPECT_EQ(engine.cache_use(), 0);
  Engine remembering = Engine::load(tiny_options());
  remembering.draw({.prompt = "blue"});
  EXPECT_GT(remembering.cache_use(), 0);
}

TEST(Api, WhatIsRememberedIsGivenUpForARequestThatNeedsTheRoom) {
  AskRequest question;
  question.messages = {{"user", "What is it?", {load_picture(golden("images/astronaut-64.png"))}}};
  question.max_tokens = 8;
  const DrawRequest large{.prompt = "blue", .images = 8};
  EngineOptions options = tiny_options();
  options.memory = Engine::load(options).plan(large).total();
  for (const bool tight : {true, false}) {
    Engine engine = Engine::load(tight ? options : tiny_options());
    engine.ask(question);
    EXPECT_GT(engine.ask(question).cached_tokens, 0);
    EXPECT_EQ(engine.plan(large).kept == 0, tight);
    engine.draw(large);
    // What a drawing's prompt has in common with a question's is a token or two.
    EXPECT_EQ(engine.ask(question).cached_tokens < 10, tight);
  }
}

TEST(ApiThreads, CallsFromSeveralThreadsRunTogether) {
  Engine engine = Engine::load(tiny_options());
  const auto expected = engine.draw({.prompt = "blue", .seed = 3});
  const Answer answer = engine.ask({.messages = {{"user", "hi", {}}}, .max_tokens = 5});
  std::vector<std::thread> threads;
  std::vector<int> right(4);
  for (size_t t = 0; t < right.size(); ++t) {
    threads.emplace_back([&, t] {
      right[t] =
          t % 2 == 0
              ? engine.draw({.prompt = "blue", .seed = 3})[0].codes == expected[0].codes
              : engine.ask({.messages = {{"user", "hi", {}}}, .max_tokens = 5}).text == answer.text;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(right, (std::vector<int>{1, 1, 1, 1}));
}

Code code_of(const EngineOptions& options) {
  try {
    Engine::load(options);
  } catch (const Error& error) {
    return error.code();
  }
  return Code::bug;
}

TEST(Api, LoadingFailsWithTheRightCode) {
  EngineOptions options = tiny_options();
  options.backend = "abacus";
  EXPECT_EQ(code_of(options), Code::bad_input);
  options = tiny_options();
  options.weights = "f64";
  EXPECT_EQ(code_of(options), Code::bad_input);
  options = tiny_options();
  options.on_load = [](double) { return false; };
  EXPECT_EQ(code_of(options), Code::cancelled);
  options = tiny_options();
  options.pictures_at_once = 0;
  EXPECT_EQ(code_of(options), Code::bad_input);
}

std::filesystem::path own_folder(const char* name) {
  const auto folder = std::filesystem::temp_directory_path() /
                      (std::string("januspro-api-") + name + std::to_string(::getpid()));
  std::filesystem::remove_all(folder);
  return folder;
}

TEST(Api, TheCodecGoesBothWays) {
  Engine engine = Engine::load(tiny_options());
  const std::vector<Picture> drawn = engine.draw({.prompt = "blue"});
  EXPECT_EQ(engine.decode(drawn[0].codes), drawn[0].image);
  // Codes of a picture are those that an edit keeps.
  const Image picture = load_picture(golden("images/astronaut-64.png"));
  const std::vector<int32_t> codes = engine.encode(picture);
  EXPECT_EQ(codes, engine.edit({.image = picture, .keep = 1})[0].codes);

  std::vector<int32_t> few(codes.begin(), codes.end() - 1), wrong = codes;
  wrong[3] = engine.info().codes;
  EXPECT_THROW(static_cast<void>(engine.decode(few)), Error);
  EXPECT_THROW(static_cast<void>(engine.decode(wrong)), Error);
  EXPECT_THROW(static_cast<void>(engine.encode({})), Error);
  EngineOptions drawing = tiny_options();
  drawing.halves = "draw";
  EXPECT_THROW(static_cast<void>(Engine::load(drawing).encode(picture)), Error);
}

TEST(Api, PreviewIsFittedOnceAndKept) {
  const auto folder = own_folder("kept");
  Engine first = Engine::load(tiny_options());
  EXPECT_THROW(static_cast<void>(first.preview({})), Error);
  int asked = 0;
  first.prepare_preview(folder, [&] { return ++asked > 0; });
  EXPECT_GT(asked, 0);
  const std::vector<int32_t> codes = first.draw({.prompt = "blue"})[0].codes;
  const Image shown = first.preview(codes);
  EXPECT_EQ(shown.width, 16);
  EXPECT_EQ(shown.height, 16);

  Engine second = Engine::load(tiny_options());
  second.prepare_preview(folder, [] { return false; });  // read, not fitted: nobody is asked
  EXPECT_EQ(second.preview(codes), shown);
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    std::filesystem::resize_file(entry.path(), 20);
  }
  Engine third = Engine::load(tiny_options());
  third.prepare_preview(folder);
  EXPECT_EQ(third.preview(codes), shown);
  std::filesystem::remove_all(folder);
}

TEST(Api, NamesDecideTheFormat) {
  EXPECT_EQ(picture_format("a.png"), PictureFormat::png);
  EXPECT_EQ(picture_format("a.b/c"), PictureFormat::png);
  EXPECT_EQ(picture_format("x/a.JPeg"), PictureFormat::jpeg);
  EXPECT_EQ(picture_format("a.jpg"), PictureFormat::jpeg);
  EXPECT_EQ(picture_format("a.b.webp"), PictureFormat::webp);
  EXPECT_THROW(picture_format("a.gif"), Error);
  EXPECT_THROW(picture_format("a.png.txt"), Error);
}

TEST(Api, PicturesForARequestStandUpright) {
  Image image;
  image.width = 3;
  image.height = 1;
  image.rgb = {1, 2, 3, 4, 5, 6, 7, 8, 9};
  std::vector<std::byte> bytes = encode_picture(image, {}, {PictureFormat::webp});
  EXPECT_EQ(decode_picture(bytes), image);
  bytes = encode_picture(image);
  // Lies on its left side.
  const unsigned char turned[] = {0, 0, 0, 26, 'e', 'X', 'I', 'f', 'M', 'M', 0, 42, 0,
                                  0, 0, 8, 0,  1,   1,   18,  0,   3,   0,   0, 0,  1,
                                  0, 8, 0, 0,  0,   0,   0,   0,   0,   0,   0, 0};
  const auto* begin = reinterpret_cast<const std::byte*>(turned);
  bytes.insert(bytes.begin() + 33, begin, begin + sizeof turned);
  const Image upright = decode_picture(bytes, "mine");
  EXPECT_EQ(upright.width, 1);
  EXPECT_EQ(upright.height, 3);
  EXPECT_EQ(upright.rgb, (std::vector<uint8_t>{7, 8, 9, 4, 5, 6, 1, 2, 3}));
  try {
    decode_picture(std::span(bytes).first(40), "mine");
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_EQ(std::string(error.what()).rfind("mine", 0), 0u) << error.what();
  }
}

// Each half alone does what both do, and says what it lacks.
TEST(Api, OneHalfAlone) {
  Engine both = Engine::load(tiny_options());
  EXPECT_TRUE(both.info().reads && both.info().draws);
  EngineOptions options = tiny_options();
  options.halves = "read";
  Engine reading = Engine::load(options);
  options.halves = "draw";
  Engine drawing = Engine::load(options);
  EXPECT_LT(reading.info().weight_bytes, both.info().weight_bytes / 2);
  EXPECT_LT(drawing.info().weight_bytes, both.info().weight_bytes);
  EXPECT_EQ(drawing.info().hash, both.info().hash);  // a picture's recipe knows no halves
  EXPECT_NE(reading.info().hash, both.info().hash);
  const AskRequest question{.messages = {{"user", "hi", {}}}, .max_tokens = 5};
  EXPECT_EQ(reading.ask(question).text, both.ask(question).text);
  EXPECT_EQ(drawing.draw({.prompt = "blue"})[0].image, both.draw({.prompt = "blue"})[0].image);
  for (const auto& call : std::vector<std::function<void()>>{
           [&] { reading.draw({.prompt = "blue"}); }, [&] { drawing.ask(question); }}) {
    try {
      call();
      ADD_FAILURE() << "done without its half";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), Code::bad_input);
      EXPECT_NE(std::string(error.what()).find("halves"), std::string::npos) << error.what();
    }
  }
  options.halves = "left";
  EXPECT_EQ(code_of(options), Code::bad_input);
}

// Told before loading as after it; kept to; and an engine that refused goes on.
TEST(Api, MemoryIsToldAndKeptTo) {
  Engine engine = Engine::load(tiny_options());
  const DrawRequest drawing{.prompt = "blue", .images = 6, .seed = 3};
  const AskRequest question{.messages = {{"user", "hi", {}}}, .max_tokens = 5};
  const MemoryPlan drawn = engine.plan(drawing), asked = engine.plan(question);
  const MemoryPlan before = Engine::plan(tiny_options(), std::span(&drawing, 1));
  EXPECT_GE(drawn.weights, engine.info().weight_bytes);
  EXPECT_EQ(before.total(), drawn.total());
  EXPECT_EQ(Engine::plan(tiny_options(), question).total(), asked.total());
  EXPECT_EQ(drawn.pictures_at_once, 6);
  EXPECT_EQ(drawn.engine(), asked.engine());
  EXPECT_TRUE(drawn.fits() && asked.fits() && before.fits());

  EngineOptions options = tiny_options();
  options.memory = drawn.total() - 1;
  Engine tight = Engine::load(options);
  EXPECT_EQ(tight.plan(drawing).limit, options.memory);
  EXPECT_LT(tight.plan(drawing).pictures_at_once, 6);
  DrawEvents events;
  events.on_step = [&](const Progress& progress) {
    return std::ssize(progress.sketches) <= tight.plan(drawing).pictures_at_once;
  };
  const auto few = tight.draw(drawing, events), many = engine.draw(drawing);
  for (size_t i = 0; i < many.size(); ++i) EXPECT_EQ(few[i].image, many[i].image);
}

TEST(Api, WhatDoesNotFitIsRefusedAndTheEngineGoesOn) {
  Engine engine = Engine::load(tiny_options());
  const AskRequest question{.messages = {{"user", "hi", {}}}, .max_tokens = 5};
  AskRequest longer = question;
  longer.max_tokens = 400;
  EngineOptions options = tiny_options();
  options.memory = engine.plan(question).total();
  Engine tight = Engine::load(options);
  for (const auto& call : std::vector<std::function<void()>>{
           [&] { tight.ask(longer); },
           [&] { tight.draw({.prompt = std::string(200, 'x'), .images = 2}); }}) {
    try {
      call();
      ADD_FAILURE() << "did not fit and was done";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), Code::out_of_memory);
      EXPECT_NE(std::string(error.what()).find("are allowed"), std::string::npos) << error.what();
    }
  }
  EXPECT_NE(tight.plan(longer).refusal.find("--max-tokens "), std::string::npos);
  EXPECT_EQ(tight.ask(question).text, engine.ask(question).text);
  options.memory = 1'000'000;
  EXPECT_EQ(code_of(options), Code::out_of_memory);
  options.memory = -1;
  EXPECT_EQ(code_of(options), Code::bad_input);
}

TEST(Api, FilesAreWholeOrNotThere) {
  const auto folder = own_folder("files");
  std::filesystem::create_directories(folder);
  Image image;
  image.width = image.height = 2;
  image.rgb.assign(12, 9);
  const auto bytes = encode_picture(image, {{"parameters", "\xC3\xA4 {}"}});
  save_file(folder / "a.png", bytes);
  EXPECT_EQ(load_picture(folder / "a.png"), image);
  EXPECT_EQ(picture_text(folder / "a.png").at("parameters"), "\xC3\xA4 {}");
  EXPECT_THROW(save_file(folder / "none" / "a.png", bytes), Error);
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace janus
