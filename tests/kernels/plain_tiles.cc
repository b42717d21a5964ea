// Compiled as isa_avx512vnni.cc is (tests/CMakeLists.txt). SPDX-License-Identifier: MIT
#include "plain_tiles.h"

#include <immintrin.h>

namespace janus::cpu {
namespace {

#include "kernels/cpu/vec_avx512.inl"

#include "kernels/cpu/vnni.inl"

constexpr int kRowsBeside = kTileHeight;

// Operations as Intel's Software Developer's Manual, volume 2, states them. Where the processor
// would raise a fault, so does this.
struct Tile {
  struct Register {
    int rows, bytes;
    uint8_t data[16][64];
  };
  static Register& at(int i) {
    static thread_local Register all[8];
    return all[i];
  }
  static void need(bool right) {
    if (!right) __builtin_trap();
  }

  static void begin(const uint8_t (&shapes)[64]) {
    need(shapes[0] == 1 && shapes[1] == 0);
    for (int i = 0; i < 8; ++i) {
      Register& r = at(i);
      r = {};
      r.rows = shapes[48 + i];
      r.bytes = shapes[16 + 2 * i] | shapes[17 + 2 * i] << 8;
      need(r.rows > 0 && r.rows <= 16 && r.bytes > 0 && r.bytes <= 64 && r.bytes % 4 == 0);
    }
  }
  static void end() {
    for (int i = 0; i < 8; ++i) at(i) = {};
  }

  template <int To>
  static void zero() {
    for (auto& row : at(To).data) __builtin_memset(row, 0, sizeof row);
  }
  template <int To>
  static void load(const void* rows, int64_t stride) {
    Register& to = at(To);
    need(to.rows > 0);
    zero<To>();
    for (int r = 0; r < to.rows; ++r) {
      __builtin_memcpy(to.data[r], static_cast<const char*>(rows) + r * stride,
                       static_cast<size_t>(to.bytes));
    }
  }
  template <int From>
  static void store(void* rows, int64_t stride) {
    const Register& from = at(From);
    need(from.rows > 0);
    for (int r = 0; r < from.rows; ++r) {
      __builtin_memcpy(static_cast<char*>(rows) + r * stride, from.data[r],
                       static_cast<size_t>(from.bytes));
    }
  }

  template <class T>
  static T get(const Register& r, int row, int i) {
    T value;
    __builtin_memcpy(&value, r.data[row] + i * static_cast<int>(sizeof value), sizeof value);
    return value;
  }
  template <class T>
  static void put(Register& r, int row, int i, T value) {
    __builtin_memcpy(r.data[row] + i * static_cast<int>(sizeof value), &value, sizeof value);
  }
  static void need_product(const Register& to, const Register& left, const Register& right) {
    need(to.rows > 0 && to.rows == left.rows && to.bytes == right.bytes &&
         left.bytes == 4 * right.rows);
  }

  template <int To, int Left, int Right>
  static void dot_bytes() {
    Register& to = at(To);
    const Register &left = at(Left), &right = at(Right);
    need_product(to, left, right);
    for (int m = 0; m < to.rows; ++m) {
      for (int n = 0; n < to.bytes / 4; ++n) {
        int32_t sum = get<int32_t>(to, m, n);
        for (int k = 0; k < left.bytes; ++k) {
          sum += get<int8_t>(left, m, k) * get<uint8_t>(right, k / 4, 4 * n + k % 4);
        }
        put(to, m, n, sum);
      }
    }
  }

  // Denormal numbers are zero on either side.
  static float flushed(float x) {
    return __builtin_fabsf(x) < 0x1p-126f ? __builtin_copysignf(0.0f, x) : x;
  }
  static float widened(uint16_t half) {
    const uint32_t bits = uint32_t{half} << 16;
    float x;
    __builtin_memcpy(&x, &bits, sizeof x);
    return flushed(x);
  }
  template <int To, int Left, int Right>
  static void dot_bf16() {
    Register& to = at(To);
    const Register &left = at(Left), &right = at(Right);
    need_product(to, left, right);
    for (int m = 0; m < to.rows; ++m) {
      for (int n = 0; n < to.bytes / 4; ++n) {
        float sums[2] = {0, 0};
        for (int k = 0; k < left.bytes / 2; ++k) {
          const float a = widened(get<uint16_t>(left, m, k));
          const float b = widened(get<uint16_t>(right, k / 2, 2 * n + k % 2));
          sums[k % 2] = flushed(__builtin_fmaf(a, b, sums[k % 2]));
        }
        const float both = flushed(sums[0] + sums[1]);
        put(to, m, n, flushed(get<float>(to, m, n) + both));
      }
    }
  }
};

#include "kernels/cpu/vectors.inl"

#include "kernels/cpu/math.inl"

#include "kernels/cpu/finish.inl"

#include "kernels/cpu/blocks.inl"

#include "kernels/cpu/tiles.inl"

}  // namespace

const AmxKernels kPlainTiles = make_amx("plain_tiles");

}  // namespace janus::cpu
