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
  static Vec load_i8(const int8_t* p) {
    int32_t bits;
    __builtin_memcpy(&bits, p, 4);
    const __m128i bytes = _mm_cvtsi32_si128(bits);
    const __m128i twice = _mm_unpacklo_epi8(bytes, bytes);
    return {_mm_cvtepi32_ps(_mm_srai_epi32(_mm_unpacklo_epi16(twice, twice), 24))};
  }
  // Small ones, whose exponent is 0, are counted instead: as bits of an f32 they could be flushed.
  static Vec load_f16(const uint16_t* p) {
    const __m128i h = _mm_unpacklo_epi16(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p)),
                                         _mm_setzero_si128());
    const __m128i rest = _mm_and_si128(h, _mm_set1_epi32(0x7fff));
    const __m128i small = _mm_cmplt_epi32(rest, _mm_set1_epi32(0x400));
    const __m128i normal = _mm_add_epi32(_mm_slli_epi32(rest, 13), _mm_set1_epi32(112 << 23));
    const __m128 counted = _mm_mul_ps(_mm_cvtepi32_ps(rest), _mm_set1_ps(0x1p-24f));
    const __m128i size = _mm_or_si128(_mm_and_si128(small, _mm_castps_si128(counted)),
                                      _mm_andnot_si128(small, normal));
    const __m128i sign = _mm_slli_epi32(_mm_andnot_si128(_mm_set1_epi32(0x7fff), h), 16);
    return {_mm_castsi128_ps(_mm_or_si128(size, sign))};
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
// a · b + c rounded once, of two numbers in f64: the product is exact there, and the sum is rounded
// to odd, from where the second rounding, which is to f32, goes where one alone would have gone.
inline __m128d fused_in_f64(__m128d a, __m128d b, __m128d c) {
  const __m128d product = _mm_mul_pd(a, b), sum = _mm_add_pd(product, c);
  const __m128d part = _mm_sub_pd(sum, product);
  const __m128d lost = _mm_add_pd(_mm_sub_pd(product, _mm_sub_pd(sum, part)), _mm_sub_pd(c, part));
  const __m128d zero = _mm_setzero_pd();
  const __m128d below = _mm_cmplt_pd(lost, zero), above = _mm_cmpgt_pd(lost, zero);
  // An even sum that has lost something goes one step towards it: by its bits up, away from zero,
  // where both have the same sign, else down.
  const __m128i bits = _mm_castpd_si128(sum);
  const __m128i inexact = _mm_castpd_si128(_mm_or_pd(below, above));
  const __m128i one = _mm_and_si128(_mm_andnot_si128(bits, _mm_set_epi32(0, 1, 0, 1)), inexact);
  const __m128i down = _mm_castpd_si128(_mm_xor_pd(below, _mm_cmplt_pd(sum, zero)));
  const __m128i step = _mm_sub_epi64(_mm_xor_si128(one, down), down);
  return _mm_castsi128_pd(_mm_add_epi64(bits, step));
}
inline Vec fused(Vec a, Vec b, Vec c) {
  const auto high = [](Vec x) { return _mm_cvtps_pd(_mm_movehl_ps(x.v, x.v)); };
  const __m128d low = fused_in_f64(_mm_cvtps_pd(a.v), _mm_cvtps_pd(b.v), _mm_cvtps_pd(c.v));
  const __m128d rest = fused_in_f64(high(a), high(b), high(c));
  return {_mm_movelh_ps(_mm_cvtpd_ps(low), _mm_cvtpd_ps(rest))};
}
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

// The largest size among the 32 numbers of a block, by its bits.
inline float block_largest(const float* x) {
  const __m128i sizes = _mm_set1_epi32(0x7fffffff);
  __m128i most = _mm_setzero_si128();
  const auto raise = [&](__m128i bits) {
    const __m128i more = _mm_cmpgt_epi32(bits, most);
    most = _mm_or_si128(_mm_and_si128(more, bits), _mm_andnot_si128(more, most));
  };
  for (int i = 0; i < kQuant; i += 4) {
    raise(_mm_and_si128(_mm_castps_si128(_mm_loadu_ps(x + i)), sizes));
  }
  raise(_mm_shuffle_epi32(most, 0x4e));
  raise(_mm_shuffle_epi32(most, 0xb1));
  return _mm_cvtss_f32(_mm_castsi128_ps(most));
}

