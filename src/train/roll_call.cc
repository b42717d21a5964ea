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
  if (!left.empty()) found(rank_, left);
  if (const auto known = board_->read("missing")) {
    const std::lock_guard lock(mutex_);
    missing_ = known;
    return;
  }
  for (const auto& [rank, state] : watched_) watch(rank);
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
  const auto first = board_->read("missing");
  const std::lock_guard lock(mutex_);
  missing_ = first.value_or(text);
}

std::optional<std::string> RollCall::missing() const {
  const std::lock_guard lock(mutex_);
  return missing_;
}

std::string RollCall::who_is_missing() {
  std::unique_lock lock(mutex_);
  hurry_ = true;
  // Another may take as long before it hurries, and its word a beat or two.
  wake_.wait_for(lock, beat_ * (2 * kCutOff + 4), [this] { return missing_.has_value(); });
  return missing_.value_or("a process of " + std::to_string(size_) + " did not do its part");
}

void RollCall::leave(const std::string& reason) {
  std::unique_lock lock(mutex_);
  if (missing_) return;  // it is known already, or another was first
  left_ = "stopped: " + reason;
  // Long enough that the others read it while this process, maybe the board's keeper, is there.
  wake_.wait_for(lock, beat_ * 4, [this] { return missing_.has_value(); });
  wake_.wait_for(lock, beat_ * 3, [this] { return stop_; });
}

}  // namespace janus::train
