// The C header gives what that of C++ does. SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include "api/c_handles.h"
#include "januspro/januspro.hpp"

namespace janus {
namespace {

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

TEST(CThreads, EmbedsAsCppDoes) {
  EngineOptions options;
  options.checkpoint = golden("tiny-hf");
  Engine cpp = Engine::load(options);
  const Image picture = load_picture(golden("images/astronaut-64.png"));
  const Embedding same = cpp.embed({"a cup", {picture}});

  const EngineHandle engine = load_tiny();
  const januspro_image image{sizeof image, picture.width, picture.height, picture.rgb.data()};
  const januspro_image* const images[] = {&image};
  januspro_embed_request request;
  januspro_embed_request_init(&request, sizeof request);
  request.text = "a cup";
  request.images = images;
  request.image_count = 1;
  januspro_embedding embedding;
  januspro_embedding_init(&embedding, sizeof embedding);
  for (const auto make : {januspro_embed, januspro_submit_embed}) {
    januspro_job* made = nullptr;
    ASSERT_EQ(make(engine.get(), &request, &made), JANUSPRO_OK) << januspro_last_error();
    const JobHandle job(made);
    EXPECT_EQ(januspro_job_wait(made, -1), 1);
    ASSERT_EQ(januspro_job_embedding(made, &embedding), JANUSPRO_OK) << januspro_last_error();
    EXPECT_EQ(std::vector(embedding.values, embedding.values + embedding.value_count), same.values);
    EXPECT_EQ(embedding.prompt_tokens, same.prompt_tokens);
  }
  JobHandle drawn;
  ASSERT_EQ(draw(engine, blue(), drawn), JANUSPRO_OK);
  EXPECT_EQ(januspro_job_embedding(drawn.get(), &embedding), JANUSPRO_BAD_INPUT);
  request.images = nullptr;
  januspro_job* none = nullptr;
  EXPECT_EQ(januspro_embed(engine.get(), &request, &none), JANUSPRO_BAD_INPUT);
  EXPECT_EQ(none, nullptr);
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

}  // namespace
}  // namespace janus
