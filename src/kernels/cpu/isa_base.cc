// The base level: SSE2, which every x86-64 has. No fused multiply-add, so it has bits of its own.
// SPDX-License-Identifier: MIT
#include <immintrin.h>

#include "kernels/cpu/table.h"

namespace janus::cpu {
namespace {

struct Vec {
  static constexpr int kWidth = 4;
  __m128 v;

  static Vec set(float x) { return {_mm_set1_ps(x)}; }
  static Vec load(const float* p) { return {_mm_loadu_ps(p)}; }
  static Vec load_bf16(const uint16_t* p) {
    const __m128i h = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(p));
    return {_mm_castsi128_ps(_mm_unpacklo_epi16(_mm_setzero_si128(), h))};
  }
  static Vec load_part(const float* p, int lanes) {
    alignas(16) float part[kWidth] = {};
    for (int i = 0; i < lanes; ++i) part[i] = p[i];
    return {_mm_load_ps(part)};
  }
  void store(float* p) const { _mm_storeu_ps(p, v); }
  void store_part(float* p, int lanes) const {
    alignas(16) float part[kWidth];
    _mm_store_ps(part, v);
    for (int i = 0; i < lanes; ++i) p[i] = part[i];
  }
  Vec first_lanes_or(int lanes, float other) const {
    alignas(16) float part[kWidth];
    _mm_store_ps(part, v);
    for (int i = lanes; i < kWidth; ++i) part[i] = other;
    return {_mm_load_ps(part)};
  }
  float first() const { return _mm_cvtss_f32(v); }
  float total() const {
    const __m128 pair = _mm_add_ps(v, _mm_movehl_ps(v, v));
    return _mm_cvtss_f32(_mm_add_ss(pair, _mm_shuffle_ps(pair, pair, 1)));
  }
  float highest() const {
    const __m128 pair = _mm_max_ps(v, _mm_movehl_ps(v, v));
    return _mm_cvtss_f32(_mm_max_ss(pair, _mm_shuffle_ps(pair, pair, 1)));
  }
};

inline Vec operator+(Vec a, Vec b) { return {_mm_add_ps(a.v, b.v)}; }
inline Vec operator-(Vec a, Vec b) { return {_mm_sub_ps(a.v, b.v)}; }
inline Vec operator*(Vec a, Vec b) { return {_mm_mul_ps(a.v, b.v)}; }
inline Vec operator/(Vec a, Vec b) { return {_mm_div_ps(a.v, b.v)}; }
inline Vec fma(Vec a, Vec b, Vec c) { return {_mm_add_ps(_mm_mul_ps(a.v, b.v), c.v)}; }
inline Vec max(Vec a, Vec b) { return {_mm_max_ps(a.v, b.v)}; }
inline Vec min(Vec a, Vec b) { return {_mm_min_ps(a.v, b.v)}; }
inline Vec sqrt(Vec a) { return {_mm_sqrt_ps(a.v)}; }
inline Vec round(Vec a) { return {_mm_cvtepi32_ps(_mm_cvtps_epi32(a.v))}; }
// a < b ? x : y
inline Vec select_less(Vec a, Vec b, Vec x, Vec y) {
  const __m128 mask = _mm_cmplt_ps(a.v, b.v);
  return {_mm_or_ps(_mm_and_ps(mask, x.v), _mm_andnot_ps(mask, y.v))};
}
// 2^n for whole n in [-126, 127].
inline Vec pow2(Vec n) {
  const __m128i biased = _mm_add_epi32(_mm_cvtps_epi32(n.v), _mm_set1_epi32(127));
  return {_mm_castsi128_ps(_mm_slli_epi32(biased, 23))};
}
inline void transpose_square(Vec (&m)[Vec::kWidth]) {
  _MM_TRANSPOSE4_PS(m[0].v, m[1].v, m[2].v, m[3].v);
}

constexpr int kRegisters = 16;
constexpr int kTilePanels = 1;

#include "kernels/cpu/kernels.inl"

}  // namespace

extern constinit const KernelTable kBaseKernels = make_table("base");

}  // namespace janus::cpu
