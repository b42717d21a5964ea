// See bench_limits.h. This file alone is compiled with contraction on (src/CMakeLists.txt): the
// plain a·b + c below becomes one fused instruction where the level has it.
// SPDX-License-Identifier: MIT
#include "apps/bench_limits.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <thread>
#include <vector>

namespace janus {

namespace {

using Clock = std::chrono::steady_clock;

constexpr int kRuns = 5;
constexpr int64_t kReadBytes = int64_t{512} << 20;  // several times the largest cache in use
constexpr int64_t kTurns = 400'000;                 // of the multiply-add loop, some 10 ms
constexpr int kChains = 12;  // independent sums: two units × latency 4, and some to spare

using Vec4 = float __attribute__((vector_size(16)));
using Vec8 = float __attribute__((vector_size(32)));
using Vec16 = float __attribute__((vector_size(64)));

// Returns something that depends on every operation, so that none is dropped.
template <class Vec>
[[gnu::always_inline]] inline float multiply_add(float seed) {
  Vec sums[kChains], factor = Vec{} + 0.999f, term = Vec{} + seed;
  for (int i = 0; i < kChains; ++i) sums[i] = term + static_cast<float>(i);
  for (int64_t turn = 0; turn < kTurns; ++turn) {
#pragma GCC unroll 12
    for (int i = 0; i < kChains; ++i) sums[i] = sums[i] * factor + term;
  }
  Vec total{};
  for (int i = 0; i < kChains; ++i) total += sums[i];
  return total[0];
}

float run_base(float seed) { return multiply_add<Vec4>(seed); }
#if defined(__x86_64__)
[[gnu::target("avx2,fma")]] float run_avx2(float seed) { return multiply_add<Vec8>(seed); }
[[gnu::target("avx512f")]] float run_avx512(float seed) { return multiply_add<Vec16>(seed); }
#endif

struct Peak {
  float (*run)(float);
  int lanes;
};

Peak peak_of(const std::string& level) {
#if defined(__x86_64__)
  if (level == "avx512") return {run_avx512, 16};
  if (level == "avx2") return {run_avx2, 8};
#endif
  return {run_base, 4};
}

// Seconds of the fastest of kRuns, `work(thread)` on all threads at once.
template <class Work>
double fastest(int threads, const std::function<void()>& check, const Work& work) {
  double best = 1e30;
  for (int run = 0; run < kRuns; ++run) {
    check();
    std::vector<std::thread> all;
    const auto start = Clock::now();
    for (int t = 0; t < threads; ++t) all.emplace_back([&work, t] { work(t); });
    for (std::thread& one : all) one.join();
    best = std::min(best, std::chrono::duration<double>(Clock::now() - start).count());
  }
  return best;
}

// One line of each stream in turn, as matrix products read their panels: how many streams a memory
// serves best differs from machine to machine.
template <int Streams>
uint64_t sum_words(const uint64_t* words, int64_t count) {
  constexpr int64_t kLine = 8, kAhead = 192;  // words
  const int64_t each = count / Streams / kLine * kLine;
  uint64_t sums[kLine] = {};
  for (int64_t i = 0; i < each; i += kLine) {
    for (int stream = 0; stream < Streams; ++stream) {
      const uint64_t* line = words + stream * each + i;
      __builtin_prefetch(line + kAhead);
      for (int64_t lane = 0; lane < kLine; ++lane) sums[lane] += line[lane];
    }
  }
  uint64_t total = 0;
  for (const uint64_t sum : sums) total += sum;
  return total;
}

}  // namespace

Limits measure_limits(int threads, const std::string& level, const std::function<void()>& check) {
  std::atomic<uint64_t> kept{0};  // results go somewhere, so that the work is done
  Limits limits;
  const std::vector<uint64_t> memory(static_cast<size_t>(kReadBytes / 8), 1);
  const int64_t share = kReadBytes / 8 / threads;
  double reading = 1e30;
  for (const auto sum : {sum_words<1>, sum_words<2>, sum_words<4>, sum_words<8>}) {
    reading = std::min(reading, fastest(threads, check, [&](int t) {
                         kept += sum(memory.data() + t * share, share);
                       }));
  }
  limits.read_bytes = static_cast<double>(share * 8 * threads) / reading;
  const Peak peak = peak_of(level);
  const double adding = fastest(threads, check, [&](int t) {
    const float result = peak.run(static_cast<float>(t));
    uint32_t bits = 0;
    std::memcpy(&bits, &result, sizeof bits);
    kept += bits;
  });
  limits.f32_operations =
      2.0 * kChains * peak.lanes * static_cast<double>(kTurns) * threads / adding;
  return limits;
}

}  // namespace janus
