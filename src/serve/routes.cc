// SPDX-License-Identifier: MIT
#include "serve/routes.h"

#include <iterator>
#include <vector>

namespace janus::serve {

namespace {

constexpr std::string_view kChat = R"({"type":"object","required":["messages"],"properties":{
"model":{"type":["string","null"]},"messages":{"type":"array","items":{"type":"object"}},
"max_completion_tokens":{"type":["integer","null"],"minimum":1},"temperature":{"type":["number","null"],"minimum":0,"maximum":2},
"top_p":{"type":["number","null"]},"seed":{"type":["integer","null"]},"n":{"type":["integer","null"],"minimum":1,"maximum":8},
"stop":{},"stream":{"type":["boolean","null"]},"logprobs":{"type":["boolean","null"]},
"top_logprobs":{"type":["integer","null"],"minimum":0,"maximum":20}}})";

constexpr std::string_view kGenerations = R"({"type":"object","required":["prompt"],"properties":{
"model":{"type":["string","null"]},"prompt":{"type":"string","pattern":"\\S"},"n":{"type":["integer","null"],"minimum":1,"maximum":10},
"size":{"type":["string","null"]},"seed":{"type":["integer","null"],"minimum":-1},
"guidance":{"type":["number","null"],"minimum":0,"maximum":30},"negative_prompt":{"type":["string","null"]},
"response_format":{"enum":["b64_json","url",null]},"output_format":{"enum":["png","jpeg","webp",null]},
"output_compression":{"type":["integer","null"],"minimum":0,"maximum":100},
"stream":{"type":["boolean","null"]},"partial_images":{"type":["integer","null"],"minimum":0}}})";

constexpr std::string_view kEmbeddings = R"({"type":"object","required":["input"],"properties":{
"model":{"type":["string","null"]},"input":{"anyOf":[{"type":"string","minLength":1},{"type":"array","minItems":1,"maxItems":64}]},
"encoding_format":{"enum":["float","base64",null]}}})";

constexpr std::string_view kTxt2img = R"({"type":"object","properties":{
"prompt":{"type":["string","null"]},"negative_prompt":{"type":["string","null"]},"seed":{"type":["integer","null"]},
"batch_size":{"type":["integer","null"]},"n_iter":{"type":["integer","null"]},"width":{"type":["integer","null"]},
"height":{"type":["integer","null"]},"cfg_scale":{"type":["number","null"]}}})";

constexpr std::string_view kEdits = R"({"type":"object","required":["prompt"],"properties":{
"model":{"type":["string","null"]},"prompt":{"type":"string"},
"images":{"type":"array","items":{"type":"object","required":["image_url"],"properties":{"image_url":{"type":"string"}}}},
"mask":{"type":["object","null"]},"keep":{"type":["number","null"],"minimum":0,"maximum":1},
"outpaint":{"enum":["none","left","right","top","bottom",null]},"n":{"type":["integer","null"],"minimum":1,"maximum":10},
"size":{"type":["string","null"]},"seed":{"type":["integer","null"],"minimum":-1},
"stream":{"type":["boolean","null"]},"partial_images":{"type":["integer","null"],"minimum":0}}})";

constexpr std::string_view kVariations = R"({"type":"object","properties":{
"images":{"type":"array","items":{"type":"object","required":["image_url"],"properties":{"image_url":{"type":"string"}}}},
"keep":{"type":["number","null"],"minimum":0,"maximum":1},"n":{"type":["integer","null"],"minimum":1,"maximum":10},
"size":{"type":["string","null"]},"seed":{"type":["integer","null"],"minimum":-1},
"stream":{"type":["boolean","null"]},"partial_images":{"type":["integer","null"],"minimum":0}}})";

constexpr std::string_view kImg2img = R"({"type":"object","required":["init_images"],"properties":{
"init_images":{"type":"array","items":{"type":"string"}},"denoising_strength":{"type":["number","null"]},
"mask":{"type":["string","null"]},"prompt":{"type":["string","null"]},"seed":{"type":["integer","null"]}}})";

