// Line: who has the model. Callers and tasks stand in one line in the order in which they came, and
// the first has its turn. A caller works on its own thread, tasks on the line's one thread, which
// computes nothing that a caller would not. SPDX-License-Identifier: MIT
#pragma once

#include <condition_variable>
#include <list>
#include <memory>
#include <mutex>
#include <thread>

#include "api/task.h"

namespace janus {

class Line {
 public:
  Line() = default;
  // Cancels its tasks and waits for the one that runs. No caller may be in line any more.
  ~Line();
  Line(const Line&) = delete;
  Line& operator=(const Line&) = delete;

  // A caller's turn: waits for it, and has it until it goes. Code::bad_input on a thread whose turn
  // it is already, that is, in an event of a running request.
  class Turn {
   public:
    explicit Turn(Line& line);
    ~Turn();
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;

   private:
    Line& line_;
  };

  void run(Task& task);                     // here, when its turn has come
  void submit(std::shared_ptr<Task> task);  // on the line's thread. Code::busy when there is none

 private:
  struct Place {
    std::shared_ptr<Task> task;  // none: a caller's
  };
  void work();
  void leave();

  std::mutex mutex_;  // of everything below; a task's own is taken after it
  std::condition_variable moved_;
  std::list<Place> places_;
  std::thread::id holder_;  // whose turn it is
  bool stop_ = false;
  std::thread worker_;  // since the first submit()
};

}  // namespace janus
