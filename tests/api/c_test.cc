// The C header: structs of other ages, errors, callbacks, jobs. Its fields are those of
// c_fields_test.cc; that it is C is shown by tests/install. SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <filesystem>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "api/fields.h"
#include "januspro/januspro.h"
#include "januspro/januspro.hpp"

namespace janus {
namespace {

struct FreeEngine {
  void operator()(januspro_engine* engine) const { januspro_free(engine); }
};
struct FreeJob {
  void operator()(januspro_job* job) const { januspro_job_free(job); }
};
using EngineHandle = std::unique_ptr<januspro_engine, FreeEngine>;
using JobHandle = std::unique_ptr<januspro_job, FreeJob>;

EngineHandle load_tiny() {
  const std::string path = golden("tiny-hf").string();
  januspro_engine_options options;
  januspro_engine_options_init(&options, sizeof options);
  options.checkpoint = path.c_str();
  options.threads = 2;
  januspro_engine* engine = nullptr;
  EXPECT_EQ(januspro_load(&options, &engine), JANUSPRO_OK) << januspro_last_error();
  return EngineHandle(engine);
}

januspro_draw_request blue() {
  januspro_draw_request request;
  januspro_draw_request_init(&request, sizeof request);
  request.prompt = "blue";
  request.seed = 3;
  return request;
}

// A question and what it points to.
struct Question {
  januspro_message message;
  const januspro_message* messages[1];
  januspro_ask_request request;

