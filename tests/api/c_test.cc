// The C header: structs of other ages, errors, callbacks, jobs. What it gives is
// c_results_test.cc's, its fields are those of c_fields_test.cc; that it is C is shown by
// tests/install. SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "api/c_handles.h"
#include "januspro/januspro.hpp"

namespace janus {
namespace {

TEST(C, StructsOfAnOlderProgramHaveTheDefaultsOfWhatTheyLack) {
  const EngineHandle engine = load_tiny();
  JobHandle whole, older;
  ASSERT_EQ(draw(engine, blue(), whole), JANUSPRO_OK);
  januspro_draw_request request;
  const size_t size = offsetof(januspro_draw_request, temperature);
  std::memset(static_cast<void*>(&request), 0xFF, sizeof request);
  januspro_draw_request_init(&request, size);
  request.prompt = "blue";
  request.seed = 3;
  ASSERT_EQ(draw(engine, request, older), JANUSPRO_OK) << januspro_last_error();
  januspro_picture picture;
  const size_t known = offsetof(januspro_picture, seed);
  std::memset(static_cast<void*>(&picture), 0xFF, sizeof picture);
  januspro_picture_init(&picture, known);
  ASSERT_EQ(januspro_job_picture(older.get(), 0, &picture), JANUSPRO_OK);
  EXPECT_EQ(picture.seed, ~uint64_t{0});  // beyond what the program has room for
  std::vector<int32_t> codes(picture.code_count);
  size_t count = codes.size();
  ASSERT_EQ(januspro_job_codes(whole.get(), 0, codes.data(), &count), JANUSPRO_OK);
  EXPECT_EQ(std::memcmp(codes.data(), picture.codes, count * sizeof(int32_t)), 0);
}

TEST(C, StructsOfANewerProgramAreTakenUnlessTheyAskForMore) {
  const EngineHandle engine = load_tiny();
  struct Newer {
    januspro_draw_request known;
    int64_t unknown;
  } request;
  januspro_draw_request_init(&request.known, sizeof request);
  JobHandle job;
  EXPECT_EQ(draw(engine, request.known, job), JANUSPRO_OK) << januspro_last_error();
  request.unknown = 1;
  EXPECT_EQ(draw(engine, request.known, job), JANUSPRO_NOT_SUPPORTED);
  EXPECT_TRUE(last_error_has("januspro_draw_request")) << januspro_last_error();
}

TEST(C, WhatWasNotInitialisedIsRefused) {
  const EngineHandle engine = load_tiny();
  januspro_draw_request request{};
  JobHandle job;
  EXPECT_EQ(draw(engine, request, job), JANUSPRO_BAD_INPUT);
  EXPECT_TRUE(last_error_has("januspro_draw_request_init()")) << januspro_last_error();
  std::memset(static_cast<void*>(&request), 0xA5, sizeof request);
  EXPECT_EQ(draw(engine, request, job), JANUSPRO_BAD_INPUT);
  EXPECT_EQ(job, nullptr);
  januspro_view view{};
  ASSERT_EQ(draw(engine, blue(), job), JANUSPRO_OK);
  EXPECT_EQ(januspro_job_view(job.get(), &view), JANUSPRO_BAD_INPUT);
}

TEST(C, NullIsRefusedWithWords) {
  const EngineHandle engine = load_tiny();
  januspro_job* job = nullptr;
  januspro_engine* none = nullptr;
  size_t count = 3;
  int32_t code = 0;
  EXPECT_EQ(januspro_load(nullptr, &none), JANUSPRO_BAD_INPUT);
  EXPECT_EQ(januspro_draw(nullptr, nullptr, 0, nullptr, &job), JANUSPRO_BAD_INPUT);
  EXPECT_TRUE(last_error_has("januspro_load()")) << januspro_last_error();
  EXPECT_EQ(januspro_draw(engine.get(), nullptr, 1, nullptr, &job), JANUSPRO_BAD_INPUT);
  const januspro_draw_request* list[] = {nullptr};
  EXPECT_EQ(januspro_draw(engine.get(), list, 1, nullptr, &job), JANUSPRO_BAD_INPUT);
  const januspro_draw_request request = blue();
  list[0] = &request;
  EXPECT_EQ(januspro_draw(engine.get(), list, 1, nullptr, nullptr), JANUSPRO_BAD_INPUT);
  EXPECT_EQ(januspro_submit_ask(engine.get(), nullptr, nullptr, &job), JANUSPRO_BAD_INPUT);
  EXPECT_EQ(januspro_job_view(nullptr, nullptr), JANUSPRO_BAD_INPUT);
  EXPECT_EQ(januspro_job_codes(nullptr, 0, &code, &count), JANUSPRO_BAD_INPUT);
  EXPECT_EQ(januspro_job_wait(nullptr, -1), 0);
  EXPECT_EQ(januspro_engine_info(engine.get(), nullptr), JANUSPRO_BAD_INPUT);
  januspro_job_cancel(nullptr);
  januspro_job_free(nullptr);
  januspro_image_free(nullptr);
  januspro_bytes_free(nullptr);
  januspro_free(nullptr);
  EXPECT_EQ(job, nullptr);
}

TEST(CThreads, LastErrorIsOfOneThread) {
  januspro_image* image = nullptr;
  EXPECT_EQ(januspro_image_load("here-is-no-picture.png", &image), JANUSPRO_BAD_INPUT)
      << januspro_last_error();
  EXPECT_TRUE(last_error_has("here-is-no-picture.png"));
  std::string other = "unread";
  std::thread([&] { other = januspro_last_error(); }).join();
  EXPECT_EQ(other, "");
}

struct Seen {
  int steps = 0, stop_after = 1 << 30, pictures = 0;
  int64_t done = 0, total = 0;
  size_t last_codes = 0;
  std::string text;
};

TEST(CThreads, CallbacksSeeAndStop) {
  const EngineHandle engine = load_tiny();
  Seen seen;
  januspro_draw_events events;
  januspro_draw_events_init(&events, sizeof events);
  events.user = &seen;
  events.on_step = [](void* user, const januspro_progress* progress) {
    Seen& mine = *static_cast<Seen*>(user);
    mine.done = progress->done;
    mine.total = progress->total;
    if (progress->sketch_count > 0) mine.last_codes = progress->sketches[0]->code_count;
    return static_cast<int>(++mine.steps < mine.stop_after);
  };
  events.on_picture = [](void* user, const januspro_picture* picture) {
    static_cast<Seen*>(user)->pictures += picture->image->width > 0;
  };
  JobHandle job;
  ASSERT_EQ(draw(engine, blue(), job, &events), JANUSPRO_OK) << januspro_last_error();
  EXPECT_EQ(seen.pictures, 1);
  EXPECT_EQ(seen.done, seen.total);
  EXPECT_EQ(static_cast<int64_t>(seen.last_codes), seen.total);
  seen = {};
  seen.stop_after = 9;
  const JobHandle stopped = submit(engine, blue(), &events);
  EXPECT_EQ(januspro_job_wait(stopped.get(), -1), 1);
  const januspro_view view = view_of(stopped);
  EXPECT_EQ(view.state, JANUSPRO_STOPPED);
  EXPECT_EQ(view.code, JANUSPRO_CANCELLED);
  EXPECT_NE(std::string(view.error).find("stopped after"), std::string::npos) << view.error;
  EXPECT_GT(view.codes, 0);
  januspro_picture picture;
  januspro_picture_init(&picture, sizeof picture);
  EXPECT_EQ(januspro_job_picture(stopped.get(), 0, &picture), JANUSPRO_CANCELLED);

  Question question;
  januspro_ask_events told;
  januspro_ask_events_init(&told, sizeof told);
  told.user = &seen;
  told.on_text = [](void* user, const char* piece, size_t length) {
    static_cast<Seen*>(user)->text.append(piece, length);
    return 1;
  };
  januspro_job* made = nullptr;
  ASSERT_EQ(januspro_submit_ask(engine.get(), &question.request, &told, &made), JANUSPRO_OK);
  const JobHandle asking(made);
  EXPECT_EQ(januspro_job_wait(made, -1), 1);
  januspro_answer answer;
  januspro_answer_init(&answer, sizeof answer);
  ASSERT_EQ(januspro_job_answer(made, &answer), JANUSPRO_OK);
  EXPECT_EQ(seen.text, answer.text);
  std::string text(answer.text_bytes, '?');
  size_t count = 2;
  ASSERT_EQ(januspro_job_text(made, 1, text.data(), &count), JANUSPRO_OK);
  EXPECT_EQ(count, answer.text_bytes - 1);
  EXPECT_EQ(text.substr(0, 3), std::string(answer.text + 1, 2) + "?");
}

TEST(CThreads, JobsAreCancelledAndFreed) {
  const EngineHandle engine = load_tiny();
  januspro_draw_request many = blue();
  many.images = 1000;
  const JobHandle running = submit(engine, many);
  JobHandle waiting = submit(engine, blue());
  EXPECT_EQ(januspro_job_wait(waiting.get(), 0), 0);
  januspro_picture picture;
  januspro_picture_init(&picture, sizeof picture);
  EXPECT_EQ(januspro_job_picture(waiting.get(), 0, &picture), JANUSPRO_BUSY);
  const uint64_t seen = view_of(running).change;
  EXPECT_EQ(januspro_job_wait_change(running.get(), seen, 60000), 1);
  EXPECT_GT(view_of(running).change, seen);
  waiting.reset();  // cancels
  januspro_job_cancel(running.get());
  EXPECT_EQ(januspro_job_wait(running.get(), 60000), 1);
  EXPECT_EQ(view_of(running).code, JANUSPRO_CANCELLED);
  JobHandle still_works;
  EXPECT_EQ(draw(engine, blue(), still_works), JANUSPRO_OK);
}

TEST(C, NothingThrownByACallbackPasses) {
  const EngineHandle engine = load_tiny();
  januspro_draw_events events;
  januspro_draw_events_init(&events, sizeof events);
  events.on_step = [](void*, const januspro_progress*) -> int { throw std::out_of_range("mine"); };
  JobHandle job;
  EXPECT_EQ(draw(engine, blue(), job, &events), JANUSPRO_BUG);
  EXPECT_STREQ(januspro_last_error(), "mine");
  events.on_step = [](void*, const januspro_progress*) -> int { throw 7; };
  EXPECT_EQ(draw(engine, blue(), job, &events), JANUSPRO_BUG);
}

TEST(C, PicturesGoThroughFilesAndMemory) {
  const std::string path = golden("images/astronaut-64.png").string();
  januspro_image* image = nullptr;
  ASSERT_EQ(januspro_image_load(path.c_str(), &image), JANUSPRO_OK) << januspro_last_error();
  EXPECT_EQ(image->width, 64);
  januspro_encode_options options;
  januspro_encode_options_init(&options, sizeof options);
  options.format = JANUSPRO_WEBP;
  options.parameters = "{}";
  uint8_t* bytes = nullptr;
  size_t count = 0;
  ASSERT_EQ(januspro_image_encode(image, &options, &bytes, &count), JANUSPRO_OK);
  EXPECT_EQ(std::memcmp(bytes, "RIFF", 4), 0);
  januspro_image* same = nullptr;
  ASSERT_EQ(januspro_image_decode(bytes, count, nullptr, &same), JANUSPRO_OK);
  EXPECT_EQ(std::memcmp(same->rgb, image->rgb, 64 * 64 * 3), 0);
  januspro_image_free(same);
  januspro_bytes_free(bytes);
  options.format = 7;
  EXPECT_EQ(januspro_image_encode(image, &options, &bytes, &count), JANUSPRO_BAD_INPUT);
  EXPECT_EQ(januspro_image_save(image, "a.gif", nullptr), JANUSPRO_BAD_INPUT);
  EXPECT_EQ(januspro_image_decode("no", 2, "mine", &same), JANUSPRO_BAD_INPUT);
  EXPECT_TRUE(last_error_has("mine")) << januspro_last_error();

  // A question with it, and a look at an unfinished picture.
  const EngineHandle engine = load_tiny();
  Question question;
  const januspro_image* images[] = {image};
  question.message.images = images;
  question.message.image_count = 1;
  januspro_job* asked = nullptr;
  EXPECT_EQ(januspro_ask(engine.get(), &question.request, nullptr, &asked), JANUSPRO_OK);
  januspro_job_free(asked);
  januspro_image empty;
  januspro_image_init(&empty, sizeof empty);
  images[0] = &empty;
  EXPECT_EQ(januspro_ask(engine.get(), &question.request, nullptr, &asked), JANUSPRO_BAD_INPUT);
  const int32_t codes[] = {1, 2};
  januspro_image* shown = nullptr;
  EXPECT_EQ(januspro_preview(engine.get(), codes, 2, &shown), JANUSPRO_BAD_INPUT);
  ASSERT_EQ(januspro_prepare_preview(engine.get(), nullptr), JANUSPRO_OK);
  ASSERT_EQ(januspro_preview(engine.get(), codes, 2, &shown), JANUSPRO_OK);
  EXPECT_EQ(shown->width, 16);
  januspro_image_free(shown);
  januspro_image_free(image);
}

TEST(C, InfoIsThatOfTheEngine) {
  const EngineHandle engine = load_tiny();
  januspro_info info;
  januspro_info_init(&info, sizeof info);
  ASSERT_EQ(januspro_engine_info(engine.get(), &info), JANUSPRO_OK);
  EXPECT_STREQ(info.name, "tiny-hf");
  EXPECT_EQ(info.image_tokens, 64);
  EXPECT_EQ(version(), januspro_version());
}

}  // namespace
}  // namespace janus
