// AVX2 with fused multiply-add and f16 conversion: eight lanes, sixteen registers.
// SPDX-License-Identifier: MIT
#include <immintrin.h>

#include "kernels/cpu/table.h"

namespace janus::cpu {
namespace {

struct Vec {
  static constexpr int kWidth = 8;
  __m256 v;

  static Vec set(float x) { return {_mm256_set1_ps(x)}; }
  static Vec load(const float* p) { return {_mm256_loadu_ps(p)}; }
  static Vec load_bf16(const uint16_t* p) {
    const __m128i h = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
    return {_mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(h), 16))};
  }
  static Vec load_i8(const int8_t* p) {
    const __m128i bytes = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(p));
    return {_mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(bytes))};
  }
  static Vec load_f16(const uint16_t* p) {
    return {_mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)))};
  }
  static Vec load_part(const float* p, int lanes) { return {_mm256_maskload_ps(p, mask(lanes))}; }
  void store(float* p) const { _mm256_storeu_ps(p, v); }
  void store_part(float* p, int lanes) const { _mm256_maskstore_ps(p, mask(lanes), v); }
  Vec first_lanes_or(int lanes, float other) const {
    const __m256 keep = _mm256_castsi256_ps(mask(lanes));
    return {_mm256_blendv_ps(_mm256_set1_ps(other), v, keep)};
  }
  float first() const { return _mm256_cvtss_f32(v); }
  float total() const {
    const __m128 four = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    const __m128 pair = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(pair, _mm_shuffle_ps(pair, pair, 1)));
  }
  float highest() const {
    const __m128 four = _mm_max_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    const __m128 pair = _mm_max_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_max_ss(pair, _mm_shuffle_ps(pair, pair, 1)));
  }

 private:
  static __m256i mask(int lanes) {
    const __m256i index = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(lanes), index);
  }
};

inline Vec operator+(Vec a, Vec b) { return {_mm256_add_ps(a.v, b.v)}; }
inline Vec operator-(Vec a, Vec b) { return {_mm256_sub_ps(a.v, b.v)}; }
inline Vec operator*(Vec a, Vec b) { return {_mm256_mul_ps(a.v, b.v)}; }
inline Vec operator/(Vec a, Vec b) { return {_mm256_div_ps(a.v, b.v)}; }
inline Vec fma(Vec a, Vec b, Vec c) { return {_mm256_fmadd_ps(a.v, b.v, c.v)}; }
inline Vec fused(Vec a, Vec b, Vec c) { return fma(a, b, c); }
inline Vec max(Vec a, Vec b) { return {_mm256_max_ps(a.v, b.v)}; }
inline Vec min(Vec a, Vec b) { return {_mm256_min_ps(a.v, b.v)}; }
inline Vec sqrt(Vec a) { return {_mm256_sqrt_ps(a.v)}; }
inline Vec round(Vec a) {
  return {_mm256_round_ps(a.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)};
}
// a < b ? x : y
inline Vec select_less(Vec a, Vec b, Vec x, Vec y) {
  return {_mm256_blendv_ps(y.v, x.v, _mm256_cmp_ps(a.v, b.v, _CMP_LT_OQ))};
}
// 2^n for whole n in [-126, 127].
inline Vec pow2(Vec n) {
  const __m256i biased = _mm256_add_epi32(_mm256_cvtps_epi32(n.v), _mm256_set1_epi32(127));
  return {_mm256_castsi256_ps(_mm256_slli_epi32(biased, 23))};
}
// Pairs, then quads within halves, then the halves.
inline void transpose_square(Vec (&m)[Vec::kWidth]) {
  __m256 pair[8], quad[8];
  for (int i = 0; i < 8; i += 2) {
    pair[i] = _mm256_unpacklo_ps(m[i].v, m[i + 1].v);
    pair[i + 1] = _mm256_unpackhi_ps(m[i].v, m[i + 1].v);
  }
  for (int i = 0; i < 8; i += 4) {
    quad[i] = _mm256_shuffle_ps(pair[i], pair[i + 2], 0x44);
    quad[i + 1] = _mm256_shuffle_ps(pair[i], pair[i + 2], 0xee);
    quad[i + 2] = _mm256_shuffle_ps(pair[i + 1], pair[i + 3], 0x44);
    quad[i + 3] = _mm256_shuffle_ps(pair[i + 1], pair[i + 3], 0xee);
  }
  for (int i = 0; i < 4; ++i) {
    m[i].v = _mm256_permute2f128_ps(quad[i], quad[i + 4], 0x20);
    m[i + 4].v = _mm256_permute2f128_ps(quad[i], quad[i + 4], 0x31);
  }
}

constexpr int kRegisters = 16;
constexpr int kTilePanels = 1;

