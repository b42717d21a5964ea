// SPDX-License-Identifier: MIT
#include "api/c/requests.h"

#include <cmath>
#include <string>

#include "api/c/image.h"
#include "api/c/struct.h"
#include "base/error.h"

namespace janus::c {

namespace {

std::string text_or(const char* given, const std::string& otherwise) {
  return given ? std::string(given) : otherwise;
}

// A list of pointers: `list[i]` exists for each i below count.
template <class T>
void check_list(const T* list, size_t count, const char* name) {
  check(list != nullptr || count == 0, Code::bad_input, "there are ", count, " ", name,
        ", but the list is NULL");
}

januspro_engine_options default_options() {
  const EngineOptions cc;
  januspro_engine_options options{};
  options.size = sizeof options;
  options.threads = cc.threads;
  options.round_rope = cc.round_rope;
  options.pictures_at_once = cc.pictures_at_once;
  options.remember = cc.remember;
  options.memory = cc.memory;
  options.ahead = cc.ahead;
  options.parallel = cc.parallel;
  return options;
}

januspro_draw_request default_draw_request() {
  const DrawRequest cc;
  januspro_draw_request request{};
  request.size = sizeof request;
  request.images = cc.images;
  request.seed = cc.seed;
  request.guidance = std::nanf("");
  request.temperature = cc.temperature;
  request.top_k = cc.top_k;
  request.top_p = cc.top_p;
  return request;
}

januspro_ask_request default_ask_request() {
  const AskRequest cc;
  januspro_ask_request request{};
  request.size = sizeof request;
  request.max_tokens = cc.max_tokens;
  request.temperature = cc.temperature;
  request.top_k = cc.top_k;
  request.top_p = cc.top_p;
  request.seed = cc.seed;
  request.logprobs = cc.logprobs;
  return request;
}

januspro_edit_request default_edit_request() {
  januspro_edit_request request{};
  request.size = sizeof request;
  request.keep = EditRequest{}.keep;
  request.image_guidance = std::nanf("");
  return request;
}

DrawRequest read_drawing(const januspro_draw_request* given) {
  const auto request = read_struct(given, "draw_request", default_draw_request());
  DrawRequest result;
  result.prompt = text_or(request.prompt, "");
  result.negative = text_or(request.negative, "");
  result.images = request.images;
  result.seed = request.seed;
  if (!std::isnan(request.guidance)) result.guidance = request.guidance;
  result.temperature = request.temperature;
  result.top_k = request.top_k;
  result.top_p = request.top_p;
  return result;
}

EditMask read_mask(const januspro_mask* given) {
  const auto mask = read_struct(given, "mask", januspro_mask{});
  check(mask.width > 0 && mask.height > 0 && mask.redraw != nullptr, Code::bad_input, "a mask of ",
        mask.width, "x", mask.height, mask.redraw ? "" : " that is NULL",
        " marks nothing; give one of the picture's size, or none");
  const auto count = static_cast<size_t>(mask.width) * static_cast<size_t>(mask.height);
  return {mask.width, mask.height, {mask.redraw, mask.redraw + count}};
}

std::vector<Image> read_images(const januspro_image* const* given, size_t count, const char* name) {
  check_list(given, count, name);
  std::vector<Image> images;
  for (size_t i = 0; i < count; ++i) images.push_back(read_image(given[i]));
  return images;
}

ChatMessage read_message(const januspro_message* given) {
  const auto message = read_struct(given, "message", januspro_message{});
  ChatMessage result;
  result.role = text_or(message.role, result.role);
  result.text = text_or(message.text, "");
  result.images = read_images(message.images, message.image_count, "images in a message");
  return result;
}

bool call_on_step(const januspro_draw_events& events, const Progress& progress) {
  std::vector<januspro_sketch> sketches;
  std::vector<const januspro_sketch*> list;
  sketches.reserve(progress.sketches.size());
  for (const Sketch& sketch : progress.sketches) {
    sketches.push_back({sizeof(januspro_sketch), sketch.request, sketch.index, sketch.codes.data(),
                        sketch.codes.size()});
    list.push_back(&sketches.back());
  }
  const januspro_progress shown{sizeof shown,  static_cast<januspro_phase>(progress.phase),
                                progress.done, progress.total,
                                list.data(),   list.size()};
  return events.on_step(events.user, &shown) != 0;
}

}  // namespace

EngineOptions read_options(const januspro_engine_options* given) {
  const auto options = read_struct(given, "engine_options", default_options());
  check(options.checkpoint != nullptr, Code::bad_input,
        "the engine's options name no checkpoint; give a directory or a .gguf");
  EngineOptions result;
  result.checkpoint = options.checkpoint;
  if (options.mmproj) result.mmproj = options.mmproj;
  result.halves = text_or(options.halves, result.halves);
  result.backend = text_or(options.backend, result.backend);
  result.threads = options.threads;
  result.isa = text_or(options.isa, result.isa);
  result.weights = text_or(options.weights, result.weights);
  result.cache = text_or(options.cache, result.cache);
  result.round_rope = options.round_rope != 0;
  result.pictures_at_once = options.pictures_at_once;
  result.remember = options.remember != 0;
  result.memory = options.memory;
  result.ahead = options.ahead;
  result.parallel = options.parallel;
  check_list(options.adapters, options.adapter_count, "adapters");
  for (size_t i = 0; i < options.adapter_count; ++i) {
    check(options.adapters[i] != nullptr, Code::bad_input, "adapter ", i + 1, " is NULL");
    result.adapters.push_back(
        {options.adapters[i], options.adapter_scales ? options.adapter_scales[i] : 1.0f});
  }
  result.edit_layout = text_or(options.edit_layout, result.edit_layout);
  if (options.on_load) {
    result.on_load = [options](double done) { return options.on_load(options.user, done) != 0; };
  }
  if (options.on_warning) {
    result.on_warning = [options](const std::string& line) {
      options.on_warning(options.user, line.c_str());
    };
  }
  return result;
}

std::vector<DrawRequest> read_requests(const januspro_draw_request* const* given, size_t count) {
  check_list(given, count, "requests");
  std::vector<DrawRequest> requests;
  for (size_t i = 0; i < count; ++i) requests.push_back(read_drawing(given[i]));
  return requests;
}

EditRequest read_request(const januspro_edit_request* given) {
  const auto request = read_struct(given, "edit_request", default_edit_request());
  check(request.image != nullptr, Code::bad_input, "the edit has no image");
  check(request.outpaint >= JANUSPRO_OUTPAINT_NONE && request.outpaint <= JANUSPRO_OUTPAINT_BOTTOM,
        Code::bad_input, "outpaint is ", request.outpaint, "; it is one of januspro_outpaint");
  EditRequest result;
  result.drawing = read_drawing(request.drawing);
  result.image = read_image(request.image);
  if (request.mask) result.mask = read_mask(request.mask);
  result.outpaint = static_cast<Outpaint>(request.outpaint);
  result.keep = request.keep;
  result.instruction = text_or(request.instruction, "");
  if (!std::isnan(request.image_guidance)) result.image_guidance = request.image_guidance;
  return result;
}

DrawEvents read_events(const januspro_draw_events* given) {
  DrawEvents result;
  if (!given) return result;
  const auto events = read_struct(given, "draw_events", januspro_draw_events{});
  if (events.on_step) {
    result.on_step = [events](const Progress& progress) { return call_on_step(events, progress); };
  }
  if (events.on_picture) {
    result.on_picture = [events](const Picture& picture) {
      const januspro_image image = view_image(picture.image);
      const januspro_picture shown = view_picture(picture, image);
      events.on_picture(events.user, &shown);
    };
  }
  result.partials = events.partials;
  if (events.on_partial) {
    result.on_partial = [events](const Partial& partial) {
      const januspro_image image = view_image(partial.image);
      const januspro_partial shown{sizeof shown,  &image,         partial.request,
                                   partial.index, partial.number, partial.rows};
      events.on_partial(events.user, &shown);
    };
  }
  return result;
}

AskRequest read_request(const januspro_ask_request* given) {
  const auto request = read_struct(given, "ask_request", default_ask_request());
  check_list(request.messages, request.message_count, "messages");
  check_list(request.stop, request.stop_count, "stop strings");
  AskRequest result;
  for (size_t i = 0; i < request.message_count; ++i) {
    result.messages.push_back(read_message(request.messages[i]));
  }
  if (request.system) result.system = request.system;
  result.max_tokens = request.max_tokens;
  result.temperature = request.temperature;
  result.top_k = request.top_k;
  result.top_p = request.top_p;
  result.seed = request.seed;
  result.logprobs = request.logprobs;
  for (size_t i = 0; i < request.stop_count; ++i) {
    check(request.stop[i] != nullptr, Code::bad_input, "stop string ", i + 1, " is NULL");
    result.stop.emplace_back(request.stop[i]);
  }
  return result;
}

OnText read_events(const januspro_ask_events* given) {
  if (!given) return {};
  const auto events = read_struct(given, "ask_events", januspro_ask_events{});
  if (!events.on_text) return {};
  return [events](std::string_view piece) {
    return events.on_text(events.user, piece.empty() ? "" : piece.data(), piece.size()) != 0;
  };
}

EmbedRequest read_request(const januspro_embed_request* given) {
  const auto request = read_struct(given, "embed_request", januspro_embed_request{});
  return {text_or(request.text, ""),
          read_images(request.images, request.image_count, "images to embed")};
}

januspro_picture view_picture(const Picture& picture, const januspro_image& image) {
  return {sizeof(januspro_picture),
          &image,
          picture.codes.data(),
          picture.codes.size(),
          picture.seed,
          picture.request,
          picture.index};
}

}  // namespace janus::c

using namespace janus::c;

void januspro_engine_options_init(januspro_engine_options* options, size_t size) {
  init_struct(options, size, default_options());
}
void januspro_draw_request_init(januspro_draw_request* request, size_t size) {
  init_struct(request, size, default_draw_request());
}
void januspro_mask_init(januspro_mask* mask, size_t size) { init_struct(mask, size, {}); }
void januspro_edit_request_init(januspro_edit_request* request, size_t size) {
  init_struct(request, size, default_edit_request());
}
void januspro_draw_events_init(januspro_draw_events* events, size_t size) {
  init_struct(events, size, {});
}
void januspro_message_init(januspro_message* message, size_t size) {
  init_struct(message, size, {});
}
void januspro_ask_request_init(januspro_ask_request* request, size_t size) {
  init_struct(request, size, default_ask_request());
}
void januspro_ask_events_init(januspro_ask_events* events, size_t size) {
  init_struct(events, size, {});
}
void januspro_embed_request_init(januspro_embed_request* request, size_t size) {
  init_struct(request, size, {});
}
