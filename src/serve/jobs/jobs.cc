// SPDX-License-Identifier: MIT
#include "serve/jobs/jobs.h"

#include "serve/routes.h"

namespace janus::serve {

namespace {

// Differs when a client would see another state of the job or of one of its items.
std::string state_of(const KeptJob& job) {
  std::string state = job.status + " ";
  for (const KeptItem& item : job.items) state += item.status == "leased" ? 'w' : item.status[0];
  return state;
}

}  // namespace

struct Jobs::Waiter {
  Waiter(std::string owner_, std::string id_, std::string seen_, std::shared_ptr<Reply> reply_)
      : owner(std::move(owner_)),
        id(std::move(id_)),
        seen(std::move(seen_)),
        reply(std::move(reply_)) {}

  const std::string owner, id, seen;
  const std::shared_ptr<Reply> reply;
  std::atomic<bool> answered{false};
};

Jobs::Jobs(Desk& desk, StoreDoor::Open open)
    : desk_(desk),
      door_(std::move(open), [&desk](const std::string& text) { desk.log.note(text); }) {}

void Jobs::open() {
  runner_ = std::make_shared<Runner>(desk_, door_, [weak = weak_from_this()](const auto& job) {
    if (const auto self = weak.lock()) self->changed(job);
  });
  door_.open();
  tick();
}

void Jobs::tick() {
  desk_.after(1, [weak = weak_from_this()] {
    const auto self = weak.lock();
    if (!self || self->desk_.draining) return;
    self->desk_.work([self] {
      self->door_.tick();
      self->look_elsewhere();
    });
    self->runner_->tick();
    self->tick();
  });
}

// What other servers on the same database have done: clients wait for it here too, and what was
// cancelled there stops.
void Jobs::look_elsewhere() {
  std::vector<std::string> jobs;
  try {
    jobs = door_.use([](Store& store) { return store.changed_elsewhere(); });
  } catch (const Refusal&) {
    return;  // what runs here is looked at when its lease is renewed
  }
  for (const std::string& job : jobs) {
    changed(job);
    runner_->check(job);
  }
}

void Jobs::begin() { runner_->wake(); }
void Jobs::accepted() { runner_->wake(); }

void Jobs::drain() {
  runner_->drain();
  std::vector<std::shared_ptr<Waiter>> waiters;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [job, waiter] : waiters_) waiters.push_back(waiter);
  }
  for (const auto& waiter : waiters) {
    desk_.work([self = shared_from_this(), waiter] { self->look(waiter, true); });
  }
}

void Jobs::close() { runner_->close(); }

KeptJob Jobs::find(const std::string& owner, const std::string& id) {
  auto job = door_.use([&](Store& store) { return store.find(owner, id); });
  if (job) return std::move(*job);
  throw Refusal(404, "job_not_found",
                "there is no such job of yours; jobs that are over are kept for a while only");
}

OrderedJson Jobs::json(const KeptJob& job) const {
  return job_json(job, runner_->under_way(job.id));
}

Jobs::Deleted Jobs::remove(const std::string& owner, const std::string& id) {
  if (door_.use([&](Store& store) { return store.cancel(owner, id); })) {
    desk_.metrics.add("januspro_requests_cancelled_total", Metrics::label("kind", "job"));
    runner_->cancel(id);
    changed(id);
    return Deleted::cancelled;
  }
  if (!door_.use([&](Store& store) { return store.remove(owner, id); })) find(owner, id);
  changed(id);
  return Deleted::removed;
}

void Jobs::count() {
  JobCounts counts;
  try {
    counts = door_.use([](Store& store) { return store.counts(); });
  } catch (const Refusal&) {
    return;  // the gauges stay as they were
  }
  for (const auto& [status, number] : counts.jobs) {
    desk_.metrics.set("januspro_jobs", Metrics::label("status", status),
                      static_cast<double>(number));
  }
  desk_.metrics.set("januspro_requests_waiting", Metrics::label("kind", "job"),
                    static_cast<double>(counts.waiting));
}

// --- who waits -----------------------------------------------------------------------------------

void Jobs::wait(const std::string& owner, const KeptJob& seen, double seconds,
                std::shared_ptr<Reply> reply) {
  const auto waiter = std::make_shared<Waiter>(owner, seen.id, state_of(seen), reply);
  {
    const std::lock_guard lock(mutex_);
    waiters_.emplace(seen.id, waiter);
  }
  const auto weak = weak_from_this();
  reply->on_gone([weak, waiter] {
    waiter->answered = true;
    if (const auto self = weak.lock()) self->forget(waiter);
  });
  desk_.after(seconds, [weak, waiter] {
    const auto self = weak.lock();
    if (self && !waiter->answered) {
      self->desk_.work([self, waiter] { self->look(waiter, true); });
    }
  });
  look(waiter, desk_.draining);  // it may have changed before it was listed
}

void Jobs::forget(const std::shared_ptr<Waiter>& waiter) {
  const std::lock_guard lock(mutex_);
  std::erase_if(waiters_, [&](const auto& each) { return each.second == waiter; });
}

void Jobs::changed(const std::string& job) {
  const std::lock_guard lock(mutex_);
  const auto [begin, end] = waiters_.equal_range(job);
  for (auto each = begin; each != end; ++each) {
    desk_.work([self = shared_from_this(), waiter = each->second] { self->look(waiter, false); });
  }
}

void Jobs::look(const std::shared_ptr<Waiter>& waiter, bool at_last) {
  try {
    const KeptJob job = find(waiter->owner, waiter->id);
    if (!at_last && state_of(job) == waiter->seen) return;
    if (!waiter->answered.exchange(true)) send_json(*waiter->reply, json(job));
  } catch (...) {
    if (!waiter->answered.exchange(true)) {
      desk_.answer_failure(std::current_exception(), waiter->id, "", Dialect::openai,
                           *waiter->reply);
    }
  }
  forget(waiter);
}

}  // namespace janus::serve
