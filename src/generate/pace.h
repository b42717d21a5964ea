// Pace: how a running batch divides the time of its one thread, so that nobody who streams waits
// long for the next token. Long work (the vision tower, the codec, a prompt) is done in pieces, and
// what a piece and a pass take differs from machine to machine and from hour to hour: both are
// measured while it runs. It has no clock of its own; moments and spans are in seconds.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>

#include "generate/ahead.h"

namespace janus {

class Pace {
 public:
  // What a stream is to wait between two tokens; machines that are disturbed take half as long
  // again, and clients are promised a quarter second.
  static constexpr double kPause = 0.16;
  // Of it a pass that many share, and of slow work what is done between two passes.
  static constexpr double kPass = 0.12;
  static constexpr double kSlice = 0.06;
  // Rows of prompts that go beside those of streams however slow the machine is.
  static constexpr int64_t kFewest = 4;

  // How many are in the batch: one alone holds nobody up.
  void set_members(size_t members) { members_ = members; }
  bool crowded() const { return members_ > 1; }
  // Seconds that a pass may take with what looks ahead: as long as it pays where nobody else waits.
  double longest_pass() const {
    return crowded() ? kPass : std::numeric_limits<double>::infinity();
  }

  // A pass of so many rows has run. Of no rows: nobody waits.
  void passed(int64_t rows, double began, double ended);

  // Slow work begins, or goes on after others had their turn; one piece of it is done. Whether a
  // pass is to come before the next piece: never two in a row, so that slow work gets on.
  void begin_slow(double now) { piece_began_ = now; }
  void did_piece(double now);
  bool due(double now) const;

  // Rows of prompts, at most `most`, for a pass that has `streaming` rows of others.
  int64_t prompt_rows(int64_t streaming, int64_t most);

  const PassCosts& costs() const { return costs_; }

 private:
  PassCosts costs_;
  size_t members_ = 0;
  double last_pass_ = 0;  // when it ended
  double pass_ = 0;       // what it took
  double piece_began_ = 0;
  double piece_ = 0;     // the longest one of late
  bool worked_ = false;  // a piece since that pass
  int passes_ = 0;       // with prompts beside streams
};

}  // namespace janus
