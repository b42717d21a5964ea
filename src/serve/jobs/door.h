// StoreDoor: the store while it serves. What its failures mean to clients and to the log is said
// here; a database that is of no use is closed, and opened again later. From any thread.
// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <string>

#include "serve/jobs/store.h"
#include "serve/refusal.h"

namespace janus::serve {

class StoreDoor {
 public:
  // `again`: this process has had it open before.
  using Open = std::function<std::unique_ptr<Store>(bool again)>;
  StoreDoor(Open open, std::function<void(const std::string&)> note)
      : open_(std::move(open)), note_(std::move(note)) {}

  // Throws Code::busy where the database is another server's; any other failure is for the log.
  void open();
  // Every second: opens what could not be opened, at ever longer intervals up to a minute.
  void tick();

  // What `call` makes of the store. Throws Refusal `jobs_unavailable` where that does not serve.
  template <class Call>
  auto use(const Call& call) {
    const std::shared_ptr<Store> store = current();
    try {
      return call(*store);
    } catch (const StoreFailure& failure) {
      failed(failure, store);
      throw refusal(failure.reason());
    }
  }

 private:
  std::shared_ptr<Store> current();
  void failed(const StoreFailure& failure, const std::shared_ptr<Store>& store);
  void say(const std::string& text);
  void try_to_open();
  static Refusal refusal(const std::string& reason);

  const Open open_;
  const std::function<void(const std::string&)> note_;
  std::mutex mutex_;  // of what follows
  std::shared_ptr<Store> store_;
  bool opened_ = false;   // once; the opener's alone
  bool opening_ = false;  // at this moment
  std::string reason_ = "the database of jobs is not open yet";
  std::string said_;
  std::chrono::steady_clock::time_point when_ = {};
  int ticks_ = 0, interval_ = 1;
};

}  // namespace janus::serve
