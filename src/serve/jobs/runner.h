// Runner: takes items of the store to the engine, beside what is asked for directly, and brings
// their results back. SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "serve/desk.h"
#include "serve/jobs/calls.h"
#include "serve/jobs/door.h"
#include "serve/serial.h"

namespace janus::serve {

// Rows of the batch that jobs may take while `direct` are what is asked for directly: a quarter of
// all that run, and `most` when nothing else does. `most` is the engine's places: drawings with
// guidance have two rows each, so that half of the places are left for who asks directly.
int rows_for_jobs(int direct, int most);

class Runner : public std::enable_shared_from_this<Runner> {
 public:
  // `changed` is told of a job whose state is another one now.
  Runner(Desk& desk, StoreDoor& door, std::function<void(const std::string& job)> changed);
  ~Runner();

  void wake();  // something may wait
  void tick();  // every second
  void cancel(const std::string& job);
  void check(const std::string& job);  // another server has changed it
  // Takes nothing more, and gives back what it holds: soon, from wherever; and at once, when no
  // worker is left.
  void drain();
  void close();
  // The parts that are done of a job's items that run here, added up.
  double under_way(const std::string& job) const;

 private:
  struct Item;
  struct Unsaved {
    Lease lease;
    std::optional<ResultFile> file;
    std::string error;  // where there is no file
  };

  // On the serial, one at a time.
  void fill();
  bool has_room() const;
  void begin(const Lease& lease);
  void submit(const std::shared_ptr<Item>& item);
  void ended(const std::shared_ptr<Item>& item);
  void save(Unsaved result);
  void save_again();
  void renew(const std::function<bool(const Lease&)>& which);
  void make_room();
  void let_go();
  void give_back(const Lease& lease);
  void fail(const Lease& lease, const std::exception_ptr& failure);

  bool step(Item& item, int64_t done, int64_t rows);
  ResultFile file_of(const Item& item) const;
  std::vector<std::shared_ptr<Item>> take(const std::function<bool(const Item&)>& which);
  bool is_idle() const;
  int rows() const;  // under the lock

  Desk& desk_;
  StoreDoor& door_;
  const std::function<void(const std::string&)> changed_;
  std::shared_ptr<Serial> serial_;
  std::atomic<bool> stopped_{false};
  int ticks_ = 0;              // on the serial alone, as what follows
  std::optional<Lease> held_;  // to be tried alone, when the others are done
  std::list<Unsaved> unsaved_;
  mutable std::mutex mutex_;                  // of what follows
  std::vector<std::shared_ptr<Item>> items_;  // the oldest first
};

}  // namespace janus::serve