constexpr std::string_view kJob = R"({"type":"object","required":["type","requests"],"properties":{
"type":{"enum":["draw","edit","ask"]},"requests":{"type":"array","minItems":1,"maxItems":256,"items":{"type":"object"}},
"metadata":{"type":["object","null"]},"idempotency_key":{"type":["string","null"],"maxLength":255}}})";

constexpr std::string_view kImage =
    R"({"type":"object","required":["image"],"properties":{"image":{"type":"string"}}})";
constexpr std::string_view kFiles = R"({"type":"object","required":["image"],"properties":{
"image":{"type":"string","format":"binary"},"mask":{"type":"string","format":"binary"},"prompt":{"type":"string"}}})";
constexpr std::string_view kObject = R"({"type":"object"})";
constexpr std::string_view kList = R"({"type":"array","items":{"type":"object"}})";

// What is answered.
constexpr std::string_view kStatus = R"({"type":"object","required":["status"]})";
constexpr std::string_view kModel = R"({"type":"object","required":["id","object","januspro"]})";
constexpr std::string_view kData =
    R"({"type":"object","required":["data"],"properties":{"data":{"type":"array","items":{"type":"object"}}}})";
constexpr std::string_view kAnswer =
    R"({"type":"object","required":["id","choices","usage"],"properties":{
"choices":{"type":"array","items":{"type":"object","required":["index","message","finish_reason"]}}}})";
constexpr std::string_view kOneJob = R"({"type":"object","required":["id","object"],"properties":{
"object":{"enum":["job","job.deleted"]},"status":{"enum":["queued","running","done","failed","cancelled"]},
"results":{"type":"array","items":{"type":"object","required":["index","status","seed","url"]}}}})";
constexpr std::string_view kSdPictures =
    R"({"type":"object","required":["images","parameters","info"],"properties":{
"images":{"type":"array","items":{"type":"string"}},"info":{"type":"string"}}})";
constexpr std::string_view kSdProgress =
    R"({"type":"object","required":["progress","eta_relative","state","current_image"]})";
constexpr std::string_view kSdCaption = R"({"type":"object","required":["caption"]})";

using enum Access;

