// SPDX-License-Identifier: MIT
#include "serve/jobs/door.h"

#include <algorithm>
#include <optional>

namespace janus::serve {

namespace {

constexpr int kLongestInterval = 60;  // seconds
constexpr auto kSilence = std::chrono::minutes(10);

}  // namespace

Refusal StoreDoor::refusal(const std::string& reason) {
  return Refusal(503, "jobs_unavailable",
                 reason + "; nothing was lost, and what is asked for directly is still answered")
      .with("Retry-After", "5");
}

// Under the lock. The same fault is said from time to time only, however often it is met.
void StoreDoor::say(const std::string& text) {
  const auto now = std::chrono::steady_clock::now();
  if (text == said_ && now - when_ < kSilence) return;
  said_ = text;
  when_ = now;
  note_(text);
}

// Without the lock while it takes: nobody waits for a database that does not answer.
void StoreDoor::try_to_open() {
  std::shared_ptr<Store> store;
  std::optional<StoreFailure> failure;
  try {
    store = open_(opened_);
  } catch (const StoreFailure& caught) {
    failure = caught;
  }
  const std::lock_guard lock(mutex_);
  if (failure) {
    reason_ = failure->reason();
    say(std::string("jobs are not served: ") + failure->what());
    return;
  }
  store_ = std::move(store);
  opened_ = true;
  interval_ = 1;
  if (!said_.empty()) say("jobs are served again");
  said_.clear();
}

void StoreDoor::open() { try_to_open(); }

void StoreDoor::tick() {
  {
    const std::lock_guard lock(mutex_);
    if (store_ || opening_ || ++ticks_ < interval_) return;
    ticks_ = 0;
    interval_ = std::min(2 * interval_, kLongestInterval);
    opening_ = true;
  }
  try {
    try_to_open();
  } catch (const Error& error) {
    const std::lock_guard lock(mutex_);
    reason_ = "the database of jobs is another server's";
    say(error.what());
  }
  const std::lock_guard lock(mutex_);
  opening_ = false;
}

std::shared_ptr<Store> StoreDoor::current() {
  const std::lock_guard lock(mutex_);
  if (!store_) throw refusal(reason_);
  return store_;
}

void StoreDoor::failed(const StoreFailure& failure, const std::shared_ptr<Store>& store) {
  const std::lock_guard lock(mutex_);
  say(std::string("jobs are not served: ") + failure.what());
  if (!failure.lasting() || store_ != store) return;
  reason_ = failure.reason();
  store_.reset();
  ticks_ = 0;
  interval_ = 1;
}

}  // namespace janus::serve
