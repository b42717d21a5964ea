// SPDX-License-Identifier: MIT
#include "api/scheduler.h"

#include <algorithm>
#include <system_error>
#include <utility>

#include "base/error.h"

namespace janus {

namespace {

// As many as memory allows, and one sequence of the whole context in any case: addresses only, a
// block takes memory when it is used.
int64_t blocks_of(const Setup& setup) {
  const LlamaConfig& llama = setup.config.llama;
  const int64_t each = KvCache::blocks_for(llama.context);
  const int64_t block = KvCache::bytes(*setup.backend, llama, setup.cache, 1);
  const MemoryPlan plan = plan_loading(setup);
  const int64_t left = std::max<int64_t>(0, plan.limit - plan.engine());
  constexpr int64_t kMostWhole = 64;  // sequences of the whole context
  return std::clamp(left / block, each, kMostWhole * each);
}

}  // namespace

Scheduler::Scheduler(const Setup& setup, const Model& model, bool remember, int ahead)
    : setup_(setup), batch_(model, setup.cache, blocks_of(setup), remember, ahead) {}

Scheduler::~Scheduler() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
    for (const auto& task : waiting_) task->cancel();
    for (const auto& task : running_) task->cancel();
    moved_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
}

void Scheduler::submit(std::shared_ptr<Task> task) {
  const std::lock_guard lock(mutex_);
  try {
    if (!thread_.joinable()) thread_ = std::thread([this] { work(); });
  } catch (const std::system_error& e) {
    fail(Code::busy, "the system gave no thread to run requests: ", e.what(), "; try again");
  }
  task->runs_on(thread_.get_id());
  waiting_.push_back(std::move(task));
  moved_.notify_all();
}

void Scheduler::run(const std::shared_ptr<Task>& task) {
  {
    const std::lock_guard lock(mutex_);
    check(thread_.get_id() != std::this_thread::get_id(), Code::bad_input,
          "an event of a running request called the engine, which is at work on that request; use "
          "submit(), or call it later");
  }
  submit(task);
  task->wait(std::nullopt);
}

// False when it is time to end.
bool Scheduler::wait_for_work() {
  if (!batch_.empty()) return true;
  batch_.give_back();
  std::unique_lock lock(mutex_);
  moved_.wait(lock, [&] { return stop_ || !waiting_.empty(); });
  return !stop_ || !waiting_.empty();
}

void Scheduler::work() {
  while (wait_for_work()) {
    admit();
    if (!batch_.empty()) batch_.advance();
  }
}

std::shared_ptr<Task> Scheduler::next() {
  const std::lock_guard lock(mutex_);
  return waiting_.empty() ? nullptr : waiting_.front();
}

void Scheduler::drop_next() {
  const std::lock_guard lock(mutex_);
  waiting_.pop_front();
}

void Scheduler::admit() {
  while (const std::shared_ptr<Task> task = next()) {
    try {
      if (!task->view().over() && !admit(task)) return;
    } catch (...) {
      task->end(std::current_exception());
    }
    drop_next();
  }
}

// False: it has to wait until others have left.
bool Scheduler::admit(const std::shared_ptr<Task>& task) {
  Setup now = setup_;
  now.kept = batch_.kept_bytes();
  if (batch_.empty()) {
    taken_ = 0;
    limit_ = plan_loading(now).limit;
  }
  now.limit = limit_;
  check_fits(task->plan(now));
  now.limit = limit_ - taken_;
  now.at_once = setup_.at_once - together_;
  if (now.at_once == 0) return false;
  const MemoryPlan plan = task->plan(now);
  if (!plan.fits()) return false;
  join(task, plan);
  return true;
}

void Scheduler::join(const std::shared_ptr<Task>& task, const MemoryPlan& plan) {
  if (plan.kept == 0) batch_.forget();
  std::unique_ptr<Member> member = task->begin(batch_.shared(), plan);
  if (!member) return;
  const int64_t taken = plan.request();
  const int places = std::max(1, plan.pictures_at_once);  // an answer has none
  {
    const std::lock_guard lock(mutex_);
    running_.insert(task);
    if (stop_) task->cancel();
  }
  taken_ += taken;
  together_ += places;
  const auto on_end = [this, task, taken, places](std::exception_ptr failure) {
    taken_ -= taken;
    together_ -= places;
    {
      const std::lock_guard lock(mutex_);
      running_.erase(task);
    }
    task->end(std::move(failure));
  };
  batch_.join(std::move(member), on_end, plan.cache);
}

}  // namespace janus
