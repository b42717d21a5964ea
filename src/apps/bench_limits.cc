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
  int lanes;  // multiply-adds of one turn of one chain
};

Peak peak_of(const std::string& level) {
#if defined(__x86_64__)
  if (level.starts_with("avx512") || level == "amx") return {run_avx512, 16};
  if (level == "avx2") return {run_avx2, 8};
#endif
  return {run_base, 4};
}

#if defined(__x86_64__)

using Words8 = short __attribute__((vector_size(16)));
using Words16 = short __attribute__((vector_size(32)));
using Words32 = short __attribute__((vector_size(64)));

// What is before and after the loop that a level has. Its products are volatile where nothing in
// the loop changes what is multiplied, so that they are made each time.
template <class Words>
[[gnu::always_inline]] inline void begin_chains(float seed, Words (&sums)[kChains], Words& x) {
  x = Words{} + static_cast<short>(seed);
  for (int i = 0; i < kChains; ++i) sums[i] = x + static_cast<short>(i);
}
template <class Words>
[[gnu::always_inline]] inline float end_chains(const Words (&sums)[kChains]) {
  Words total{};
  for (const Words& sum : sums) total += sum;
  return static_cast<float>(total[0]);
}

float dot_base(float seed) {
  Words8 sums[kChains], x;
  begin_chains(seed, sums, x);
  for (int64_t turn = 0; turn < kTurns; ++turn) {
#pragma GCC unroll 12
    for (int i = 0; i < kChains; ++i) {
      Words8 pairs = x;
      __asm__ volatile("pmaddwd %1, %0" : "+x"(pairs) : "x"(x));
      sums[i] += pairs;
    }
  }
  return end_chains(sums);
}

[[gnu::target("avx2")]] float dot_avx2(float seed) {
  Words16 sums[kChains], x;
  begin_chains(seed, sums, x);
  for (int64_t turn = 0; turn < kTurns; ++turn) {
#pragma GCC unroll 12
    for (int i = 0; i < kChains; ++i) {
      Words16 pairs;
      __asm__ volatile("vpmaddubsw %1, %1, %0" : "=x"(pairs) : "x"(x));
      sums[i] += pairs;
    }
  }
  return end_chains(sums);
}

enum class Dot { pairs, bytes, bf16 };

template <Dot kDot>
[[gnu::target("avx512f,avx512bw")]] float dot_wide(float seed) {
  Words32 sums[kChains], x;
  begin_chains(seed, sums, x);
  for (int64_t turn = 0; turn < kTurns; ++turn) {
#pragma GCC unroll 12
    for (int i = 0; i < kChains; ++i) {
      if constexpr (kDot == Dot::pairs) {
        Words32 pairs;
        __asm__ volatile("vpmaddubsw %1, %1, %0" : "=v"(pairs) : "v"(x));
        sums[i] += pairs;
        continue;
      }
      Words32 sum = sums[i];
      if constexpr (kDot == Dot::bytes) {
        __asm__("vpdpbusd %1, %1, %0" : "+v"(sum) : "v"(x));
      } else {
        __asm__("vdpbf16ps %1, %1, %0" : "+v"(sum) : "v"(x));
      }
      sums[i] = sum;
    }
  }
  return end_chains(sums);
}

// Whole registers of 16 rows of 64 bytes; six of the eight hold sums.
template <Dot kDot>
[[gnu::target("amx-tile,amx-int8,amx-bf16")]] float dot_tiles(float seed) {
  alignas(64) unsigned char shapes[64] = {1};  // palette 1; bytes of a row from 16 on, rows from 48
  for (int i = 0; i < 8; ++i) shapes[16 + 2 * i] = 64, shapes[48 + i] = 16;
  alignas(64) float zeros[16 * 16] = {seed};
  __asm__ volatile("ldtilecfg %0" : : "m"(shapes));
  __asm__ volatile("tileloadd (%0,%1,1), %%tmm6" : : "r"(zeros), "r"(int64_t{64}) : "memory");
  __asm__ volatile("tileloadd (%0,%1,1), %%tmm7" : : "r"(zeros), "r"(int64_t{64}) : "memory");
  static_assert(kChains == 12);
  for (int64_t turn = 0; turn < 2 * kTurns; ++turn) {
    if constexpr (kDot == Dot::bytes) {
      __asm__ volatile(
          "tdpbsud %tmm7, %tmm6, %tmm0\n\ttdpbsud %tmm7, %tmm6, %tmm1\n\t"
          "tdpbsud %tmm7, %tmm6, %tmm2\n\ttdpbsud %tmm7, %tmm6, %tmm3\n\t"
          "tdpbsud %tmm7, %tmm6, %tmm4\n\ttdpbsud %tmm7, %tmm6, %tmm5");
    } else {
      __asm__ volatile(
          "tdpbf16ps %tmm7, %tmm6, %tmm0\n\ttdpbf16ps %tmm7, %tmm6, %tmm1\n\t"
          "tdpbf16ps %tmm7, %tmm6, %tmm2\n\ttdpbf16ps %tmm7, %tmm6, %tmm3\n\t"
          "tdpbf16ps %tmm7, %tmm6, %tmm4\n\ttdpbf16ps %tmm7, %tmm6, %tmm5");
    }
  }
  __asm__ volatile("tilerelease");
  return seed;
}

Peak byte_peak_of(const std::string& level) {
  if (level == "amx") return {dot_tiles<Dot::bytes>, 16 * 16 * 64};
  if (level == "avx512vnni") return {dot_wide<Dot::bytes>, 64};
  if (level == "avx512") return {dot_wide<Dot::pairs>, 64};
  if (level == "avx2") return {dot_avx2, 32};
  return {dot_base, 8};
}

// None without the instructions, or where the level is to be without them.
Peak bf16_peak_of(const std::string& level) {
  if (level == "amx") return {dot_tiles<Dot::bf16>, 16 * 16 * 32};
  const bool there = level.starts_with("avx512") && __builtin_cpu_supports("avx512bf16");
  return there ? Peak{dot_wide<Dot::bf16>, 32} : Peak{nullptr, 0};
}

#else

Peak byte_peak_of(const std::string&) { return {nullptr, 0}; }
Peak bf16_peak_of(const std::string&) { return {nullptr, 0}; }

#endif

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
  const auto rate = [&](const Peak& peak) {
    if (!peak.run) return 0.0;
    const double adding = fastest(threads, check, [&](int t) {
      // Never 0: its sums would fade into numbers so small that some processors multiply them
      // slowly.
      const float result = peak.run(static_cast<float>(t + 1));
      uint32_t bits = 0;
      std::memcpy(&bits, &result, sizeof bits);
      kept += bits;
    });
    return 2.0 * kChains * peak.lanes * static_cast<double>(kTurns) * threads / adding;
  };
  limits.f32_operations = rate(peak_of(level));
  limits.int8_operations = rate(byte_peak_of(level));
  limits.bf16_operations = rate(bf16_peak_of(level));
  return limits;
}

}  // namespace janus
