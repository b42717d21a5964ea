// Task: one request from its submission to its end. Who runs it tells it what happens; job handles
// look on from other threads. Which of them run when is scheduler.h.
// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "generate/plan.h"
#include "generate/running.h"
#include "januspro/job.hpp"

namespace janus {

class Task {
 public:
  // What is to be done.
  struct Work {
    std::function<MemoryPlan(const Setup& now)> plan;
    std::function<std::unique_ptr<Member>(Task&, const Shared&, const MemoryPlan&)> begin;
  };
  using Time = std::chrono::milliseconds;

  // Pictures for each of the requests, of `codes` codes each; a question; a vector.
  static std::shared_ptr<Task> drawing(const std::vector<DrawRequest>& requests, int64_t codes,
                                       Work work);
  static std::shared_ptr<Task> asking(Work work);
  static std::shared_ptr<Task> embedding(Work work);

  // --- who runs it ------------------------------------------------------------------------------

  void runs_on(std::thread::id thread);  // whose events are called
  // Before it has begun. Code::cancelled when it was cancelled.
  MemoryPlan plan(const Setup& now) const;
  // Its part in the batch; null when it was cancelled before. Then or when this throws, the work
  // and what it holds are gone.
  std::unique_ptr<Member> begin(const Shared& shared, const MemoryPlan& plan);
  // Null: all is done.
  void end(std::exception_ptr failure);
  bool wanted() const { return !cancel_.load(std::memory_order_relaxed); }
  void note(const Progress& progress);
  const Picture& note(Picture picture);  // the next in order
  void note(std::string_view piece);
  void note(AnswerToken token);
  void note(Answer answer);
  void note(Embedding embedding);

  // --- anybody ----------------------------------------------------------------------------------

  JobView view() const;
  bool wait(std::optional<Time> at_most) const;
  JobView wait_change(uint64_t seen, Time at_most) const;
  void cancel();
  void on_end(std::function<void()> told);
  std::vector<int32_t> codes(int64_t number) const;
  std::shared_ptr<const Picture> picture(int64_t number) const;
  std::string text() const;
  std::vector<AnswerToken> tokens(int64_t from) const;
  void check_ended() const;  // waits, and throws what the task failed of
  std::vector<Picture> pictures() const;
  Answer answer() const;
  Embedding embedding() const;
  // The pictures themselves, for who has the only handle.
  std::vector<Picture> take_pictures();

 private:
  enum class Kind { drawing, asking, embedding };

  Task(Kind kind, Work work);
  void check_kind(Kind wanted) const;
  int64_t number(int request, int index) const;
  void check_number(int64_t number) const;
  // Under the lock; returns whom to tell once it is released.
  [[nodiscard]] std::vector<std::function<void()>> end(JobState state, std::exception_ptr failure);

  const Kind kind_;
  std::vector<int64_t> first_;  // number of the first picture of each request
  std::atomic<bool> cancel_{false};

  mutable std::mutex mutex_;  // of everything below
  mutable std::condition_variable changed_;
  std::shared_ptr<const Work> work_;  // until it has begun
  JobView view_;
  std::thread::id runner_;  // until it is over
  std::exception_ptr failure_;
  std::map<int64_t, std::vector<int32_t>> codes_;  // of pictures under way, by number
  std::vector<std::shared_ptr<Picture>> pictures_;
  std::string text_;
  std::vector<AnswerToken> tokens_;
  Answer answer_;
  Embedding embedding_;
  std::vector<std::function<void()>> told_;
};

}  // namespace janus
