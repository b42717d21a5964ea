// SPDX-License-Identifier: MIT
#include "serve/desk.h"

#include <algorithm>
#include <chrono>

namespace janus::serve {

Ticket::Ticket(Desk& desk, const char* kind, int rows)
    : desk_(desk), kind_(kind), rows_(rows), taken_(std::chrono::steady_clock::now()) {
  const int most = desk.options.queue + 1;  // one is worked on
  if (++desk.places_ > most) {
    --desk.places_;
    throw Refusal(429, "queue_full",
                  std::to_string(desk.options.queue) + " requests wait already; try again later")
        .with("Retry-After", "10");
  }
  desk.rows_ += rows;
  const std::lock_guard lock(desk.mutex_);
  desk.waiting_.insert(taken_);
  count("januspro_requests_waiting", 1);
}

Ticket::~Ticket() {
  count(begun_ ? "januspro_requests_running" : "januspro_requests_waiting", -1);
  --desk_.places_;
  desk_.rows_ -= rows_;
  if (!begun_) stop_waiting();
}

void Ticket::stop_waiting() {
  const std::lock_guard lock(desk_.mutex_);
  desk_.waiting_.erase(desk_.waiting_.find(taken_));
}

void Ticket::count(const char* gauge, double change) {
  desk_.metrics.add(gauge, Metrics::label("kind", kind_), change);
}

double Ticket::seconds() const {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - taken_).count();
}

void Ticket::begun() {
  if (begun_.exchange(true)) return;
  stop_waiting();
  waited_ = seconds();
  count("januspro_requests_waiting", -1);
  count("januspro_requests_running", 1);
  desk_.metrics.observe("januspro_queue_seconds", "", waited_);
}

double Desk::longest_wait() const {
  const std::lock_guard lock(mutex_);
  if (waiting_.empty()) return 0;
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - *waiting_.begin())
      .count();
}

void Desk::set(Engine& engine, Served served) {
  served_ = std::move(served);
  engine_ = &engine;
}

Engine& Desk::engine() const {
  Engine* const engine = engine_;
  if (engine) return *engine;
  throw Refusal(503, "loading", "the model is still being loaded; try again in a moment")
      .with("Retry-After", "2");
}

const Served& Desk::served() const {
  engine();
  return served_;
}

std::string Desk::new_id(const char* prefix) const {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string id = prefix;
  for (int half = 0; half < 2; ++half) {
    const uint64_t bits = options.random();
    for (int shift = 60; shift >= 0; shift -= 4) id += digits[bits >> shift & 15];
  }
  return id;
}

int64_t Desk::now() const {
  return std::chrono::duration_cast<std::chrono::seconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

Refusal Desk::refusal_for(const std::exception_ptr& failure, const std::string& id,
                          const std::string& param) {
  std::string reason;
  try {
    std::rethrow_exception(failure);
  } catch (const Refusal& refusal) {
    return refusal;
  } catch (const Error& error) {
    Refusal refusal = refusal_of(error, param);
    if (refusal.status != 500) return refusal;
    reason = error.what();
  } catch (const std::bad_alloc&) {
    return {400, "does_not_fit", "the request takes more memory than there is", param};
  } catch (const std::exception& error) {
    reason = error.what();
  }
  log.failure(id, reason);
  return refusal_of(Error(Code::bug, ""));
}

void Desk::answer_failure(const std::exception_ptr& failure, const std::string& id,
                          const std::string& param, Dialect dialect, Reply& reply) {
  const Refusal refusal = refusal_for(failure, id, param);
  if (refusal.status == 429) {
    metrics.add("januspro_requests_rejected_total", Metrics::label("reason", refusal.code));
  }
  reply.send(error_response(refusal, dialect));
}

void Desk::show(const std::string& caller, const std::shared_ptr<Visible>& drawing) {
  const std::lock_guard lock(mutex_);
  for (auto& [name, drawings] : shown_) {
    std::erase_if(drawings, [](const std::weak_ptr<Visible>& each) { return each.expired(); });
  }
  std::erase_if(shown_, [](const auto& each) { return each.second.empty(); });
  shown_[caller].push_back(drawing);
}

std::vector<std::shared_ptr<Visible>> Desk::shown(const std::string& caller) {
  std::vector<std::shared_ptr<Visible>> result;
  const std::lock_guard lock(mutex_);
  const auto found = shown_.find(caller);
  if (found == shown_.end()) return result;
  for (const std::weak_ptr<Visible>& each : found->second) {
    auto drawing = each.lock();
    if (drawing && !drawing->over()) result.push_back(std::move(drawing));
  }
  return result;
}

}  // namespace janus::serve