  Question() {
    januspro_message_init(&message, sizeof message);
    message.text = "hi";
    messages[0] = &message;
    januspro_ask_request_init(&request, sizeof request);
    request.messages = messages;
    request.message_count = 1;
    request.max_tokens = 8;
  }
};

januspro_code draw(const EngineHandle& engine, const januspro_draw_request& request, JobHandle& job,
                   const januspro_draw_events* events = nullptr) {
  const januspro_draw_request* list[] = {&request};
  januspro_job* made = nullptr;
  const januspro_code code = januspro_draw(engine.get(), list, 1, events, &made);
  job.reset(made);
  return code;
}

JobHandle submit(const EngineHandle& engine, const januspro_draw_request& request,
                 const januspro_draw_events* events = nullptr) {
  const januspro_draw_request* list[] = {&request};
  januspro_job* made = nullptr;
  EXPECT_EQ(januspro_submit_draw(engine.get(), list, 1, events, &made), JANUSPRO_OK);
  return JobHandle(made);
}

januspro_view view_of(const JobHandle& job) {
  januspro_view view;
  januspro_view_init(&view, sizeof view);
  EXPECT_EQ(januspro_job_view(job.get(), &view), JANUSPRO_OK) << januspro_last_error();
  return view;
}

bool last_error_has(const std::string& words) {
  return std::string(januspro_last_error()).find(words) != std::string::npos;
}

TEST(CThreads, DrawsAndAnswersAsCppDoes) {
  EngineOptions options;
  options.checkpoint = golden("tiny-hf");
  Engine cpp = Engine::load(options);
  const std::vector<Picture> expected = cpp.draw({.prompt = "blue", .images = 2, .seed = 3});
  const EngineHandle engine = load_tiny();
  januspro_draw_request request = blue();
  request.images = 2;
  JobHandle called;
  ASSERT_EQ(draw(engine, request, called), JANUSPRO_OK) << januspro_last_error();
  JobHandle submitted = submit(engine, request);
  EXPECT_EQ(januspro_job_wait(submitted.get(), -1), 1);
  for (JobHandle* job : {&called, &submitted}) {
    EXPECT_EQ(view_of(*job).state, JANUSPRO_DONE);
    EXPECT_EQ(view_of(*job).pictures_total, 2);
    januspro_picture picture;
    januspro_picture_init(&picture, sizeof picture);
    ASSERT_EQ(januspro_job_picture(job->get(), 1, &picture), JANUSPRO_OK);
    EXPECT_EQ(std::vector<int32_t>(picture.codes, picture.codes + picture.code_count),
              expected[1].codes);
    ASSERT_EQ(picture.image->width, expected[1].image.width);
    EXPECT_EQ(
        std::memcmp(picture.image->rgb, expected[1].image.rgb.data(), expected[1].image.rgb.size()),
        0);
    EXPECT_EQ(picture.seed, 4u);
    EXPECT_EQ(picture.index, 1);
  }
  const Question question;
  januspro_job* asked = nullptr;
  ASSERT_EQ(januspro_ask(engine.get(), &question.request, nullptr, &asked), JANUSPRO_OK);
  const JobHandle asking(asked);
  januspro_answer answer;
  januspro_answer_init(&answer, sizeof answer);
  ASSERT_EQ(januspro_job_answer(asked, &answer), JANUSPRO_OK) << januspro_last_error();
  const Answer same = cpp.ask({.messages = {{"user", "hi", {}}}, .max_tokens = 8});
  EXPECT_EQ(answer.text, same.text);
  EXPECT_EQ(answer.prompt_tokens, same.prompt_tokens);
  EXPECT_EQ(answer.answer_tokens, same.answer_tokens);
}

TEST(CThreads, EditsAsCppDoes) {
  EngineOptions options;
  options.checkpoint = golden("tiny-hf");
  Engine cpp = Engine::load(options);
  EditRequest same;
  same.drawing = {.prompt = "blue", .seed = 3};
  same.image = load_picture(golden("images/astronaut-64.png"));
  same.mask = EditMask{64, 64, std::vector<uint8_t>(64 * 64)};
  for (size_t i = 0; i < 64 * 20; ++i) same.mask->redraw[i] = 1;
  const std::vector<Picture> masked = cpp.edit(same);
  same.mask.reset();
  same.outpaint = Outpaint::left;
  const std::vector<Picture> widened = cpp.edit(same);

  const EngineHandle engine = load_tiny();
  const januspro_draw_request drawing = blue();
  const januspro_image image{sizeof image, 64, 64, same.image.rgb.data()};
  std::vector<uint8_t> redraw(64 * 64);
  std::fill(redraw.begin(), redraw.begin() + 64 * 20, uint8_t{1});
  januspro_mask mask;
  januspro_mask_init(&mask, sizeof mask);
  mask.width = mask.height = 64;
  mask.redraw = redraw.data();
  januspro_edit_request request;
  januspro_edit_request_init(&request, sizeof request);
  EXPECT_EQ(request.keep, .5f);
  januspro_job* made = nullptr;
  EXPECT_EQ(januspro_edit(engine.get(), &request, nullptr, &made), JANUSPRO_BAD_INPUT);
  EXPECT_TRUE(last_error_has("no image")) << januspro_last_error();
  request.image = &image;
  request.drawing = &drawing;
  request.outpaint = 5;
  EXPECT_EQ(januspro_submit_edit(engine.get(), &request, nullptr, &made), JANUSPRO_BAD_INPUT);
  EXPECT_TRUE(last_error_has("outpaint is 5")) << januspro_last_error();

  const auto drawn_as = [](januspro_job* job, const Picture& expected) {
    const JobHandle owner(job);
    januspro_picture picture;
    januspro_picture_init(&picture, sizeof picture);
    ASSERT_EQ(januspro_job_picture(job, 0, &picture), JANUSPRO_OK) << januspro_last_error();
    EXPECT_EQ(std::vector<int32_t>(picture.codes, picture.codes + picture.code_count),
              expected.codes);
    EXPECT_EQ(std::memcmp(picture.image->rgb, expected.image.rgb.data(), expected.image.rgb.size()),
              0);
  };
  request.outpaint = JANUSPRO_OUTPAINT_LEFT;
  ASSERT_EQ(januspro_edit(engine.get(), &request, nullptr, &made), JANUSPRO_OK);
  drawn_as(made, widened.at(0));
  request.outpaint = JANUSPRO_OUTPAINT_NONE;
  request.mask = &mask;
  ASSERT_EQ(januspro_submit_edit(engine.get(), &request, nullptr, &made), JANUSPRO_OK);
  EXPECT_EQ(januspro_job_wait(made, -1), 1);
  drawn_as(made, masked.at(0));
  mask.height = 63;
  EXPECT_EQ(januspro_edit(engine.get(), &request, nullptr, &made), JANUSPRO_BAD_INPUT);
}

TEST(CThreads, PartialsAndProbabilitiesAreTold) {
  const EngineHandle engine = load_tiny();
  std::vector<int> rows;
  januspro_draw_events events;
  januspro_draw_events_init(&events, sizeof events);
  events.user = &rows;
  events.partials = 3;
  events.on_partial = [](void* user, const januspro_partial* partial) {
    auto& seen = *static_cast<std::vector<int>*>(user);
    EXPECT_EQ(partial->number, static_cast<int>(seen.size()));
    EXPECT_GT(partial->image->width, 0);
    seen.push_back(partial->rows);
  };
  JobHandle job;
  ASSERT_EQ(draw(engine, blue(), job, &events), JANUSPRO_OK) << januspro_last_error();
  EXPECT_EQ(rows, (std::vector<int>{2, 4, 6}));

  Question question;
  question.request.logprobs = 2;
  januspro_job* made = nullptr;
  ASSERT_EQ(januspro_ask(engine.get(), &question.request, nullptr, &made), JANUSPRO_OK);
  const JobHandle asking(made);
  januspro_scored_token chosen, first;
  januspro_scored_token_init(&chosen, sizeof chosen);
  januspro_scored_token_init(&first, sizeof first);
  ASSERT_EQ(januspro_job_token(made, 0, 0, &chosen), JANUSPRO_OK) << januspro_last_error();
  ASSERT_EQ(januspro_job_token(made, 0, 1, &first), JANUSPRO_OK) << januspro_last_error();
  EXPECT_EQ(std::string(chosen.bytes, chosen.byte_count),
            std::string(first.bytes, first.byte_count));
  EXPECT_LT(chosen.logprob, 0);
  EXPECT_EQ(januspro_job_token(made, 0, 3, &first), JANUSPRO_BAD_INPUT);
  EXPECT_EQ(januspro_job_token(made, 8, 0, &first), JANUSPRO_BAD_INPUT);
  EXPECT_EQ(januspro_job_token(made, -1, 0, &first), JANUSPRO_BAD_INPUT);
}

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
