// A request under way: given to an engine by Engine::submit(), then watched, cancelled and
// collected from any thread. Part of the public interface (januspro.hpp).
// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "januspro/export.h"
#include "januspro/requests.hpp"

namespace janus {

struct CDoor;
class Task;

enum class JobState { waiting, running, done, failed, cancelled };

// What has become of a job, all of one moment.
struct JobView {
  JobState state = JobState::waiting;
  uint64_t change = 0;  // rises with every change of what stands below, and of codes() and text()
  Progress::Phase phase = Progress::Phase::prompt;
  int64_t codes = 0;  // chosen so far, of all pictures
  int64_t codes_total = 0;
  int64_t pictures = 0;  // finished so far
  int64_t pictures_total = 0;
  int64_t text_bytes = 0;  // of an answer so far

  bool over() const { return state != JobState::waiting && state != JobState::running; }
};

// A handle: copies are of the same job. The job goes on when the last of them is gone, and a job
// outlives its engine, which cancels what is not over before it goes.
class JANUSPRO_API Job {
 public:
  JobView view() const;

  // Waits for the end of the job, or until the time has passed; tells whether it is over. Not from
  // an event of the same job: that is Code::bad_input.
  void wait() const;
  bool wait(std::chrono::milliseconds at_most) const;
  // Waits until something is newer than `seen` (of an earlier view), the job is over, or the time
  // has passed.
  JobView wait_change(uint64_t seen, std::chrono::milliseconds at_most) const;

  // Calls `told` once when the job is over, on the thread that ends it; at once, here, when it is
  // over already. It must not throw, and may do what an event may.
  void on_end(std::function<void()> told) const;

  // A job that waits is over at once, one that runs after the present step of the model, with
  // Code::cancelled; one that is over stays as it is.
  void cancel() const;

  // --- while it runs and afterwards, whatever its end -------------------------------------------
  // Pictures of a job are numbered in the order of requests, then images, from 0.

  std::vector<int32_t> codes(int64_t picture) const;              // so far, row by row from the top
  std::shared_ptr<const Picture> picture(int64_t picture) const;  // none unless it is finished
  std::string text() const;                                       // of an answer so far
  // Of an answer so far, the first `from` left out. In on_text: up to those that its piece is of.
  std::vector<AnswerToken> tokens(int64_t from) const;

  // --- its end ----------------------------------------------------------------------------------
  // Each waits for it and throws what the job failed of. Code::bad_input when it is of another
  // kind.

  void check() const;  // of any kind
  std::vector<Picture> pictures() const;
  Answer answer() const;
  Embedding embedding() const;

 private:
  friend class Engine;
  friend struct CDoor;  // januspro.h
  explicit Job(std::shared_ptr<Task> task);
  std::shared_ptr<Task> task_;
};

}  // namespace janus