constexpr Route kRoutes[] = {
    Route{"GET", "/", open, Body::none, serve_page, "The page"},
    Route{"GET", "/page/{file}", open, Body::none, serve_page, "A file of the page"},
    Route{"GET", "/health", open, Body::none, serve_health, "Whether the process serves", "",
          kStatus},
    Route{"GET", "/ready", open, Body::none, serve_ready, "Whether the model is loaded", "",
          kStatus},
    Route{"GET", "/metrics", key, Body::none, serve_metrics, "Counters, for Prometheus"},
    Route{"GET", "/openapi.json", open, Body::none, serve_openapi, "This description", "", kObject},
    Route{"GET", "/v1/models", key, Body::none, serve_models, "The model that is served", "",
          kData},
    Route{"GET", "/v1/models/{id...}", key, Body::none, serve_model, "One model", "", kModel},
    Route{"POST", "/v1/chat/completions", key, Body::json, serve_chat,
          "An answer about text and pictures", kChat, kAnswer},
    Route{"POST", "/v1/images/generations", key, Body::json, serve_generations,
          "Pictures of a prompt", kGenerations, kData},
    Route{"POST", "/v1/images/edits", key, Body::form, serve_edits,
          "A picture, part of it drawn anew", kEdits, kData},
    Route{"POST", "/v1/images/variations", key, Body::form, serve_variations,
          "A picture, its lower part drawn anew", kVariations, kData},
    Route{"POST", "/v1/embeddings", key, Body::json, serve_embeddings,
          "Text and pictures as vectors", kEmbeddings, kData},
    Route{"GET", "/v1/images/files/{name}", open, Body::none, serve_file,
          "A picture that was answered with a URL"},
    Route{"POST", "/v1/jobs", key, Body::json, serve_submit_job,
          "Pictures or answers, when there is time", kJob, kOneJob},
    Route{"GET", "/v1/jobs", key, Body::none, serve_job_list, "Jobs, the newest first", "", kData},
    Route{"GET", "/v1/jobs/{id}/results/{index}", key, Body::none, serve_job_result,
          "A picture or an answer of a job"},
    Route{"GET", "/v1/jobs/{id}", key, Body::none, serve_job, "A job", "", kOneJob},
    Route{"DELETE", "/v1/jobs/{id}", key, Body::none, serve_delete_job,
          "Stops a job; removes one that is over", "", kOneJob},
    Route{"POST", "/sdapi/v1/txt2img", sd, Body::json, sd_txt2img, "Pictures of a prompt", kTxt2img,
          kSdPictures},
    Route{"POST", "/sdapi/v1/img2img", sd, Body::json, sd_img2img,
          "A picture, part of it drawn anew", kImg2img, kSdPictures},
    Route{"GET", "/sdapi/v1/progress", sd, Body::none, sd_progress, "How far the drawing is", "",
          kSdProgress},
    Route{"POST", "/sdapi/v1/interrupt", sd, Body::none, sd_interrupt,
          "Ends the drawing with what there is", "", kObject},
    Route{"POST", "/sdapi/v1/skip", sd, Body::none, sd_interrupt,
          "Ends the drawing with what there is", "", kObject},
    Route{"GET", "/sdapi/v1/options", sd, Body::none, sd_options, "Settings", "", kObject},
    Route{"POST", "/sdapi/v1/options", sd, Body::json, sd_set_options, "Settings", kObject},
    Route{"POST", "/sdapi/v1/interrogate", sd, Body::json, sd_interrogate, "A caption", kImage,
          kSdCaption},
    Route{"GET", "/sdapi/v1/sd-models", sd, Body::none, sd_models, "The model", "", kList},
    Route{"GET", "/sdapi/v1/samplers", sd, Body::none, sd_samplers, "The sampler", "", kList},
    Route{"GET", "/sdapi/v1/schedulers", sd, Body::none, sd_schedulers, "The scheduler", "", kList},
    Route{"GET", "/sdapi/v1/upscalers", sd, Body::none, sd_upscalers, "None", "", kList},
    Route{"GET", "/sdapi/v1/latent-upscale-modes", sd, Body::none, sd_empty_list, "None", "",
          kList},
    Route{"GET", "/sdapi/v1/sd-vae", sd, Body::none, sd_empty_list, "None", "", kList},
    Route{"GET", "/sdapi/v1/loras", sd, Body::none, sd_empty_list, "None", "", kList},
    Route{"GET", "/sdapi/v1/cmd-flags", sd, Body::none, sd_flags, "None", "", kObject},
};

std::vector<std::string_view> parts_of(std::string_view path) {
  std::vector<std::string_view> parts;
  while (!path.empty()) {
    path.remove_prefix(1);  // the slash
    const std::string_view part = path.substr(0, path.find('/'));
    parts.push_back(part);
    path.remove_prefix(part.size());
  }
  return parts;
}

// Of "{name}" and "{name...}".
std::string_view name_of(std::string_view part) {
  return part.substr(1, part.find_first_of(".}") - 1);
}

// A last capture {name...} takes slashes too, as names of models have them (org/name).
bool matches(std::string_view pattern, std::string_view path,
             std::map<std::string, std::string>& captures) {
  if (!path.starts_with('/')) return false;
  const auto wanted = parts_of(pattern), given = parts_of(path);
  if (given.size() < wanted.size()) return false;
  for (size_t i = 0; i < wanted.size(); ++i) {
    if (!wanted[i].starts_with("{")) {
      if (wanted[i] != given[i]) return false;
      continue;
    }
    if (given[i].empty()) return false;
    const std::string name(name_of(wanted[i]));
    captures[name] = std::string(given[i]);
    if (!wanted[i].ends_with("...}")) continue;
    for (size_t k = i + 1; k < given.size(); ++k) captures[name] += "/" + std::string(given[k]);
    return true;
  }
  return given.size() == wanted.size();
}

}  // namespace

std::span<const Route> all_routes() { return kRoutes; }

