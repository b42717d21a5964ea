// Engines and requests of januspro.h. SPDX-License-Identifier: MIT
#include <filesystem>
#include <utility>

#include "api/c/door.h"
#include "api/c/guard.h"
#include "api/c/image.h"
#include "api/c/job.h"
#include "api/c/requests.h"
#include "api/c/struct.h"

using namespace janus;
using namespace janus::c;

namespace {

Engine& engine_of(januspro_engine* engine) {
  check(engine != nullptr, Code::bad_input, "the engine is NULL; januspro_load() gives one");
  return engine->engine;
}

// A job that is over; throws what it failed of.
januspro_job* finished(Job job) {
  CDoor::task(job).check_ended();
  return new januspro_job{std::move(job)};
}

}  // namespace

void januspro_info_init(januspro_info* info, size_t size) { init_struct(info, size, {}); }

januspro_code januspro_load(const januspro_engine_options* options, januspro_engine** engine) {
  return guarded_into(engine, "engine",
                      [&] { return new januspro_engine{Engine::load(read_options(options))}; });
}

void januspro_free(januspro_engine* engine) { delete engine; }

januspro_code januspro_engine_info(const januspro_engine* engine, januspro_info* info) {
  return guarded([&] {
    const ModelInfo& from = engine_of(const_cast<januspro_engine*>(engine)).info();
    januspro_info shown{};
    shown.name = from.name.c_str();
    shown.layout = from.layout.c_str();
    shown.hash = from.hash.c_str();
    shown.backend = from.backend.c_str();
    shown.weights = from.weights.c_str();
    shown.cache = from.cache.c_str();
    shown.threads = from.threads;
    shown.reads = from.reads;
    shown.draws = from.draws;
    shown.parameters = from.parameters;
    shown.weight_bytes = from.weight_bytes;
    shown.cache_token_bytes = from.cache_token_bytes;
    shown.context = from.context;
    shown.guidance = from.guidance;
    shown.vocabulary = from.vocabulary;
    shown.vision_image = from.vision_image;
    shown.vision_tokens = from.vision_tokens;
    shown.image = from.image;
    shown.image_tokens = from.image_tokens;
    shown.codes = from.codes;
    shown.edits = from.edits;
    shown.parallel = from.parallel;
    shown.edit_layout = from.edit_layout.c_str();
    shown.image_guidance = from.image_guidance;
    write_struct(info, "info", shown);
  });
}

januspro_code januspro_draw(januspro_engine* engine, const januspro_draw_request* const* requests,
                            size_t count, const januspro_draw_events* events, januspro_job** job) {
  return guarded_into(job, "job", [&] {
    const auto given = read_requests(requests, count);
    return finished(CDoor::draw(engine_of(engine), given, read_events(events)));
  });
}

januspro_code januspro_edit(januspro_engine* engine, const januspro_edit_request* request,
                            const januspro_draw_events* events, januspro_job** job) {
  return guarded_into(job, "job", [&] {
    return finished(CDoor::edit(engine_of(engine), read_request(request), read_events(events)));
  });
}

januspro_code januspro_ask(januspro_engine* engine, const januspro_ask_request* request,
                           const januspro_ask_events* events, januspro_job** job) {
  return guarded_into(job, "job", [&] {
    return finished(CDoor::ask(engine_of(engine), read_request(request), read_events(events)));
  });
}

januspro_code januspro_embed(januspro_engine* engine, const januspro_embed_request* request,
                             januspro_job** job) {
  return guarded_into(
      job, "job", [&] { return finished(CDoor::embed(engine_of(engine), read_request(request))); });
}

januspro_code januspro_submit_draw(januspro_engine* engine,
                                   const januspro_draw_request* const* requests, size_t count,
                                   const januspro_draw_events* events, januspro_job** job) {
  return guarded_into(job, "job", [&] {
    const auto given = read_requests(requests, count);
    return new januspro_job{engine_of(engine).submit(given, read_events(events))};
  });
}

januspro_code januspro_submit_edit(januspro_engine* engine, const januspro_edit_request* request,
                                   const januspro_draw_events* events, januspro_job** job) {
  return guarded_into(job, "job", [&] {
    return new januspro_job{engine_of(engine).submit(read_request(request), read_events(events))};
  });
}

januspro_code januspro_submit_ask(januspro_engine* engine, const januspro_ask_request* request,
                                  const januspro_ask_events* events, januspro_job** job) {
  return guarded_into(job, "job", [&] {
    return new januspro_job{engine_of(engine).submit(read_request(request), read_events(events))};
  });
}

januspro_code januspro_submit_embed(januspro_engine* engine, const januspro_embed_request* request,
                                    januspro_job** job) {
  return guarded_into(job, "job", [&] {
    return new januspro_job{engine_of(engine).submit(read_request(request))};
  });
}

januspro_code januspro_prepare_preview(januspro_engine* engine, const char* folder) {
  return guarded(
      [&] { engine_of(engine).prepare_preview(folder ? folder : std::filesystem::path()); });
}

januspro_code januspro_preview(const januspro_engine* engine, const int32_t* codes, size_t count,
                               januspro_image** image) {
  return guarded_into(image, "image", [&] {
    check(codes != nullptr || count == 0, Code::bad_input, "the codes of a preview are NULL");
    const Engine& looked_at = engine_of(const_cast<januspro_engine*>(engine));
    return give_image(looked_at.preview(std::span(codes, count)));
  });
}
