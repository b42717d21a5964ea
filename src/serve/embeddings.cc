// POST /v1/embeddings: one request to the model for each input, answered together.
// SPDX-License-Identifier: MIT
#include <mutex>

#include "serve/openai_embeddings.h"
#include "serve/routes.h"

namespace janus::serve {

namespace {

class EmbedRun : public std::enable_shared_from_this<EmbedRun> {
 public:
  EmbedRun(Desk& desk, EmbedCall call, std::string id, std::shared_ptr<Reply> reply)
      : desk_(desk),
        call_(std::move(call)),
        id_(std::move(id)),
        reply_(std::move(reply)),
        ticket_(desk, "embed") {}

  void start();

 private:
  void one_is_over();
  void finish();

  Desk& desk_;
  EmbedCall call_;
  const std::string id_;
  const std::shared_ptr<Reply> reply_;
  Ticket ticket_;
  std::vector<Job> jobs_;
  std::mutex mutex_;
  size_t over_ = 0;
};

// What is refused is refused before anything is told of a job's end.
void EmbedRun::start() {
  try {
    for (const EmbedRequest& request : call_.requests) {
      jobs_.push_back(desk_.engine().submit(request));
    }
  } catch (...) {
    for (const Job& job : jobs_) job.cancel();
    throw;
  }
  ticket_.begun();
  call_.requests.clear();
  reply_->on_gone([jobs = jobs_, &desk = desk_] {
    for (const Job& job : jobs) job.cancel();
    desk.metrics.add("januspro_requests_cancelled_total", Metrics::label("kind", "embed"));
  });
  for (const Job& job : jobs_) {
    job.on_end([self = shared_from_this()] { self->desk_.work([self] { self->one_is_over(); }); });
  }
}

void EmbedRun::one_is_over() {
  {
    const std::lock_guard lock(mutex_);
    if (++over_ < jobs_.size()) return;
  }
  finish();
}

void EmbedRun::finish() {
  std::vector<Embedding> embeddings;
  int64_t tokens = 0;
  try {
    for (const Job& job : jobs_) {
      embeddings.push_back(job.embedding());
      tokens += embeddings.back().prompt_tokens;
    }
  } catch (...) {
    return desk_.answer_failure(std::current_exception(), id_, "input", Dialect::openai, *reply_);
  }
  desk_.metrics.add("januspro_prompt_tokens_total", "", static_cast<double>(tokens));
  send_json(*reply_, embeddings_json(call_, desk_.served(), embeddings),
            ignored_header(call_.ignored));
}

}  // namespace

void serve_embeddings(Desk& desk, Request request, std::shared_ptr<Reply> reply) {
  EmbedCall call = parse_embeddings(parse_json(request.body), desk.served());
  std::string().swap(request.body);
  const auto run = std::make_shared<EmbedRun>(desk, std::move(call), request.id, reply);
  try {
    run->start();
  } catch (const Error& error) {
    throw refusal_of(error, "input");
  }
}

}  // namespace janus::serve
