// Scheduler: one thread that runs the engine's batch. Tasks join it in the order in which they
// came, as soon as there are places (Setup::at_once) and memory for them beside those that run; one
// for which there would be none even alone is refused. SPDX-License-Identifier: MIT
#pragma once

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <set>
#include <thread>

#include "api/task.h"
#include "generate/plan.h"
#include "generate/running.h"

namespace janus {

class Scheduler {
 public:
  // `setup` of the model, which is loaded and must outlive this; the others as of RunningBatch.
  Scheduler(const Setup& setup, const Model& model, bool remember, int ahead);
  // Cancels its tasks and waits for those that run.
  ~Scheduler();
  Scheduler(const Scheduler&) = delete;
  Scheduler& operator=(const Scheduler&) = delete;

  // Throws Code::busy when the system gives no thread.
  void submit(std::shared_ptr<Task> task);
  // Submits and waits for the end. Throws Code::bad_input on the scheduler's own thread, that is,
  // in an event of a running request.
  void run(const std::shared_ptr<Task>& task);

  // From any thread.
  int64_t kept_bytes() const { return batch_.kept_bytes(); }  // between requests
  double cache_use() const { return batch_.cache_use(); }

 private:
  void work();
  bool wait_for_work();
  std::shared_ptr<Task> next();
  void drop_next();
  void admit();
  bool admit(const std::shared_ptr<Task>& task);
  void join(const std::shared_ptr<Task>& task, const MemoryPlan& plan);

  const Setup setup_;

  // Of the thread alone.
  RunningBatch batch_;
  int64_t limit_ = 0;  // for engine and requests, as it was when the first of those that run joined
  int64_t taken_ = 0;  // planned for those that run
  int together_ = 0;   // pictures and answers of those, at most setup.at_once

  std::mutex mutex_;  // of everything below; a task's own is taken after it
  std::condition_variable moved_;
  std::deque<std::shared_ptr<Task>> waiting_;
  std::set<std::shared_ptr<Task>> running_;
  bool stop_ = false;
  std::thread thread_;  // since the first submit()
};

}  // namespace janus
