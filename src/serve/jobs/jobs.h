// Jobs: what the routes of /v1/jobs work with. The store, the runner, and clients that wait for a
// job to change. SPDX-License-Identifier: MIT
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "serve/jobs/runner.h"

namespace janus::serve {

class Jobs : public std::enable_shared_from_this<Jobs> {
 public:
  Jobs(Desk& desk, StoreDoor::Open open);

  // Opens the database and begins to count time. Throws Code::busy where another server has it.
  void open();
  void begin();  // the model is there
  // As Runner has it; who waits is answered.
  void drain();
  void close();

  StoreDoor& store() { return door_; }
  void accepted();  // a new one
  // Queued or running: it stops. At its end: it goes. Throws `job_not_found`.
  enum class Deleted { cancelled, removed };
  Deleted remove(const std::string& owner, const std::string& id);
  // As it is now. Throws `job_not_found`.
  KeptJob find(const std::string& owner, const std::string& id);
  OrderedJson json(const KeptJob& job) const;
  // Answers with the job when it is another than `seen`, at the latest after `seconds`.
  void wait(const std::string& owner, const KeptJob& seen, double seconds,
            std::shared_ptr<Reply> reply);
  void count();  // gauges of metrics

 private:
  struct Waiter;
  void tick();
  void look_elsewhere();
  void changed(const std::string& job);
  void look(const std::shared_ptr<Waiter>& waiter, bool at_last);
  void forget(const std::shared_ptr<Waiter>& waiter);

  Desk& desk_;
  StoreDoor door_;
  std::shared_ptr<Runner> runner_;
  std::mutex mutex_;                                             // of what follows
  std::multimap<std::string, std::shared_ptr<Waiter>> waiters_;  // by job
};

}  // namespace janus::serve
