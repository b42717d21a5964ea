// See k_quant.h. Where a block keeps what is ggml's (ggml-common.h, block_q4_K and block_q6_K); how
// scales are found is ours. SPDX-License-Identifier: MIT
#include "base/k_quant.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#include "base/dtype.h"
#include "base/half.h"

namespace janus {
namespace {

constexpr int kBlock = 256;
static_assert(kBlock == traits(Dtype::q4_k).block && kBlock == traits(Dtype::q6_k).block);

float f16_at(const std::byte* from) {
  uint16_t stored;
  std::memcpy(&stored, from, sizeof stored);
  return f16_to_f32(stored);
}

// Stores a scale and returns what was stored: not less, where there is more, so that the run with
// the largest needs no factor beyond the last.
float put_scale(float value, std::byte* to) {
  uint16_t stored = f32_to_f16(value);
  const bool less = std::abs(f16_to_f32(stored)) < std::abs(value);
  if (less && (stored & 0x7fffu) < 0x7bffu) ++stored;
  std::memcpy(to, &stored, sizeof stored);
  return f16_to_f32(stored);
}

// The nearest whole number, as an f32; of what is no number `low`.
float whole_in(float x, float low, float high) {
  constexpr float kRound = 12582912.0f;  // 1.5·2²³: what is added to it becomes whole
  const float within = x > low ? (x < high ? x : high) : low;
  return (within + kRound) - kRound;
}

// Factors that are finite whatever the numbers were.
float reciprocal(float x) {
  const float r = 1.0f / x;
  return std::isfinite(r) ? r : 0.0f;
}

// Sums in parts, so that they do not wait for each other; always in this order.
constexpr size_t kApart = 4;
using Parts = std::array<float, kApart>;
double all_of(const Parts& p) { return double{p[0]} + double{p[1]} + double{p[2]} + double{p[3]}; }

// By their bits, so that one that is not a number is the largest of all.
float largest_size(const float* x) {
  uint32_t largest = 0;
  for (size_t i = 0; i < kBlock; ++i) {
    largest = std::max(largest, std::bit_cast<uint32_t>(x[i]) & 0x7fffffffu);
  }
  return std::bit_cast<float>(largest);
}

// --- q4_k --------------------------------------------------------------------------------------

constexpr int kRun4 = 32, kRuns4 = kBlock / kRun4;
constexpr float kMost4 = 15, kMostFactor = 63;

// A run as step · code - below, and the sum of squares that this loses.
struct Line {
  float step = 0, below = 0;
  double lost = std::numeric_limits<double>::infinity();
};

using Codes4 = std::array<float, kRun4>;

Codes4 codes_on(const float* x, float step, float below) {
  const float inverse = reciprocal(step);
  Codes4 codes;
  for (size_t k = 0; k < kRun4; ++k) codes[k] = whole_in((x[k] + below) * inverse, 0, kMost4);
  return codes;
}

double lost_with(const float* x, const Codes4& codes, float step, float below) {
  Parts lost = {};
  for (size_t k = 0; k < kRun4; k += kApart) {
    for (size_t j = 0; j < kApart; ++j) {
      const float off = x[k + j] - (step * codes[k + j] - below);
      lost[j] += off * off;
    }
  }
  return all_of(lost);
}

double lost_on(const float* x, float step, float below) {
  return lost_with(x, codes_on(x, step, below), step, below);
}

// Sums over numbers and codes, of which the best line through them follows.
struct Sums4 {
  double x, c, xc, cc;
};

Sums4 sums_of(const float* x, const Codes4& codes) {
  Parts sx = {}, sc = {}, sxc = {}, scc = {};
  for (size_t k = 0; k < kRun4; k += kApart) {
    for (size_t j = 0; j < kApart; ++j) {
      const float number = x[k + j], code = codes[k + j];
      sx[j] += number;
      sc[j] += code;
      sxc[j] += number * code;
      scc[j] += code * code;
    }
  }
  return {all_of(sx), all_of(sc), all_of(sxc), all_of(scc)};
}

// The line of least squares for these codes, with neither part below 0.
Line through(const float* x, const Codes4& codes) {
  const Sums4 s = sums_of(x, codes);
  const double spread = kRun4 * s.cc - s.c * s.c;
  double step = spread > 0 ? std::max((kRun4 * s.xc - s.x * s.c) / spread, 0.0) : 0;
  double below = (step * s.c - s.x) / kRun4;
  if (!(below > 0)) {
    below = 0;
    step = s.cc > 0 ? std::max(s.xc / s.cc, 0.0) : 0;
  }
  Line line{static_cast<float>(step), static_cast<float>(below)};
  line.lost = lost_with(x, codes, line.step, line.below);
  return line;
}

// Steps from wide ones, which leave end codes out, to narrow ones, which cut the ends off; then the
// best is improved by turns of codes and line.
Line find_line(const float* x) {
  constexpr int kSteps = 14, kTurns = 2;
  const auto [least, most] = std::minmax_element(x, x + kRun4);
  const float below = std::max(-*least, 0.0f), range = *most + below;
  Line best{0, below, lost_on(x, 0, below)};
  if (!(range > 0)) return best;
  for (int i = 0; i < kSteps; ++i) {
    const float parts = kMost4 - 1.2f + 0.25f * static_cast<float>(i);
    const Line line = through(x, codes_on(x, range / parts, below));
    if (line.lost < best.lost) best = line;
  }
  for (int i = 0; i < kTurns; ++i) {
    const Line line = through(x, codes_on(x, best.step, best.below));
    if (line.lost < best.lost) best = line;
  }
  return best;
}

// The 6-bit numbers of a block.
struct Factors4 {
  std::array<int, kRuns4> steps, leasts;
};

// Of the whole numbers around what is wanted those that lose the least.
void find_factors(const float* x, const Line& line, float scale, float least, int& step, int& low) {
  const float s = whole_in(line.step * reciprocal(scale), 0, kMostFactor);
  const float l = whole_in(line.below * reciprocal(least), 0, kMostFactor);
  double lost = std::numeric_limits<double>::infinity();
  for (const float ds : {0.0f, -1.0f, 1.0f}) {
    for (const float dl : {0.0f, -1.0f, 1.0f}) {
      const float a = std::clamp(s + ds, 0.0f, kMostFactor);
      const float b = std::clamp(l + dl, 0.0f, kMostFactor);
      const double here = lost_on(x, scale * a, least * b);
      if (!(here < lost) && !(ds == 0 && dl == 0)) continue;
      lost = here;
      step = static_cast<int>(a);
      low = static_cast<int>(b);
    }
  }
}

void put_factors(const Factors4& f, std::byte* to) {
  for (size_t i = 0; i < 4; ++i) {
    to[i] = static_cast<std::byte>(f.steps[i] | f.steps[i + 4] >> 4 << 6);
    to[i + 4] = static_cast<std::byte>(f.leasts[i] | f.leasts[i + 4] >> 4 << 6);
    to[i + 8] = static_cast<std::byte>((f.steps[i + 4] & 15) | (f.leasts[i + 4] & 15) << 4);
  }
}

void encode_block4(const float* x, std::byte* to) {
  std::array<Line, kRuns4> lines;
  float most_step = 0, most_below = 0;
  for (size_t run = 0; run < kRuns4; ++run) {
    lines[run] = find_line(x + run * kRun4);
    most_step = std::max(most_step, lines[run].step);
    most_below = std::max(most_below, lines[run].below);
  }
  if (!(largest_size(x) < kLimitQ4K)) most_step = std::numeric_limits<float>::infinity();
  const float scale = put_scale(most_step / kMostFactor, to);
  const float least = put_scale(most_below / kMostFactor, to + kBelowAtQ4K);
  Factors4 factors;
  for (size_t run = 0; run < kRuns4; ++run) {
    int& step = factors.steps[run];
    int& low = factors.leasts[run];
    find_factors(x + run * kRun4, lines[run], scale, least, step, low);
    const Codes4 codes = codes_on(x + run * kRun4, scale * static_cast<float>(step),
                                  least * static_cast<float>(low));
    std::byte* pair = to + 16 + run / 2 * kRun4;
    for (size_t k = 0; k < kRun4; ++k) {
      const auto code = static_cast<std::byte>(static_cast<int>(codes[k]));
      pair[k] = run % 2 == 0 ? code : pair[k] | code << 4;
    }
  }
  put_factors(factors, to + 4);
}

// --- q6_k --------------------------------------------------------------------------------------

constexpr int kRun6 = 16, kRuns6 = kBlock / kRun6;
constexpr float kLow6 = -32, kHigh6 = 31;
constexpr int kFactors6 = 192;  // where they are

using Codes6 = std::array<float, kRun6>;

Codes6 codes_with(const float* x, float step) {
  const float inverse = reciprocal(step);
  Codes6 codes;
  for (size_t k = 0; k < kRun6; ++k) codes[k] = whole_in(x[k] * inverse, kLow6, kHigh6);
  return codes;
}

double lost_with(const float* x, float step) {
  const Codes6 codes = codes_with(x, step);
  Parts lost = {};
  for (size_t k = 0; k < kRun6; k += kApart) {
    for (size_t j = 0; j < kApart; ++j) {
      const float off = x[k + j] - step * codes[k + j];
      lost[j] += off * off;
    }
  }
  return all_of(lost);
}

// The step of least squares for the codes that `step` gives.
float refined(const float* x, float step) {
  const Codes6 codes = codes_with(x, step);
  Parts xc = {}, cc = {};
  for (size_t k = 0; k < kRun6; k += kApart) {
    for (size_t j = 0; j < kApart; ++j) {
      xc[j] += x[k + j] * codes[k + j];
      cc[j] += codes[k + j] * codes[k + j];
    }
  }
  const double squares = all_of(cc);
  return squares > 0 ? static_cast<float>(all_of(xc) / squares) : step;
}

// Around the one with which the number of largest size, the first of equals, has code -32, which
// alone is that far away.
float find_step(const float* x) {
  float largest = x[0];
  for (size_t k = 1; k < kRun6; ++k) {
    if (std::abs(x[k]) > std::abs(largest)) largest = x[k];
  }
  float best = 0;
  double lost = lost_with(x, 0);
  for (int i = -8; i <= 8; ++i) {
    const float step = refined(x, largest / (kLow6 + 0.25f * static_cast<float>(i)));
    const double here = lost_with(x, step);
    if (!(here < lost)) continue;
    lost = here;
    best = step;
  }
  return best;
}

// The int8 around `wanted` with which the run loses the least.
int find_factor(const float* x, float wanted, float scale) {
  const float nearest = whole_in(wanted * reciprocal(scale), -128, 127);
  float best = nearest;
  double lost = lost_with(x, scale * nearest);
  for (const float to : {-1.0f, 1.0f}) {
    const float factor = std::clamp(nearest + to, -128.0f, 127.0f);
    const double here = lost_with(x, scale * factor);
    if (!(here < lost)) continue;
    lost = here;
    best = factor;
  }
  return static_cast<int>(best);
}

// Where number k of a block has its bits: shifts within the bytes.
struct Place6 {
  int low, low_shift, high, high_shift;
};
Place6 place_of6(int k) {
  constexpr int kHalf = 128, kQuarter = 32;
  const int half = k / kHalf, quarter = k % kHalf / kQuarter, place = k % kQuarter;
  return {64 * half + quarter % 2 * kQuarter + place, quarter / 2 * 4, 128 + 32 * half + place,
          2 * quarter};
}

void encode_block6(const float* x, std::byte* to) {
  std::array<float, kRuns6> steps;
  float largest = 0;
  for (size_t run = 0; run < kRuns6; ++run) {
    steps[run] = find_step(x + run * kRun6);
    if (std::abs(steps[run]) > std::abs(largest)) largest = steps[run];
  }
  if (!(largest_size(x) < kLimitQ6K)) largest = std::numeric_limits<float>::infinity();
  const float scale = put_scale(largest / -128, to + kScaleAtQ6K);
  std::fill(to, to + kFactors6, std::byte{0});
  for (int run = 0; run < kRuns6; ++run) {
    const float* numbers = x + run * kRun6;
    const int factor = find_factor(numbers, steps[static_cast<size_t>(run)], scale);
    to[kFactors6 + run] = static_cast<std::byte>(factor & 255);
    const Codes6 codes = codes_with(numbers, scale * static_cast<float>(factor));
    for (int k = 0; k < kRun6; ++k) {
      const int code = static_cast<int>(codes[static_cast<size_t>(k)]) + 32;
      const Place6 at = place_of6(run * kRun6 + k);
      to[at.low] |= static_cast<std::byte>((code & 15) << at.low_shift);
      to[at.high] |= static_cast<std::byte>(code >> 4 << at.high_shift);
    }
  }
}

}  // namespace

// f16 scale, f16 least, then the 6-bit numbers of the runs: of runs 0 to 3 in 6 bits of a byte
// each; of runs 4 to 7 four bits in bytes 8 to 11 and two above those of runs 0 to 3.
RunOfQ4K run_of_q4_k(const std::byte* block, int run) {
  const auto packed = [block](int at) { return std::to_integer<int>(block[4 + at]); };
  const int pair = run % 4;
  const bool high = run >= 4;
  const int factor = high ? (packed(8 + pair) & 15) | (packed(pair) >> 6) << 4 : packed(pair) & 63;
  const int offset =
      high ? packed(8 + pair) >> 4 | (packed(4 + pair) >> 6) << 4 : packed(4 + pair) & 63;
  RunOfQ4K read;
  read.step = f16_at(block) * static_cast<float>(factor);
  read.below = f16_at(block + kBelowAtQ4K) * static_cast<float>(offset);
  const std::byte* codes = block + 16 + run / 2 * kRun4;
  for (size_t k = 0; k < kRun4; ++k) {
    read.codes[k] = std::to_integer<int>(codes[k]) >> run % 2 * 4 & 15;
  }
  return read;
}

// 128 bytes with the low 4 bits, 64 with the high 2, 16 int8, f16 scale. Each half of 128 numbers
// has 64 bytes of the first and 32 of the second.
RunOfQ6K run_of_q6_k(const std::byte* block, int run) {
  RunOfQ6K read;
  const auto factor = static_cast<int8_t>(block[kFactors6 + run]);
  read.step = f16_at(block + kScaleAtQ6K) * static_cast<float>(factor);
  for (int k = 0; k < kRun6; ++k) {
    const Place6 at = place_of6(run * kRun6 + k);
    const int low = std::to_integer<int>(block[at.low]) >> at.low_shift & 15;
    const int high = std::to_integer<int>(block[at.high]) >> at.high_shift & 3;
    read.codes[static_cast<size_t>(k)] = (low | high << 4) - 32;
  }
  return read;
}

void encode_q4_k(const float* from, std::byte* to, int64_t n) {
  for (int64_t i = 0; i < n; i += kBlock, to += traits(Dtype::q4_k).bytes) {
    encode_block4(from + i, to);
  }
}

void encode_q6_k(const float* from, std::byte* to, int64_t n) {
  for (int64_t i = 0; i < n; i += kBlock, to += traits(Dtype::q6_k).bytes) {
    encode_block6(from + i, to);
  }
}

void decode_q4_k(const std::byte* from, float* to, int64_t n) {
  for (int64_t i = 0; i < n; i += kBlock, from += traits(Dtype::q4_k).bytes) {
    for (int run = 0; run < kRuns4; ++run, to += kRun4) {
      const RunOfQ4K read = run_of_q4_k(from, run);
      for (size_t k = 0; k < kRun4; ++k) {
        to[k] = read.step * static_cast<float>(read.codes[k]) - read.below;
      }
    }
  }
}

void decode_q6_k(const std::byte* from, float* to, int64_t n) {
  for (int64_t i = 0; i < n; i += kBlock, from += traits(Dtype::q6_k).bytes) {
    for (int run = 0; run < kRuns6; ++run, to += kRun6) {
      const RunOfQ6K read = run_of_q6_k(from, run);
      for (size_t k = 0; k < kRun6; ++k) to[k] = read.step * static_cast<float>(read.codes[k]);
    }
  }
}

}  // namespace janus
