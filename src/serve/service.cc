// Health, metrics, the description of the interface, the page. SPDX-License-Identifier: MIT
#include "base/sha256.h"
#include "serve/jobs/jobs.h"
#include "serve/page.h"
#include "serve/routes.h"

namespace janus::serve {

void serve_health(Desk&, Request, std::shared_ptr<Reply> reply) {
  send_json(*reply, {{"status", "ok"}});
}

void serve_ready(Desk& desk, Request, std::shared_ptr<Reply> reply) {
  if (desk.draining) {
    throw Refusal(503, "draining", "the server is ending").with("Retry-After", "5");
  }
  send_json(*reply, {{"status", "ready"}, {"model", desk.served().name}});
}

void serve_metrics(Desk& desk, Request, std::shared_ptr<Reply> reply) {
  desk.jobs->count();
  desk.metrics.set("januspro_log_lines_lost_total", "", static_cast<double>(desk.log.lost()));
  if (desk.loaded()) {
    desk.metrics.set("januspro_kv_cache_usage_ratio", "", desk.engine().cache_use());
  }
  Response response;
  response.type = "text/plain; version=0.0.4; charset=utf-8";
  response.body = desk.metrics.text() + process_metrics();
  reply->send(std::move(response));
}

void serve_openapi(Desk& desk, Request, std::shared_ptr<Reply> reply) {
  send_json(*reply, openapi(desk));
}

// Told by its sum whether it has changed: the page is asked for again at every visit.
void serve_page(Desk&, Request request, std::shared_ptr<Reply> reply) {
  const std::string name =
      request.captures.contains("file") ? request.captures["file"] : "index.html";
  for (const PageFile& file : page_files()) {
    if (file.name != name) continue;
    Response response;
    response.type = file.type;
    const std::string tag = "\"" + sha256_hex(file.bytes).substr(0, 16) + "\"";
    response.headers = {
        {"Cache-Control", "no-cache"},
        {"ETag", tag},
        {"Referrer-Policy", "no-referrer"},
        {"Content-Security-Policy",
         "default-src 'self'; img-src 'self' data: blob:; object-src 'none'; base-uri 'none'; "
         "form-action 'self'; frame-ancestors 'none'"}};
    if (request.header("if-none-match") == tag) {
      response.status = 304;
    } else {
      response.body = file.bytes;
    }
    return reply->send(std::move(response));
  }
  throw Refusal(404, "unknown_url", "the page has no such file");
}

}  // namespace janus::serve
