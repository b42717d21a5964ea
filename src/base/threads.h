// ThreadPool: the only place that makes compute threads, and parallel_for, its only word. Work is
// handed out in pieces as threads become free; since callers split by outputs alone, never along a
// sum, who computes a piece cannot change a bit of it.
//
// In every thread that computes, the caller's included, denormal numbers count as zero for as long
// as the work lasts: one denormal operand costs a hundred times a normal one.
// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <thread>
#include <vector>

namespace janus {

class ThreadPool {
 public:
  // `threads` counts the caller of parallel_for, so threads - 1 are started. Code::busy when the
  // system refuses them.
  explicit ThreadPool(int threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int threads() const { return static_cast<int>(workers_.size()) + 1; }

  // Calls fn(begin, end, worker) until [0, n) is covered, each piece `grain` items or fewer; worker
  // is below threads() and no two pieces run with the same one at a time. fn must not throw, and
  // must not call parallel_for of this pool (Code::bug). Returns when all is done; calls from
  // several threads take turns.
  template <class F>
  void parallel_for(int64_t n, int64_t grain, const F& fn) {
    run(Job{n, grain, &fn, [](const void* f, int64_t begin, int64_t end, int worker) {
              (*static_cast<const F*>(f))(begin, end, worker);
            }});
  }

 private:
  struct Job {
    int64_t n = 0;
    int64_t grain = 1;
    const void* fn = nullptr;
    void (*call)(const void* fn, int64_t begin, int64_t end, int worker) = nullptr;
  };

  void run(const Job& job);
  void take_pieces(int worker);
  void worker_loop(int worker);
  void shut_down();
  bool inside() const;
  void post();
  bool join_job();
  void leave_job();
  void close_job();

  std::vector<std::thread> workers_;
  std::mutex callers_;                     // one job at a time
  std::atomic<std::thread::id> caller_{};  // who runs the present job
  Job job_;
  std::atomic<int64_t> next_{0};      // first item not handed out
  std::atomic<uint32_t> posted_{0};   // counts jobs; a change wakes the workers
  std::atomic<uint32_t> members_{0};  // workers inside the job, and kOpen while more may join
  std::atomic<bool> stop_{false};
  std::mutex sleep_;
  std::condition_variable wake_;  // a job was posted
  std::condition_variable left_;  // the last worker left a closed job
};

}  // namespace janus
