// See shards.h.
// SPDX-License-Identifier: MIT
#include "train/shards.h"

#include <sched.h>
#include <sys/sysinfo.h>

#include <algorithm>

#include "train/torch.h"

namespace janus::train {

int usable_threads(int asked, int sharers) {
  if (asked > 0) return asked;
  cpu_set_t mine;
  CPU_ZERO(&mine);
  const int count = sched_getaffinity(0, sizeof mine, &mine) == 0 ? CPU_COUNT(&mine) : 1;
  return count < ::get_nprocs() ? count : std::max(1, count / sharers);
}

Shards::Shards(int count) {
  count = usable_threads(count);
  at::set_num_threads(1);
  for (int i = 0; i < count; ++i) threads_.emplace_back([this, i] { serve(i); });
}

Shards::~Shards() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  wake_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void Shards::run(const std::function<void(int)>& work) {
  std::unique_lock lock(mutex_);
  work_ = &work;
  running_ = count();
  failure_ = nullptr;
  ++round_;
  wake_.notify_all();
  wake_.wait(lock, [this] { return running_ == 0; });
  if (failure_) std::rethrow_exception(failure_);
}

void Shards::serve(int shard) {
  at::set_num_threads(1);  // the setting belongs to the thread
  int64_t seen = 0;
  std::unique_lock lock(mutex_);
  for (;;) {
    wake_.wait(lock, [&] { return stop_ || round_ != seen; });
    if (stop_) return;
    seen = round_;
    const std::function<void(int)>& work = *work_;
    lock.unlock();
    std::exception_ptr failure;
    try {
      work(shard);
    } catch (...) {
      failure = std::current_exception();
    }
    lock.lock();
    if (failure) failure_ = failure;
    if (--running_ == 0) wake_.notify_all();
  }
}

}  // namespace janus::train
