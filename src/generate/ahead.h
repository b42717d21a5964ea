// Decoding ahead: several positions of a sequence in one pass, and the same ids as one at a time.
//
// The noise of a position is fixed before its logits are known (sampler.h), so each id is a
// function of those before it. Guesses are fed behind the id chosen last; row i of the pass then
// gives the id that follows, right if all guesses up to there were. What reproduces itself is kept,
// the first id always; what the rows behind it gave is guessed next. (Jacobi iteration: Song, Meng,
// Liao, Ermon, "Accelerating feedforward computation via parallel nonlinear equation solving",
// 2021; for pictures Teng et al., "Accelerating auto-regressive text-to-image generation with
// training-free speculative Jacobi decoding", 2024. With the noise fixed nothing is left to chance
// but the speed.)
//
// How many positions are worth a pass depends on the machine and on what is drawn: both are
// measured while it runs. W positions of a window, the first of them that of the id chosen last.
// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "januspro/requests.hpp"

namespace janus {

// The most rows with which one member looks ahead, and the most positions of one text.
inline constexpr int64_t kAheadRows = 64;
inline constexpr int64_t kMostTextWindow = 16;  // whose logits are far longer

// The widest window of sequences with `rows` rows together; 1 where there is no room for more.
int64_t widest_window(int64_t rows);

// How long a pass of so many rows takes here, by those that ran.
class PassCosts {
 public:
  void saw(int64_t rows, double seconds);
  // Between what was seen; as little as the nearest where nothing is known beyond, so that it is
  // tried. 0: nothing was seen.
  double seconds(int64_t rows) const;
  // Whether so many were seen, or half as many at least: beyond, seconds() is little but a guess.
  bool known(int64_t rows) const;

 private:
  static constexpr size_t kSteps = 21;  // of half an octave, up to 1024 rows
  static double place_of(int64_t rows);

  std::array<double, kSteps> seen_{};  // 0: not yet
};

// The window of one member's sequences.
class Window {
 public:
  // fixed: that many positions always, as far as there is room; 0: as many as pay.
  explicit Window(int fixed) : fixed_(fixed) { right_.fill(-1); }

  // For a pass that has `before` rows already and gets `rows` for each position, at most `most`,
  // and is to take `longest` seconds at most.
  int64_t choose(const PassCosts& costs, int64_t before, int64_t rows, int64_t most,
                 double longest);
  // Of one sequence: how many ids a window gave, 1 to W.
  void saw(int64_t window, int64_t gained);

  // Ids that a window gives on average, as far as is known.
  double gain(int64_t window) const;

 private:
  static constexpr int kTryEvery = 24;  // passes; then a window twice as wide is tried again

  int fixed_;
  int passes_ = 0;
  // Of position i: the share of windows that reached so far whose guesses up to there were right;
  // less than 0: not seen.
  std::array<double, kMostAhead> right_;
};

// How many ids of `given` are right: given[i] follows the guesses before i, guesses[i] was fed
// after it. given has one more than guesses.  -> 1 to W
size_t count_right(std::span<const int32_t> given, std::span<const int32_t> guesses);

// What may follow `ids`: what followed the last time that they ended as they do now, by the longest
// ending of up to three, up to an id below 0, which stands for no text; nothing where that never
// was. (Prompt lookup: Saxena, 2023.)
std::vector<int32_t> guess_text(std::span<const int32_t> ids, size_t count);

}  // namespace janus
