// What a terminal shows while work goes on: one line with step, speed and time left, and above it
// the growing pictures as half blocks in 24-bit colour. Draws on stderr, only when that is a
// terminal; leaves nothing behind. SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "januspro/image.hpp"

namespace janus {

class ProgressBar {
 public:
  // Shows nothing when `quiet`, when stderr is no terminal, or for TERM=dumb.
  explicit ProgressBar(bool quiet);
  ~ProgressBar();
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;

  bool visible() const { return visible_; }
  // Time for the next picture of the screen: at most ten a second.
  bool due() const;
  // `label`, done of total, speed in `unit` a second, time left; `pictures` above, side by side as
  // far as the terminal is wide.
  void show(const std::string& label, int64_t done, int64_t total, const std::string& unit,
            std::span<const Image> pictures = {});
  // Takes everything away.
  void clear();

 private:
  using Clock = std::chrono::steady_clock;

  bool visible_ = false;
  int lines_ = 0;  // of what stands on the screen now
  std::string label_;
  Clock::time_point started_;  // of this label
  int64_t first_ = 0;          // what was done then
  Clock::time_point shown_{};
};

// Two rows of pixels a line: the upper one colours the glyph U+2580, the lower one its background.
// Pictures side by side, one column apart. Lines end with a colour reset.
std::vector<std::string> half_blocks(std::span<const Image> pictures);

// "[=====>    ] 288/576 codes, 12.3/s, 0:23 left"
std::string bar_text(const std::string& label, int64_t done, int64_t total, const std::string& unit,
                     double per_second);

}  // namespace janus