// The largest size among the 32 numbers of a block, by its bits.
inline float block_largest(const float* x) {
  const __m256i sizes = _mm256_set1_epi32(0x7fffffff);
  __m256i most = _mm256_setzero_si256();
  for (int i = 0; i < kQuant; i += 8) {
    const __m256i bits = _mm256_castps_si256(_mm256_loadu_ps(x + i));
    most = _mm256_max_epi32(most, _mm256_and_si256(bits, sizes));
  }
  __m128i m = _mm_max_epi32(_mm256_castsi256_si128(most), _mm256_extracti128_si256(most, 1));
  m = _mm_max_epi32(m, _mm_shuffle_epi32(m, 0x4e));
  m = _mm_max_epi32(m, _mm_shuffle_epi32(m, 0xb1));
  return _mm_cvtss_f32(_mm_castsi128_ps(m));
}

// x · factor in whole numbers; returns their sum.
inline int block_round(const float* x, float factor, int8_t* q) {
  const __m256 f = _mm256_set1_ps(factor);
  __m256i sum = _mm256_setzero_si256();
  for (int i = 0; i < kQuant; i += 16) {
    const __m256i a = _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_loadu_ps(x + i), f));
    const __m256i b = _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_loadu_ps(x + i + 8), f));
    sum = _mm256_add_epi32(sum, _mm256_add_epi32(a, b));
    const __m256i words = _mm256_permute4x64_epi64(_mm256_packs_epi32(a, b), 0xd8);
    const __m128i low = _mm256_castsi256_si128(words), high = _mm256_extracti128_si256(words, 1);
    _mm_storeu_si128(reinterpret_cast<__m128i*>(q + i), _mm_packs_epi16(low, high));
  }
  __m128i s = _mm_add_epi32(_mm256_castsi256_si128(sum), _mm256_extracti128_si256(sum, 1));
  s = _mm_add_epi32(s, _mm_shuffle_epi32(s, 0x4e));
  s = _mm_add_epi32(s, _mm_shuffle_epi32(s, 0xb1));
  return _mm_cvtsi128_si32(s);
}

// Weights of blocks in signed bytes and their size.
struct Codes8 {
  __m256i w, size;
  static Codes8 load(const void* p) {
    const __m256i codes = _mm256_loadu_si256(static_cast<const __m256i*>(p));
    const __m256i w = _mm256_xor_si256(codes, _mm256_set1_epi8(-128));
    return {w, _mm256_abs_epi8(w)};
  }
};
struct Codes4 {
  __m256i v;
  static void load(const void* p, Codes4& low, Codes4& high) {
    const __m256i both = _mm256_loadu_si256(static_cast<const __m256i*>(p));
    const __m256i four = _mm256_set1_epi8(15);
    low.v = _mm256_and_si256(both, four);
    high.v = _mm256_and_si256(_mm256_srli_epi16(both, 4), four);
  }
};
inline __m256i spread4(const int8_t* q) {
  int32_t bits;
  __builtin_memcpy(&bits, q, 4);
  return _mm256_set1_epi32(bits);
}
inline Vec scaled(__m256i sum, const QuantBlock& x) {
  return fma({_mm256_castsi256_ps(sum)}, Vec::set(x.scale), Vec::set(x.offset));
}

struct Sums8 {
  __m256i v;
  static Sums8 begin(const QuantBlock& x) { return {_mm256_set1_epi32(x.start)}; }
  void add(Codes8 w, __m256i x) {
    const __m256i pairs = _mm256_maddubs_epi16(w.size, _mm256_sign_epi8(x, w.w));  // <= 2·128·127
    v = _mm256_add_epi32(v, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
  }
  Vec value(const QuantBlock& x) const { return scaled(v, x); }
};
// Eight pairs of a lane are at most 8·2·15·127 = 30480 together: they fit 16 bits.
struct Sums4 {
  __m256i v;
  static Sums4 begin(const QuantBlock&) { return {_mm256_setzero_si256()}; }
  void add(Codes4 w, __m256i x) { v = _mm256_add_epi16(v, _mm256_maddubs_epi16(w.v, x)); }
  Vec value(const QuantBlock& x) const {
    const __m256i sum = _mm256_madd_epi16(v, _mm256_set1_epi16(1));
    return scaled(_mm256_add_epi32(sum, _mm256_set1_epi32(x.start)), x);
  }
};
// Numbers of blocks of 256, taken apart: below 64, so that two pairs fit 16 bits, 2·2·63·127.
struct CodesK {
  __m256i v;
  static CodesK load(const void* p) { return {_mm256_loadu_si256(static_cast<const __m256i*>(p))}; }
};
struct SumsK {
  __m256i v;
  static SumsK begin(int32_t start) { return {_mm256_set1_epi32(start)}; }
  void add(CodesK a, __m256i one, CodesK b, __m256i two) {
    const __m256i pairs = _mm256_maddubs_epi16(a.v, one), more = _mm256_maddubs_epi16(b.v, two);
    const __m256i both = _mm256_add_epi16(pairs, more);
    v = _mm256_add_epi32(v, _mm256_madd_epi16(both, _mm256_set1_epi16(1)));
  }
  Vec value(const QuantBlock& x) const { return scaled(v, x); }
};

constexpr int kBlockSums = 8;
constexpr int kRowsBeside = 8;
constexpr int kAdded8 = 0;
constexpr bool kSumsAreFloats = true;

#include "kernels/cpu/kernels.inl"

}  // namespace

extern constinit const KernelTable kAvx2Kernels = make_table("avx2");

}  // namespace janus::cpu
