// See ahead.h. SPDX-License-Identifier: MIT
#include "generate/ahead.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"

namespace janus {

int64_t widest_window(int64_t rows) {
  return rows < 1 ? 1 : std::clamp<int64_t>(kAheadRows / rows, 1, kMostAhead);
}

double PassCosts::place_of(int64_t rows) {
  return std::clamp(2 * std::log2(static_cast<double>(std::max<int64_t>(rows, 1))), 0.0,
                    static_cast<double>(kSteps - 1));
}

void PassCosts::saw(int64_t rows, double seconds) {
  double& at = seen_[static_cast<size_t>(std::lround(place_of(rows)))];
  constexpr double kNew = 0.2;
  at = at == 0 ? seconds : std::min(seconds, 4 * at) * kNew + at * (1 - kNew);
}

double PassCosts::seconds(int64_t rows) const {
  const double place = place_of(rows);
  const auto step = static_cast<size_t>(std::lround(place));
  size_t below = step, above = step;
  while (below > 0 && seen_[below] == 0) --below;
  while (above + 1 < kSteps && seen_[above] == 0) ++above;
  if (seen_[below] == 0) return seen_[above];
  if (seen_[above] == 0 || below == above) return seen_[below];
  const double share = static_cast<double>(step - below) / static_cast<double>(above - below);
  return seen_[below] + share * (seen_[above] - seen_[below]);
}

bool PassCosts::known(int64_t rows) const {
  constexpr int64_t kDouble = 2;  // steps
  const int64_t step = std::lround(place_of(rows));
  for (int64_t at = std::max<int64_t>(0, step - kDouble); at < std::ssize(seen_); ++at) {
    if (seen_[static_cast<size_t>(at)] != 0) return true;
  }
  return false;
}

double Window::gain(int64_t window) const {
  constexpr double kHope = 0.5;  // of a position that was never looked at, after one that was right
  double gain = 1, before = 1;
  for (size_t i = 1; i < static_cast<size_t>(window); ++i) {
    before = right_[i] < 0 ? before * kHope : std::min(before, right_[i]);
    gain += before;
  }
  return gain;
}

void Window::saw(int64_t window, int64_t gained) {
  constexpr double kNew = 0.05;
  for (int64_t i = 1; i < window; ++i) {
    double& share = right_[static_cast<size_t>(i)];
    const double now = gained > i ? 1 : 0;
    share = share < 0 ? now : share + kNew * (now - share);
  }
}

int64_t Window::choose(const PassCosts& costs, int64_t before, int64_t rows, int64_t most,
                       double longest) {
  if (fixed_ > 0) return std::clamp<int64_t>(fixed_, 1, most);
  constexpr double kWorth = 1.02;  // a wider window is to gain more than its figures may be off
  int64_t best = 1;
  double best_rate = 0;
  for (int64_t window = 1; window <= most; window += window < 4 ? 1 : window / 2) {
    const double seconds = costs.seconds(before + window * rows);
    if (seconds == 0) return 1;  // the first pass of all
    if (window > 1 && seconds > longest) break;
    const double rate = gain(window) / seconds;
    if (rate > best_rate * kWorth) {
      best_rate = rate;
      best = window;
    }
  }
  return ++passes_ % kTryEvery == 0 ? std::min(2 * best, most) : best;
}

size_t count_right(std::span<const int32_t> given, std::span<const int32_t> guesses) {
  check(given.size() == guesses.size() + 1, Code::bug, "count_right: ", given.size(), " ids of ",
        guesses.size(), " guesses");
  size_t right = 1;
  while (right < given.size() && given[right - 1] == guesses[right - 1]) ++right;
  return right;
}

std::vector<int32_t> guess_text(std::span<const int32_t> ids, size_t count) {
  if (count == 0) return {};
  for (size_t length = std::min<size_t>(3, ids.size()); length > 0; --length) {
    const auto ending = ids.last(length);
    for (size_t at = ids.size() - length; at-- > 0;) {
      const auto there = ids.subspan(at, length);
      if (!std::equal(there.begin(), there.end(), ending.begin())) continue;
      const auto followed = ids.subspan(at + length);
      const auto some = followed.first(std::min(count, followed.size()));
      return {some.begin(),
              std::find_if(some.begin(), some.end(), [](int32_t id) { return id < 0; })};
    }
  }
  return {};
}

}  // namespace janus