// x · factor in whole numbers; returns their sum.
inline int block_round(const float* x, float factor, int8_t* q) {
  const __m128 f = _mm_set1_ps(factor);
  __m128i s = _mm_setzero_si128();
  for (int i = 0; i < kQuant; i += 16) {
    __m128i four[4];
    for (int j = 0; j < 4; ++j) {
      four[j] = _mm_cvtps_epi32(_mm_mul_ps(_mm_loadu_ps(x + i + 4 * j), f));
      s = _mm_add_epi32(s, four[j]);
    }
    const __m128i low = _mm_packs_epi32(four[0], four[1]);
    const __m128i high = _mm_packs_epi32(four[2], four[3]);
    _mm_storeu_si128(reinterpret_cast<__m128i*>(q + i), _mm_packs_epi16(low, high));
  }
  s = _mm_add_epi32(s, _mm_shuffle_epi32(s, 0x4e));
  s = _mm_add_epi32(s, _mm_shuffle_epi32(s, 0xb1));
  return _mm_cvtsi128_si32(s);
}

// Weights of blocks in 16 bits: the groups of outputs 0 and 1, of 2 and 3.
struct Codes8 {
  __m128i low, high;
  static Codes8 load(const void* p) {
    const __m128i codes = _mm_loadu_si128(static_cast<const __m128i*>(p));
    const __m128i w = _mm_xor_si128(codes, _mm_set1_epi8(-128));
    return {_mm_srai_epi16(_mm_unpacklo_epi8(w, w), 8), _mm_srai_epi16(_mm_unpackhi_epi8(w, w), 8)};
  }
};
struct Codes4 {
  __m128i low, high;
  static Codes4 wide(__m128i w) {
    const __m128i zero = _mm_setzero_si128();
    return {_mm_unpacklo_epi8(w, zero), _mm_unpackhi_epi8(w, zero)};
  }
  static void load(const void* p, Codes4& first, Codes4& second) {
    const __m128i both = _mm_loadu_si128(static_cast<const __m128i*>(p));
    const __m128i four = _mm_set1_epi8(15);
    first = wide(_mm_and_si128(both, four));
    second = wide(_mm_and_si128(_mm_srli_epi16(both, 4), four));
  }
};
// A group of x in 16 bits, twice.
inline __m128i spread4(const int8_t* q) {
  int32_t bits;
  __builtin_memcpy(&bits, q, 4);
  const __m128i x = _mm_set1_epi32(bits);
  return _mm_srai_epi16(_mm_unpacklo_epi8(x, x), 8);
}

// Halves of each output's sum side by side.
struct Sums8 {
  __m128i low, high;
  static Sums8 begin(const QuantBlock&) { return {_mm_setzero_si128(), _mm_setzero_si128()}; }
  template <class Codes>
  void add(Codes w, __m128i x) {
    low = _mm_add_epi32(low, _mm_madd_epi16(w.low, x));
    high = _mm_add_epi32(high, _mm_madd_epi16(w.high, x));
  }
  Vec value(const QuantBlock& x) const { return scaled(_mm_set1_epi32(x.start), x); }
  Vec scaled(__m128i start, const QuantBlock& x) const {
    const __m128 a = _mm_castsi128_ps(low), b = _mm_castsi128_ps(high);
    const __m128i even = _mm_castps_si128(_mm_shuffle_ps(a, b, 0x88));
    const __m128i odd = _mm_castps_si128(_mm_shuffle_ps(a, b, 0xdd));
    const __m128i sum = _mm_add_epi32(_mm_add_epi32(even, odd), start);
    return Vec{_mm_cvtepi32_ps(sum)} * Vec::set(x.scale);
  }
};
using Sums4 = Sums8;

// Numbers of blocks of 256, taken apart.
struct CodesK : Codes4 {
  static CodesK load(const void* p) {
    return {wide(_mm_loadu_si128(static_cast<const __m128i*>(p)))};
  }
};
struct SumsK : Sums8 {
  static SumsK begin(int32_t start) {
    const __m128i half = _mm_set_epi32(0, start, 0, start);
    return {Sums8{half, half}};
  }
  void add(CodesK a, __m128i one, CodesK b, __m128i two) {
    Sums8::add(a, one);
    Sums8::add(b, two);
  }
  Vec value(const QuantBlock& x) const { return scaled(_mm_setzero_si128(), x); }
};

constexpr int kBlockSums = 4;
constexpr int kRowsBeside = 8;
constexpr int kAdded8 = 0;
constexpr bool kSumsAreFloats = false;

#include "kernels/cpu/kernels.inl"

}  // namespace

extern constinit const KernelTable kBaseKernels = make_table("base");

}  // namespace janus::cpu
