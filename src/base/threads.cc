// SPDX-License-Identifier: MIT
#include "base/threads.h"

#include <algorithm>
#include <system_error>

#include "base/cpu.h"
#include "base/error.h"

namespace janus {
namespace {

constexpr uint32_t kOpen = 1u << 31;

// About 30 µs: longer than the gap between two operations of one step, far shorter than the gap
// between two requests. Waking a sleeping thread was measured at 60 to 220 µs.
constexpr int kSpins = 1000;

template <class Ready>
bool spin_until(const Ready& ready) {
  for (int i = 0; i < kSpins; ++i) {
    if (ready()) return true;
    spin_pause();
  }
  return false;
}

}  // namespace

ThreadPool::ThreadPool(int threads) {
  check(threads >= 1, Code::bug, "thread pool of ", threads);
  workers_.reserve(static_cast<size_t>(threads - 1));
  try {
    for (int i = 1; i < threads; ++i) workers_.emplace_back([this, i] { worker_loop(i); });
  } catch (const std::system_error& e) {
    const size_t started = workers_.size() + 1;
    shut_down();
    fail(Code::busy, "the system gave ", started, " of ", threads, " threads: ", e.what(),
         "; ask for fewer");
  }
}

ThreadPool::~ThreadPool() { shut_down(); }

void ThreadPool::shut_down() {
  stop_.store(true, std::memory_order_release);
  post();
  for (std::thread& worker : workers_) worker.join();
}

// Taking the mutex between the change and the call keeps a thread from falling asleep in between.
void ThreadPool::post() {
  posted_.fetch_add(1, std::memory_order_release);
  { const std::lock_guard lock(sleep_); }
  wake_.notify_all();
}

bool ThreadPool::inside() const {
  const std::thread::id me = std::this_thread::get_id();
  if (caller_.load(std::memory_order_relaxed) == me) return true;
  return std::any_of(workers_.begin(), workers_.end(),
                     [me](const std::thread& worker) { return worker.get_id() == me; });
}

void ThreadPool::run(const Job& job) {
  check(job.grain >= 1, Code::bug, "parallel_for: grain ", job.grain);
  check(!inside(), Code::bug, "parallel_for called from inside its own work");
  const std::lock_guard lock(callers_);
  const Denormals denormals(Denormals::Are::zero);
  caller_.store(std::this_thread::get_id(), std::memory_order_relaxed);
  job_ = job;
  next_.store(0, std::memory_order_relaxed);
  const bool share = !workers_.empty() && job.n > job.grain;
  if (share) {
    members_.store(kOpen, std::memory_order_release);
    post();
  }
  take_pieces(0);
  if (share) close_job();
  caller_.store({}, std::memory_order_relaxed);
}

void ThreadPool::take_pieces(int worker) {
  const Job& job = job_;
  for (;;) {
    const int64_t begin = next_.fetch_add(job.grain, std::memory_order_relaxed);
    if (begin >= job.n) return;
    job.call(job.fn, begin, std::min(begin + job.grain, job.n), worker);
  }
}

bool ThreadPool::join_job() {
  uint32_t members = members_.load(std::memory_order_acquire);
  while (members & kOpen) {
    if (members_.compare_exchange_weak(members, members + 1, std::memory_order_acq_rel)) {
      return true;
    }
  }
  return false;
}

// The last to leave a closed job wakes the caller; of an open one nobody waits for the end.
void ThreadPool::leave_job() {
  if (members_.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  { const std::lock_guard lock(sleep_); }
  left_.notify_one();
}

// Waits for the workers inside. One still asleep is not waited for: it finds the job closed.
void ThreadPool::close_job() {
  members_.fetch_and(~kOpen, std::memory_order_acq_rel);
  const auto empty = [this] { return members_.load(std::memory_order_acquire) == 0; };
  if (spin_until(empty)) return;
  std::unique_lock lock(sleep_);
  left_.wait(lock, empty);
}

void ThreadPool::worker_loop(int worker) {
  const Denormals denormals(Denormals::Are::zero);
  uint32_t seen = 0;
  for (;;) {
    const auto called = [&] { return posted_.load(std::memory_order_acquire) != seen; };
    if (!spin_until(called)) {
      std::unique_lock lock(sleep_);
      wake_.wait(lock, called);
    }
    seen = posted_.load(std::memory_order_acquire);
    if (stop_.load(std::memory_order_acquire)) return;
    if (join_job()) {
      take_pieces(worker);
      leave_job();
    }
  }
}

}  // namespace janus
