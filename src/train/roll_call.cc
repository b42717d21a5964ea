// See roll_call.h. SPDX-License-Identifier: MIT
#include "train/roll_call.h"

#include <exception>

namespace janus::train {
namespace {

std::string key(const char* what, int rank) {
  return std::string(what) + "/" + std::to_string(rank);
}

}  // namespace

RollCall::RollCall(std::unique_ptr<Board> board, int rank, int size, const std::string& name,
                   std::chrono::milliseconds beat)
    : board_(std::move(board)), rank_(rank), size_(size), beat_(beat) {
  board_->write(key("name", rank), name);
  if (rank == 0) {
    for (int other = 1; other < size; ++other) watched_[other] = {};
  } else {
    watched_[0] = {};
  }
  thread_ = std::thread([this] { serve(); });
}

RollCall::~RollCall() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

void RollCall::serve() {
  std::unique_lock lock(mutex_);
  while (!stop_) {
    lock.unlock();
    try {
      once();
      unreachable_ = 0;
    } catch (const std::exception&) {
      ++unreachable_;
    }
    lock.lock();
    ++served_;
    if (!missing_ && unreachable_ >= patience()) {
      missing_ = "process 0 of " + std::to_string(size_) +
                 ", or the launcher's agent beside it, is no longer reached";
    }
    wake_.notify_all();
    wake_.wait_for(lock, beat_, [this] { return stop_; });
  }
}

void RollCall::once() {
  board_->add(key("beats", rank_), 1);
  std::string left;
  {
    const std::lock_guard lock(mutex_);
    std::swap(left, left_);
  }
  leaving_ = leaving_ || !left.empty();
  if (!left.empty()) found(rank_, left);
  if (const auto known = board_->read("missing")) return hear(*known);
  spread_hurry();
  for (const auto& [rank, state] : watched_) watch(rank);
}

// Who is cut off says so: it may be long before others come to where they would be.
void RollCall::spread_hurry() {
  bool hurry = false;
  {
    const std::lock_guard lock(mutex_);
    hurry = hurry_;
  }
  const int64_t cut_off = board_->add("cut off", hurry && !hurry_told_ ? 1 : 0);
  hurry_told_ = hurry;
  const std::lock_guard lock(mutex_);
  hurry_ = hurry_ || cut_off > 0;
}

void RollCall::hurry() {
  const std::lock_guard lock(mutex_);
  hurry_ = true;
}

// Each but the one that is missing says once that it has heard.
void RollCall::hear(const std::string& missing) {
  const bool first_time = !leaving_ && !this->missing().has_value();
  const int64_t told = board_->add("told", first_time ? 1 : 0);
  const std::lock_guard lock(mutex_);
  missing_ = missing;
  all_know_ = told >= size_ - 1;
}

void RollCall::wait_until_told(std::unique_lock<std::mutex>& lock) {
  if (rank_ == 0) wait_beats(lock, 2 * kCutOff, [this] { return all_know_; });
}

void RollCall::wait_beats(std::unique_lock<std::mutex>& lock, int beats,
                          const std::function<bool()>& ready) {
  const int64_t end = served_ + beats;
  wake_.wait(lock, [&] { return ready() || served_ >= end; });
}

void RollCall::watch(int rank) {
  Watched& state = watched_[rank];
  const int64_t beats = board_->add(key("beats", rank), 0);
  state.silent = beats == state.beats ? state.silent + 1 : 0;
  state.beats = beats;
  int patience = 0;
  {
    const std::lock_guard lock(mutex_);
    patience = this->patience();
  }
  if (state.silent >= patience) found(rank, "has died, or does nothing any more");
}

// The first word stays: what follows is mostly its consequence.
void RollCall::found(int rank, const std::string& what) {
  std::string text = "process " + std::to_string(rank) + " of " + std::to_string(size_);
  if (const auto name = board_->read(key("name", rank))) text += " (" + *name + ")";
  text += " " + what;
  if (board_->add("missings", 1) == 1) board_->write("missing", text);
  if (const auto first = board_->read("missing")) hear(*first);
}

std::optional<std::string> RollCall::missing() const {
  const std::lock_guard lock(mutex_);
  return missing_;
}

std::string RollCall::who_is_missing() {
  hurry();
  std::unique_lock lock(mutex_);
  wait_beats(lock, kSilent, [this] { return missing_.has_value(); });
  wait_until_told(lock);
  return missing_.value_or("a process of " + std::to_string(size_) + " did not do its part");
}

void RollCall::leave(const std::string& reason) {
  std::unique_lock lock(mutex_);
  if (missing_) return;  // another was first
  left_ = "stopped: " + reason;
  wait_beats(lock, kCutOff, [this] { return missing_.has_value(); });
  wait_until_told(lock);
}

}  // namespace janus::train