size_t find_route(Request& request) {
  const std::string_view method =
      request.method == "HEAD" ? "GET" : std::string_view(request.method);
  std::map<std::string, std::string> captures;
  for (size_t i = 0; i < std::size(kRoutes); ++i) {
    captures.clear();
    if (kRoutes[i].method != method || !matches(kRoutes[i].pattern, request.path, captures))
      continue;
    request.captures = std::move(captures);
    return i;
  }
  const std::string others = methods_of(request.path);
  if (others.empty()) {
    throw Refusal(404, "unknown_url",
                  "there is nothing at this path; /openapi.json lists what there is");
  }
  throw Refusal(405, "method_not_allowed", "this path takes " + others + " only")
      .with("Allow", others);
}

std::string methods_of(const std::string& path) {
  std::string list;
  std::map<std::string, std::string> captures;
  for (const Route& route : kRoutes) {
    if (!matches(route.pattern, path, captures)) continue;
    list += (list.empty() ? "" : ", ") + std::string(route.method);
    if (route.method == "GET") list += ", HEAD";
  }
  return list;
}

namespace {

// What has a field `stream` answers by events where that is true.
OrderedJson success_of(const Route& route) {
  OrderedJson success = {{"description", "Done"}};
  if (route.answer.empty()) return success;
  success["content"]["application/json"]["schema"] = OrderedJson::parse(route.answer);
  if (route.schema.find("\"stream\"") != std::string_view::npos) {
    success["content"]["text/event-stream"]["schema"] = {{"type", "object"},
                                                         {"required", {"data"}}};
  }
  return success;
}

}  // namespace

OrderedJson openapi(const Desk& desk) {
  const Json error = {{"type", "object"}, {"required", {"error"}}};
  OrderedJson paths = OrderedJson::object();
  for (const Route& route : kRoutes) {
    std::string method(route.method);
    for (char& c : method) c = static_cast<char>(c + 32);
    const OrderedJson failure = {{"description", "What went wrong"},
                                 {"content", {{"application/json", {{"schema", error}}}}}};
    OrderedJson operation = {
        {"summary", route.summary},
        {"responses", {{"2XX", success_of(route)}, {"4XX", failure}, {"5XX", failure}}}};
    std::string pattern;
    for (const std::string_view part : parts_of(route.pattern)) {
      const bool captures = part.starts_with("{");
      pattern += "/" + (captures ? "{" + std::string(name_of(part)) + "}" : std::string(part));
      if (!captures) continue;
      operation["parameters"].push_back({{"name", name_of(part)},
                                         {"in", "path"},
                                         {"required", true},
                                         {"schema", {{"type", "string"}}}});
    }
    if (route.body != Body::none) {
      OrderedJson content = {{"application/json", {{"schema", OrderedJson::parse(route.schema)}}}};
      if (route.body == Body::form) {
        content["multipart/form-data"] = {{"schema", OrderedJson::parse(kFiles)}};
      }
      operation["requestBody"] = {{"required", true}, {"content", std::move(content)}};
    }
    operation["security"] = OrderedJson::array();
    const bool locked = !desk.options.gate.api_key.empty() || !desk.options.gate.keys.empty();
    if (route.access != Access::open && locked) {
      operation["security"].push_back({{"bearer", OrderedJson::array()}});
    }
    paths[pattern][method] = std::move(operation);
  }
  return {{"openapi", "3.1.0"},
          {"info", {{"title", "januspro"}, {"version", janus::version()}}},
          {"paths", std::move(paths)},
          {"components",
           {{"securitySchemes", {{"bearer", {{"type", "http"}, {"scheme", "bearer"}}}}}}}};
}

Headers ignored_header(const std::vector<std::string>& ignored) {
  if (ignored.empty()) return {};
  return {{"x-januspro-ignored", header_list(ignored)}};
}

void send_json(Reply& reply, const OrderedJson& json, Headers headers) {
  Response response;
  response.headers = std::move(headers);
  response.body = dump(json);
  reply.send(std::move(response));
}

}  // namespace janus::serve
