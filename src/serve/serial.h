// Serial: jobs of one request, on workers, one at a time and in order. SPDX-License-Identifier: MIT
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <mutex>

namespace janus::serve {

class Serial : public std::enable_shared_from_this<Serial> {
 public:
  using Job = std::function<void()>;
  explicit Serial(std::function<void(Job)> work) : work_(std::move(work)) {}

  // Jobs must not throw.
  void push(Job job) {
    {
      const std::lock_guard lock(mutex_);
      jobs_.push_back(std::move(job));
      if (busy_) return;
      busy_ = true;
    }
    go_on();
  }

  // What waits is dropped; for the end, when no worker is left to do it: a job may hold whoever
  // holds this.
  void forget() {
    std::deque<Job> dropped;
    const std::lock_guard lock(mutex_);
    jobs_.swap(dropped);
  }

 private:
  void go_on() {
    work_([self = shared_from_this()] { self->run(); });
  }

  // One a turn, so that a long list keeps no worker from other requests.
  void run() {
    Job job;
    {
      const std::lock_guard lock(mutex_);
      job = std::move(jobs_.front());
      jobs_.pop_front();
    }
    job();
    {
      const std::lock_guard lock(mutex_);
      busy_ = !jobs_.empty();
      if (!busy_) return;
    }
    go_on();
  }

  std::function<void(Job)> work_;
  std::mutex mutex_;
  std::deque<Job> jobs_;
  bool busy_ = false;
};

}  // namespace janus::serve
