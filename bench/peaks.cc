// SPDX-License-Identifier: MIT
#include "peaks.h"

#include <benchmark/benchmark.h>
#include <immintrin.h>
#include <time.h>

#include <algorithm>

#include "base/buffer.h"

namespace janus {
namespace {

constexpr int kChains = 12;  // more than latency × ports of any core so far; all different
constexpr int64_t kSteps = 200000;

double processor_seconds() {
  timespec t{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

__attribute__((target("avx512f"))) float multiply_avx512(int64_t steps) {
  __m512 sum[kChains];
  for (int i = 0; i < kChains; ++i) sum[i] = _mm512_set1_ps(static_cast<float>(i));
  const __m512 factor = _mm512_set1_ps(0.999999f), step = _mm512_set1_ps(1e-6f);
  for (int64_t i = 0; i < steps; ++i) {
    for (__m512& s : sum) s = _mm512_fmadd_ps(s, factor, step);
  }
  for (int i = 1; i < kChains; ++i) sum[0] = _mm512_add_ps(sum[0], sum[i]);
  return _mm512_cvtss_f32(sum[0]);
}

__attribute__((target("avx2,fma"))) float multiply_avx2(int64_t steps) {
  __m256 sum[kChains];
  for (int i = 0; i < kChains; ++i) sum[i] = _mm256_set1_ps(static_cast<float>(i));
  const __m256 factor = _mm256_set1_ps(0.999999f), step = _mm256_set1_ps(1e-6f);
  for (int64_t i = 0; i < steps; ++i) {
    for (__m256& s : sum) s = _mm256_fmadd_ps(s, factor, step);
  }
  for (int i = 1; i < kChains; ++i) sum[0] = _mm256_add_ps(sum[0], sum[i]);
  return _mm256_cvtss_f32(sum[0]);
}

float multiply_base(int64_t steps) {
  __m128 sum[kChains];
  for (int i = 0; i < kChains; ++i) sum[i] = _mm_set1_ps(static_cast<float>(i));
  const __m128 factor = _mm_set1_ps(0.999999f), step = _mm_set1_ps(1e-6f);
  for (int64_t i = 0; i < steps; ++i) {
    for (__m128& s : sum) s = _mm_add_ps(_mm_mul_ps(s, factor), step);
  }
  for (int i = 1; i < kChains; ++i) sum[0] = _mm_add_ps(sum[0], sum[i]);
  return _mm_cvtss_f32(sum[0]);
}

// The best of some runs: neighbours only ever take away.
template <class Run>
double best_rate(double amount, const Run& run) {
  double best = 0;
  for (int i = 0; i < 7; ++i) {
    const double start = processor_seconds();
    benchmark::DoNotOptimize(run());
    best = std::max(best, amount / (processor_seconds() - start));
  }
  return best;
}

double measure_flops(Isa level) {
  const auto multiply = level == Isa::avx512 ? multiply_avx512
                        : level == Isa::avx2 ? multiply_avx2
                                             : multiply_base;
  const int lanes = level == Isa::avx512 ? 16 : level == Isa::avx2 ? 8 : 4;
  return best_rate(2.0 * lanes * kChains * static_cast<double>(kSteps), [=] {
    int64_t steps = kSteps;
    benchmark::DoNotOptimize(steps);  // else one run serves for all
    return multiply(steps);
  });
}

// Four streams side by side.
uint64_t read_all(const Buffer& memory) {
  const auto* p = reinterpret_cast<const uint64_t*>(memory.data());
  const int64_t quarter = memory.bytes() / 8 / 4;
  uint64_t sum[4] = {};
  for (int64_t k = 0; k < quarter; ++k) {
    for (int s = 0; s < 4; ++s) sum[s] ^= p[s * quarter + k];
  }
  return sum[0] ^ sum[1] ^ sum[2] ^ sum[3];
}

}  // namespace

Peaks measure_peaks(Isa level) {
  constexpr int64_t kBytes = int64_t{256} << 20;
  const Buffer memory(kBytes);
  const double bytes = best_rate(static_cast<double>(kBytes), [&] { return read_all(memory); });
  return {measure_flops(level), bytes};
}

}  // namespace janus
