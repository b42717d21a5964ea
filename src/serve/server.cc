// The server: listener, gate, routes and model put together, from the first line to the drained
// end. SPDX-License-Identifier: MIT
#include <exception>
#include <mutex>

#include "base/error.h"
#include "serve/fetch.h"
#include "serve/http.h"
#include "serve/jobs/jobs.h"
#include "serve/jobs/sql_store.h"
#include "serve/multipart.h"
#include "serve/options.h"
#include "serve/routes.h"

namespace janus::serve {

namespace {

// They read and write JSON and pictures, and wait for the web where they may ask it; the engine has
// threads of its own.
constexpr int kWorkers = 3;
constexpr int kFetchingWorkers = 16;

Dialect dialect_of(const std::string& path) {
  return path.starts_with("/sdapi/") ? Dialect::a1111 : Dialect::openai;
}

class Server : public Host {
 public:
  explicit Server(const ServeOptions& options);
  ~Server() override;
  void run();

  void admit(Request& request) override;
  Dialect dialect(const Request& request) const override { return dialect_of(request.path); }
  void handle(Request request, std::shared_ptr<Reply> reply) override;
  Headers headers_for(const Request& request) const override;
  void finished(const Outcome& outcome) override;
  bool draining() const override { return desk_.draining; }
  std::string new_id() override { return desk_.new_id("req_"); }

 private:
  void load();
  void count_model();
  void check_body(const Request& request, const Route& route) const;
  void fetch_pictures(Request& request, const Route& route) const;
  void answer_options(const Request& request, Reply& reply) const;
  std::string route_name(const Outcome& outcome) const;

