// The table of routes: what is served, by whom, for whom. /openapi.json is written from it.
// SPDX-License-Identifier: MIT
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "serve/desk.h"
#include "serve/fields.h"
#include "serve/message.h"

namespace janus::serve {

enum class Access { open, key, sd };   // sd: as A1111's clients have it, in its dialect
enum class Body { none, json, form };  // form: multipart/form-data or JSON

struct Route {
  std::string_view method;
  std::string_view pattern;  // "/v1/jobs/{id}"
  Access access;
  Body body;
  void (*handle)(Desk& desk, Request request, std::shared_ptr<Reply> reply);
  std::string_view summary;
  std::string_view schema = {};  // of the body: JSON, "" for none
  std::string_view answer = {};  // of what is answered, the same; "": what is no JSON
};

std::span<const Route> all_routes();

// The number of the route, with the captures of its pattern put into the request. Throws Refusal
// `unknown_url` or `method_not_allowed`.
size_t find_route(Request& request);
// The same path in another method's route counts: for who asks what there is (OPTIONS).
std::string methods_of(const std::string& path);

OrderedJson openapi(const Desk& desk);

// --- who serves them; each on a worker, each throws Refusal or Error
using Handler = void(Desk& desk, Request request, std::shared_ptr<Reply> reply);
Handler serve_models, serve_model, serve_chat, serve_generations, serve_edits, serve_variations,
    serve_file, serve_embeddings;
Handler serve_submit_job, serve_job, serve_job_list, serve_job_result, serve_delete_job;
Handler serve_health, serve_ready, serve_metrics, serve_openapi, serve_page;
Handler sd_txt2img, sd_img2img, sd_progress, sd_interrupt, sd_options, sd_set_options,
    sd_interrogate;
Handler sd_models, sd_samplers, sd_upscalers, sd_empty_list, sd_flags, sd_schedulers;

// Names what a request said and nobody read; nothing where all was.
Headers ignored_header(const std::vector<std::string>& ignored);
void send_json(Reply& reply, const OrderedJson& json, Headers headers = {});

}  // namespace janus::serve
