// Wall and processor time, as bench/peers/alternate.py reads them. SPDX-License-Identifier: MIT
#pragma once

#include <time.h>

#include <iostream>
#include <string>

namespace janus {

class Stopwatch {
 public:
  // One line: the work's name, seconds since this was made, and those of all threads' processors.
  void answer(const std::string& work) const {
    std::cout << work << ' ' << seconds(CLOCK_MONOTONIC) - wall_ << ' '
              << seconds(CLOCK_PROCESS_CPUTIME_ID) - processor_ << std::endl;
  }

 private:
  static double seconds(clockid_t clock) {
    timespec t{};
    clock_gettime(clock, &t);
    return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
  }

  double wall_ = seconds(CLOCK_MONOTONIC), processor_ = seconds(CLOCK_PROCESS_CPUTIME_ID);
};

}  // namespace janus
