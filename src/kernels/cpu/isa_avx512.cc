// AVX-512 (F, BW, DQ, VL).
// SPDX-License-Identifier: MIT
#include <immintrin.h>

#include "kernels/cpu/table.h"

namespace janus::cpu {
namespace {

#include "kernels/cpu/vec_avx512.inl"

// Weights of blocks in signed bytes: their size, and where they are negative.
struct Codes8 {
  __m512i size;
  __mmask64 negative;
  static Codes8 load(const void* p) {
    const __m512i w = _mm512_xor_si512(_mm512_loadu_si512(p), _mm512_set1_epi8(-128));
    return {_mm512_abs_epi8(w), _mm512_movepi8_mask(w)};
  }
};
struct Codes4 {
  __m512i v;
  static void load(const void* p, Codes4& low, Codes4& high) {
    const __m512i both = _mm512_loadu_si512(p), four = _mm512_set1_epi8(15);
    low.v = _mm512_and_si512(both, four);
    high.v = _mm512_and_si512(_mm512_srli_epi16(both, 4), four);
  }
};
inline __m512i spread4(const int8_t* q) {
  int32_t bits;
  __builtin_memcpy(&bits, q, 4);
  return _mm512_set1_epi32(bits);
}
inline Vec scaled(__m512i sum, const QuantBlock& x) {
  return fma({_mm512_castsi512_ps(sum)}, Vec::set(x.scale), Vec::set(x.offset));
}

struct Sums8 {
  __m512i v;
  static Sums8 begin(const QuantBlock& x) { return {_mm512_set1_epi32(x.start)}; }
  void add(Codes8 w, __m512i x) {
    const __m512i same = _mm512_mask_sub_epi8(x, w.negative, _mm512_setzero_si512(), x);
    const __m512i pairs = _mm512_maddubs_epi16(w.size, same);  // |sum| <= 2·128·127
    v = _mm512_add_epi32(v, _mm512_madd_epi16(pairs, _mm512_set1_epi16(1)));
  }
  Vec value(const QuantBlock& x) const { return scaled(v, x); }
};
// Eight pairs of a lane are at most 8·2·15·127 = 30480 together: they fit 16 bits.
struct Sums4 {
  __m512i v;
  static Sums4 begin(const QuantBlock&) { return {_mm512_setzero_si512()}; }
  void add(Codes4 w, __m512i x) { v = _mm512_add_epi16(v, _mm512_maddubs_epi16(w.v, x)); }
  Vec value(const QuantBlock& x) const {
    const __m512i sum = _mm512_madd_epi16(v, _mm512_set1_epi16(1));
    return scaled(_mm512_add_epi32(sum, _mm512_set1_epi32(x.start)), x);
  }
};
// Numbers of blocks of 256, taken apart: below 64, so that two pairs fit 16 bits, 2·2·63·127.
struct CodesK {
  __m512i v;
  static CodesK load(const void* p) { return {_mm512_loadu_si512(p)}; }
};
struct SumsK {
  __m512i v;
  static SumsK begin(int32_t start) { return {_mm512_set1_epi32(start)}; }
  void add(CodesK a, __m512i one, CodesK b, __m512i two) {
    const __m512i pairs = _mm512_maddubs_epi16(a.v, one), more = _mm512_maddubs_epi16(b.v, two);
    const __m512i both = _mm512_add_epi16(pairs, more);
    v = _mm512_add_epi32(v, _mm512_madd_epi16(both, _mm512_set1_epi16(1)));
  }
  Vec value(const QuantBlock& x) const { return scaled(v, x); }
};

constexpr int kBlockSums = 16;  // of one tile: registers, or what pays
constexpr int kRowsBeside = 8;  // of x, in blocks
constexpr int kAdded8 = 0;      // to the numbers of q8_0, where codes are multiplied as above
constexpr bool kSumsAreFloats = true;

#include "kernels/cpu/kernels.inl"

}  // namespace

extern constinit const KernelTable kAvx512Kernels = make_table("avx512");

}  // namespace janus::cpu
