// See pace.h. SPDX-License-Identifier: MIT
#include "generate/pace.h"

#include <algorithm>

namespace janus {

void Pace::passed(int64_t rows, double began, double ended) {
  last_pass_ = piece_began_ = ended;
  worked_ = false;
  if (rows == 0) return;
  pass_ = ended - began;
  costs_.saw(rows, pass_);
}

void Pace::did_piece(double now) {
  constexpr double kKept = 0.95;  // of the longest piece, for each one after it
  piece_ = std::max(piece_ * kKept, now - piece_began_);
  piece_began_ = now;
  worked_ = true;
}

bool Pace::due(double now) const {
  return worked_ && now - last_pass_ >= std::clamp(kPause - pass_ - piece_, 0.0, kSlice);
}

int64_t Pace::prompt_rows(int64_t streaming, int64_t most) {
  if (streaming == 0) return most;
  constexpr int kTryEvery = 16;  // passes; then one that was too long is tried again
  const auto more = [](int64_t rows) { return rows + std::max<int64_t>(1, rows / 4); };
  const auto fits = [&](int64_t rows) {
    return costs_.known(streaming + rows) && costs_.seconds(streaming + rows) <= kPass;
  };
  int64_t rows = kFewest;
  while (rows < most && fits(more(rows))) rows = more(rows);
  if (++passes_ % kTryEvery == 0) rows = more(rows);
  return std::min(rows, most);
}

}  // namespace janus
