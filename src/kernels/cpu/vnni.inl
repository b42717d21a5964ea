// Products of bytes by VNNI, for the levels that have it: what blocks.inl asks of an ISA file.
// SPDX-License-Identifier: MIT

struct Codes8 {
  __m512i v;
  static Codes8 load(const void* p) { return {_mm512_loadu_si512(p)}; }
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

struct Sums8 {
  __m512i v;
  static Sums8 begin(const QuantBlock& x) { return {_mm512_set1_epi32(x.start)}; }
  // GCC 12 copies the sum around the intrinsic; this takes it as it is.
  void dot(__m512i w, __m512i x) { __asm__("vpdpbusd %2, %1, %0" : "+v"(v) : "v"(w), "v"(x)); }
  void add(Codes8 w, __m512i x) { dot(w.v, x); }
  Vec value(const QuantBlock& x) const {
    return fma({_mm512_castsi512_ps(v)}, Vec::set(x.scale), Vec::set(x.offset));
  }
};
struct Sums4 : Sums8 {
  static Sums4 begin(const QuantBlock& x) { return {Sums8::begin(x)}; }
  void add(Codes4 w, __m512i x) { dot(w.v, x); }
};

// Numbers of blocks of 256, taken apart.
struct CodesK {
  __m512i v;
  static CodesK load(const void* p) { return {_mm512_loadu_si512(p)}; }
};
struct SumsK : Sums8 {
  static SumsK begin(int32_t start) { return {{_mm512_set1_epi32(start)}}; }
  void add(CodesK a, __m512i one, CodesK b, __m512i two) {
    dot(a.v, one);
    dot(b.v, two);
  }
};

constexpr int kBlockSums = 16;
constexpr int kAdded8 = 128;
constexpr bool kSumsAreFloats = true;
