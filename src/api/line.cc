// SPDX-License-Identifier: MIT
#include "api/line.h"

#include <system_error>
#include <utility>

#include "base/error.h"

namespace janus {

Line::Turn::Turn(Line& line) : line_(line) {
  std::unique_lock lock(line.mutex_);
  check(line.holder_ != std::this_thread::get_id(), Code::bad_input,
        "an event of a running request called the engine, which is at work on that request; use "
        "submit(), or call it later");
  const auto mine = line.places_.insert(line.places_.end(), Place{});
  line.moved_.wait(lock, [&] { return line.places_.begin() == mine; });
  line.holder_ = std::this_thread::get_id();
}

Line::Turn::~Turn() { line_.leave(); }

void Line::leave() {
  const std::lock_guard lock(mutex_);
  places_.pop_front();
  holder_ = {};
  moved_.notify_all();
}

void Line::run(Task& task) {
  const Turn turn(*this);
  task.run();
}

void Line::submit(std::shared_ptr<Task> task) {
  const std::lock_guard lock(mutex_);
  try {
    if (!worker_.joinable()) worker_ = std::thread([this] { work(); });
  } catch (const std::system_error& e) {
    fail(Code::busy, "the system gave no thread to work on submitted requests: ", e.what(),
         "; try again, or call draw() or ask()");
  }
  places_.push_back({std::move(task)});
  moved_.notify_all();
}

void Line::work() {
  for (;;) {
    std::shared_ptr<Task> task;
    {
      std::unique_lock lock(mutex_);
      moved_.wait(lock, [&] { return stop_ || (!places_.empty() && places_.front().task); });
      if (stop_) return;
      task = places_.front().task;
      holder_ = std::this_thread::get_id();
    }
    task->run();
    leave();
  }
}

Line::~Line() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
    for (const Place& place : places_) {
      if (place.task) place.task->cancel();
    }
    moved_.notify_all();
  }
  if (worker_.joinable()) worker_.join();
}

}  // namespace janus