  const ServeOptions& options_;
  Log log_;
  Gate gate_;
  Desk desk_;
  HttpServer http_;
  std::mutex mutex_;  // of the failure
  std::exception_ptr failure_;
  std::unique_ptr<Engine> engine_;  // goes first: its events post to the rest
};

HttpLimits limits_of(const ServeOptions& options) {
  HttpLimits limits;
  limits.body = options.max_body;
  limits.bodies = 8 * options.max_body;
  limits.read_seconds = options.read_timeout;
  return limits;
}

Server::Server(const ServeOptions& options)
    : options_(options),
      log_(options.log, options.json_log),
      gate_(options.gate),
      desk_(options, log_),
      http_(options.host, options.port, limits_of(options), *this,
            options.allow_fetch ? kFetchingWorkers : kWorkers) {
  desk_.work = [this](Desk::Job job) { http_.work(std::move(job)); };
  desk_.after = [this](double seconds, Desk::Job job) { http_.after(seconds, std::move(job)); };
  desk_.url = [this] {
    std::string url = options_.public_url.empty() ? http_.url() : options_.public_url;
    if (!url.ends_with('/')) url += '/';
    return url;
  };
  desk_.jobs =
      std::make_shared<Jobs>(desk_, [this](bool again) { return open_store(options_.db, again); });
  desk_.jobs->open();
}

Server::~Server() {
  http_.end_work();
  desk_.jobs->close();
  engine_.reset();
}

void Server::load() {
  try {
    auto engine = std::make_unique<Engine>(options_.load());
    if (engine->info().draws) {
      engine->prepare_preview(options_.previews, [this] { return !desk_.draining.load(); });
    }
    Served served;
    served.info = engine->info();
    served.name = options_.name(served.info);
    served.aliases = options_.aliases;
    served.created = desk_.now();
    served.max_pixels = options_.max_pixels;
    served.random = options_.random;
    engine_ = std::move(engine);
    desk_.set(*engine_, std::move(served));
    count_model();
    desk_.jobs->begin();
    log_.note("ready: " + desk_.served().name);
  } catch (...) {
    const std::lock_guard lock(mutex_);
    if (!desk_.draining) failure_ = std::current_exception();
    http_.stop();
  }
}

void Server::count_model() {
  const ModelInfo& info = desk_.served().info;
  desk_.metrics.set("januspro_build_info",
                    Metrics::label("version", version()) + "," +
                        Metrics::label("backend", info.backend) + "," +
                        Metrics::label("model", desk_.served().name),
                    1);
}

void Server::run() {
  if (options_.signals >= 0) {
    http_.watch(options_.signals, [this] {
      if (!options_.to_end()) return true;
      desk_.draining = true;
      log_.note("draining: running requests may finish");
      desk_.jobs->drain();
      http_.drain(options_.drain);
      return false;
    });
  }
  http_.on_hangup([this] {
    try {
      gate_.read_keys();
      log_.note("keys were read again");
    } catch (const Error& error) {
      log_.note(std::string("keys stay as they were: ") + error.what());
    }
  });
  options_.listening(http_.url());
  http_.work([this] { load(); });
  http_.run();
  const std::lock_guard lock(mutex_);
  if (failure_) std::rethrow_exception(failure_);
}

// --- a request -----------------------------------------------------------------------------------

void Server::check_body(const Request& request, const Route& route) const {
  if (route.body == Body::none) return;
  std::string_view type = request.header("content-type");
  if (route.body == Body::form && is_multipart(type)) return;
  type = type.substr(0, type.find(';'));
  while (type.ends_with(' ')) type.remove_suffix(1);
  if (type == "application/json") return;
  throw Refusal(415, "unsupported_media_type",
                route.body == Body::form
                    ? "the body must be multipart/form-data, or JSON with the header "
                      "Content-Type: application/json"
                    : "the body must be JSON, with the header Content-Type: application/json");
}

void Server::admit(Request& request) {
  gate_.check_host(request, http_.loopback());
  if (request.method == "OPTIONS") return;
  const size_t number = find_route(request);
  const Route& route = all_routes()[number];
  request.route = static_cast<int>(number);
  if (route.method != "GET") gate_.check_origin(request);
  request.caller = "address:" + request.peer;
  if (route.access != Access::open) {
    request.caller = gate_.check_key(request, route.access == Access::sd);
    request.owner = gate_.owner_of(request.caller);
  }
  if (route.method != "GET" && desk_.draining) {
    throw Refusal(503, "draining",
                  "the server is ending; ask another, or this one again in a moment")
        .with("Retry-After", "5");
  }
  check_body(request, route);
  if (route.method == "POST") gate_.check_rate(request.caller);
}

void Server::answer_options(const Request& request, Reply& reply) const {
  Response response;
  response.status = 204;
  std::string methods = methods_of(request.path);
  if (methods.empty()) throw Refusal(404, "unknown_url", "there is nothing at this path");
  methods += ", OPTIONS";
  response.headers.emplace_back("Allow", methods);
  if (gate_.allows(std::string(request.header("origin")))) {
    response.headers.emplace_back("Access-Control-Allow-Methods", methods);
    response.headers.emplace_back("Access-Control-Allow-Headers",
                                  "Authorization, Content-Type, Idempotency-Key, x-request-id");
    response.headers.emplace_back("Access-Control-Max-Age", "600");
  }
  reply.send(std::move(response));
}

// Before anybody reads the body: who keeps it then has the picture itself.
void Server::fetch_pictures(Request& request, const Route& route) const {
  if (route.body == Body::none || is_multipart(request.header("content-type"))) return;
  if (request.body.find("http") == std::string::npos) return;
  request.body = with_fetched(parse_json(request.body), {.bytes = options_.max_body}).dump();
}

void Server::handle(Request request, std::shared_ptr<Reply> reply) {
  const std::string id = request.id;
  const Dialect dialect = dialect_of(request.path);
  try {
    if (request.route < 0) return answer_options(request, *reply);
    const Route& route = all_routes()[static_cast<size_t>(request.route)];
    if (options_.allow_fetch) fetch_pictures(request, route);
    route.handle(desk_, std::move(request), reply);
  } catch (...) {
    desk_.answer_failure(std::current_exception(), id, "", dialect, *reply);
  }
}

Headers Server::headers_for(const Request& request) const {
  Headers headers = gate_.cors(request);
  headers.emplace_back("x-content-type-options", "nosniff");
  return headers;
}

std::string Server::route_name(const Outcome& outcome) const {
  Request request;
  request.method = outcome.method;
  request.path = outcome.path;
  try {
    return std::string(all_routes()[find_route(request)].pattern);
  } catch (const Refusal&) {
    return "other";
  }
}

// Only methods that exist are labels.
void Server::finished(const Outcome& outcome) {
  const std::string route = route_name(outcome);
  const bool known = outcome.method == "GET" || outcome.method == "POST" ||
                     outcome.method == "HEAD" || outcome.method == "DELETE" ||
                     outcome.method == "OPTIONS";
  desk_.metrics.add("januspro_http_requests_total",
                    Metrics::label("method", known ? outcome.method : "other") + "," +
                        Metrics::label("route", route) + "," +
                        Metrics::label("code", std::to_string(outcome.status)));
  desk_.metrics.observe("januspro_http_request_duration_seconds", Metrics::label("route", route),
                        outcome.seconds);
  log_.request(outcome, route);
}

}  // namespace

void serve(const ServeOptions& options) { Server(options).run(); }

}  // namespace janus::serve
