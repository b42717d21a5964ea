// Handles of the C header that free themselves, and requests of the tiny model.
// SPDX-License-Identifier: MIT
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "api/fields.h"
#include "januspro/januspro.h"

namespace janus {

struct FreeEngine {
  void operator()(januspro_engine* engine) const { januspro_free(engine); }
};
struct FreeJob {
  void operator()(januspro_job* job) const { januspro_job_free(job); }
};
using EngineHandle = std::unique_ptr<januspro_engine, FreeEngine>;
using JobHandle = std::unique_ptr<januspro_job, FreeJob>;

inline EngineHandle load_tiny() {
  const std::string path = golden("tiny-hf").string();
  januspro_engine_options options;
  januspro_engine_options_init(&options, sizeof options);
  options.checkpoint = path.c_str();
  options.threads = 2;
  januspro_engine* engine = nullptr;
  EXPECT_EQ(januspro_load(&options, &engine), JANUSPRO_OK) << januspro_last_error();
  return EngineHandle(engine);
}

inline januspro_draw_request blue() {
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

inline januspro_code draw(const EngineHandle& engine, const januspro_draw_request& request,
                          JobHandle& job, const januspro_draw_events* events = nullptr) {
  const januspro_draw_request* list[] = {&request};
  januspro_job* made = nullptr;
  const januspro_code code = januspro_draw(engine.get(), list, 1, events, &made);
  job.reset(made);
  return code;
}

inline JobHandle submit(const EngineHandle& engine, const januspro_draw_request& request,
                        const januspro_draw_events* events = nullptr) {
  const januspro_draw_request* list[] = {&request};
  januspro_job* made = nullptr;
  EXPECT_EQ(januspro_submit_draw(engine.get(), list, 1, events, &made), JANUSPRO_OK);
  return JobHandle(made);
}

inline januspro_view view_of(const JobHandle& job) {
  januspro_view view;
  januspro_view_init(&view, sizeof view);
  EXPECT_EQ(januspro_job_view(job.get(), &view), JANUSPRO_OK) << januspro_last_error();
  return view;
}

inline bool last_error_has(const std::string& words) {
  return std::string(januspro_last_error()).find(words) != std::string::npos;
}

}  // namespace janus
