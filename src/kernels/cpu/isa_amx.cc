// AMX: tile registers for products of bytes and of bf16, beside AVX-512 with VNNI. The
// instructions name their registers, so each is a template of numbers. SPDX-License-Identifier: MIT
#include <immintrin.h>

#include "kernels/cpu/table.h"

namespace janus::cpu {
namespace {

#include "kernels/cpu/vec_avx512.inl"

#include "kernels/cpu/vnni.inl"

constexpr int kRowsBeside = kTileHeight;

struct Tile {
  // The shapes of this thread's registers, as the processor wants them; then none again, so that a
  // task switch saves less.
  static void begin(const uint8_t (&shapes)[64]) {
    __asm__ volatile("ldtilecfg %0" : : "m"(shapes));
  }
  static void end() { __asm__ volatile("tilerelease"); }

  template <int To>
  static void zero() {
    __asm__ volatile("tilezero %%tmm%c0" : : "i"(To));
  }
  template <int To>
  static void load(const void* rows, int64_t stride) {
    __asm__ volatile("tileloadd (%1,%2,1), %%tmm%c0"
                     :
                     : "i"(To), "r"(rows), "r"(stride)
                     : "memory");
  }
  template <int From>
  static void store(void* rows, int64_t stride) {
    __asm__ volatile("tilestored %%tmm%c0, (%1,%2,1)"
                     :
                     : "i"(From), "r"(rows), "r"(stride)
                     : "memory");
  }
  // To += signed bytes · bytes without a sign, four to a sum.
  template <int To, int Left, int Right>
  static void dot_bytes() {
    __asm__ volatile("tdpbsud %%tmm%c2, %%tmm%c1, %%tmm%c0" : : "i"(To), "i"(Left), "i"(Right));
  }
  // To += bf16 · bf16, two to a sum.
  template <int To, int Left, int Right>
  static void dot_bf16() {
    __asm__ volatile("tdpbf16ps %%tmm%c2, %%tmm%c1, %%tmm%c0" : : "i"(To), "i"(Left), "i"(Right));
  }
};

#include "kernels/cpu/vectors.inl"

#include "kernels/cpu/math.inl"

#include "kernels/cpu/finish.inl"

#include "kernels/cpu/blocks.inl"

#include "kernels/cpu/tiles.inl"

}  // namespace

extern constinit const AmxKernels kAmxKernels = make_amx("amx");

}  // namespace janus::cpu
