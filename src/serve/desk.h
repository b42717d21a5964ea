// Desk: what the routes work with. The model once it is loaded, places for requests that wait,
// counters, files that were handed out, workers and time. SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "januspro/januspro.hpp"
#include "serve/files.h"
#include "serve/log.h"
#include "serve/metrics.h"
#include "serve/options.h"
#include "serve/refusal.h"
#include "serve/served.h"

namespace janus::serve {

class Desk;
class Jobs;

// The place of one request in the line for the model, kept while it waits and is worked on.
class Ticket {
 public:
  // `rows` of the batch that it takes at most. Throws Refusal `queue_full`.
  Ticket(Desk& desk, const char* kind, int rows = 1);
  ~Ticket();
  Ticket(const Ticket&) = delete;
  Ticket& operator=(const Ticket&) = delete;
  void begun();  // the model works on it; counted once
  double waited() const { return waited_; }
  double seconds() const;  // since it was taken

 private:
  void count(const char* gauge, double change);
  void stop_waiting();

  Desk& desk_;
  const char* kind_;
  const int rows_;
  std::chrono::steady_clock::time_point taken_;
  std::atomic<bool> begun_{false};
  std::atomic<double> waited_{0};
};

// A drawing that A1111's progress and interrupt speak of.
struct Visible {
  virtual ~Visible() = default;
  virtual bool over() const = 0;  // true before its client has the answer
  virtual void interrupt() = 0;
  virtual double progress() const = 0;  // 0 to 1
  virtual int images() const = 0;
  virtual int64_t steps_done() const = 0;
  virtual int64_t steps() const = 0;
  virtual double seconds() const = 0;       // since it began
  virtual std::string picture() const = 0;  // PNG of what there is; empty: nothing yet
};

class Desk {
 public:
  using Job = std::function<void()>;
  Desk(const ServeOptions& options_, Log& log_) : options(options_), log(log_) {}

  const ServeOptions& options;
  Log& log;
  Metrics metrics;
  ResultFiles files;
  std::function<void(Job)> work = {};
  std::function<void(double, Job)> after = {};  // seconds, on the listener's thread
  std::function<std::string()> url = {};        // of this server, with a slash at its end
  std::shared_ptr<Jobs> jobs = {};              // since before anything is listened on
  std::atomic<bool> draining{false};

  // Throw Refusal `loading` until set() was called.
  Engine& engine() const;
  const Served& served() const;
  bool loaded() const { return engine_.load() != nullptr; }
  void set(Engine& engine, Served served);

  std::string new_id(const char* prefix) const;  // with 128 random bits
  int64_t now() const;                           // seconds since 1970

  // Answers with what was thrown; what is our own fault goes to the log.
  void answer_failure(const std::exception_ptr& failure, const std::string& id,
                      const std::string& param, Dialect dialect, Reply& reply);
  Refusal refusal_for(const std::exception_ptr& failure, const std::string& id,
                      const std::string& param);

  // Of what was asked for directly: rows of the batch, and seconds that the first has waited.
  int rows() const { return rows_; }
  double longest_wait() const;

  void show(const std::string& caller, const std::shared_ptr<Visible>& drawing);
  // Those that are not over.
  std::vector<std::shared_ptr<Visible>> shown(const std::string& caller);

 private:
  friend class Ticket;
  std::atomic<Engine*> engine_{nullptr};
  Served served_;
  std::atomic<int> places_{0};  // taken
  std::atomic<int> rows_{0};
  mutable std::mutex mutex_;  // of what follows
  std::multiset<std::chrono::steady_clock::time_point> waiting_;
  std::map<std::string, std::vector<std::weak_ptr<Visible>>> shown_;
};

}  // namespace janus::serve
