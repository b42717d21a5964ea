// /v1/jobs: work that is accepted now, done when there is time, and kept until it is fetched.
// SPDX-License-Identifier: MIT
#include "serve/jobs/jobs.h"

#include <charconv>

#include "serve/routes.h"

namespace janus::serve {

namespace {

constexpr double kLongestWait = 30;
constexpr int kMostListed = 100;

// The query's number of this name.
template <class Number>
std::optional<Number> queried(const Request& request, const std::string& name, Number low,
                              Number high) {
  const auto found = request.query.find(name);
  if (found == request.query.end()) return {};
  const std::string& text = found->second;
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error == std::errc() && end == text.data() + text.size() && value >= low && value <= high) {
    return value;
  }
  throw Refusal(400, "invalid_value",
                name + " must be a number from " + dump(low) + " to " + dump(high), name);
}

std::string queried_status(const Request& request) {
  const auto found = request.query.find("status");
  if (found == request.query.end()) return {};
  for (const char* const each : {"queued", "running", "done", "failed", "cancelled"}) {
    if (found->second == each) return each;
  }
  throw Refusal(400, "invalid_value", "status must be queued, running, done, failed or cancelled",
                "status");
}

// What the engine itself refuses, before anything is accepted.
void check_work(const Desk& desk, const JobWork& work) {
  if (work.ask) {
    desk.engine().plan(work.ask->request);
  } else if (work.draw->edit) {
    desk.engine().plan(*work.draw->edit);
  } else {
    desk.engine().plan(work.draw->request);
  }
}

}  // namespace

void serve_submit_job(Desk& desk, Request request, std::shared_ptr<Reply> reply) {
  JobCall call = parse_job(parse_json(request.body), std::string(request.header("idempotency-key")),
                           desk.served(), [&](const JobWork& work) { check_work(desk, work); });
  std::string().swap(request.body);
  call.job.id = desk.new_id("job_");
  call.job.owner = request.owner;
  const Store::Accepted accepted =
      desk.jobs->store().use([&](Store& store) { return store.accept(call.job); });
  if (!accepted.replayed) desk.jobs->accepted();
  Response response;
  response.headers = ignored_header(call.ignored);
  response.status = accepted.replayed ? 200 : 202;
  response.headers.emplace_back("Location", "/v1/jobs/" + accepted.id);
  if (accepted.replayed) response.headers.emplace_back("Idempotent-Replayed", "true");
  response.body = dump(desk.jobs->json(desk.jobs->find(request.owner, accepted.id)));
  reply->send(std::move(response));
}

void serve_job(Desk& desk, Request request, std::shared_ptr<Reply> reply) {
  const double seconds = queried<double>(request, "wait", 0, kLongestWait).value_or(0);
  const KeptJob job = desk.jobs->find(request.owner, request.captures["id"]);
  if (seconds == 0 || job.over()) return send_json(*reply, desk.jobs->json(job));
  desk.jobs->wait(request.owner, job, seconds, reply);
}

void serve_job_list(Desk& desk, Request request, std::shared_ptr<Reply> reply) {
  const int limit = queried<int>(request, "limit", 1, kMostListed).value_or(20);
  const std::string after = request.query["after"], status = queried_status(request);
  if (!after.empty()) desk.jobs->find(request.owner, after);
  std::vector<KeptJob> jobs = desk.jobs->store().use(
      [&](Store& store) { return store.list(request.owner, after, status, limit + 1); });
  const bool more = std::ssize(jobs) > limit;
  if (more) jobs.pop_back();
  OrderedJson data = OrderedJson::array();
  for (const KeptJob& job : jobs) data.push_back(desk.jobs->json(job));
  OrderedJson first = nullptr, last = nullptr;
  if (!jobs.empty()) {
    first = jobs.front().id;
    last = jobs.back().id;
  }
  send_json(*reply, {{"object", "list"},
                     {"data", std::move(data)},
                     {"first_id", std::move(first)},
                     {"last_id", std::move(last)},
                     {"has_more", more}});
}

void serve_job_result(Desk& desk, Request request, std::shared_ptr<Reply> reply) {
  const std::string& id = request.captures["id"];
  const std::string& place = request.captures["index"];
  const KeptJob job = desk.jobs->find(request.owner, id);
  size_t index = 0;
  const auto [end, error] = std::from_chars(place.data(), place.data() + place.size(), index);
  if (error != std::errc() || end != place.data() + place.size() || index >= job.items.size()) {
    throw Refusal(404, "result_not_found",
                  "this job has the results 0 to " + std::to_string(job.items.size() - 1));
  }
  const std::string& status = job.items[index].status;
  if (status == "failed" || status == "cancelled") {
    throw Refusal(404, "result_not_found", "it was " + status + ", so that there is no result");
  }
  const auto file = desk.jobs->store().use(
      [&](Store& store) { return store.result(request.owner, id, static_cast<int>(index)); });
  if (!file) {
    throw Refusal(409, "result_not_ready",
                  "it is not there yet; GET /v1/jobs/" + id + "?wait=30 says when")
        .with("x-should-retry", "false");
  }
  Response response;
  response.type = file->type;
  const std::string tag = "\"" + file->digest + "\"";
  response.headers = {{"ETag", tag}, {"Cache-Control", "private, max-age=3600, immutable"}};
  if (request.header("if-none-match") == tag) {
    response.status = 304;
  } else {
    response.body = file->bytes;
  }
  reply->send(std::move(response));
}

void serve_delete_job(Desk& desk, Request request, std::shared_ptr<Reply> reply) {
  const std::string& id = request.captures["id"];
  if (desk.jobs->remove(request.owner, id) == Jobs::Deleted::cancelled) {
    return send_json(*reply, desk.jobs->json(desk.jobs->find(request.owner, id)));
  }
  send_json(*reply, {{"id", id}, {"object", "job.deleted"}, {"deleted", true}});
}

}  // namespace janus::serve
