// See quant.h. Bytes of block types are exactly those of ggml (ggml-quants.c, quantize_row_…_ref
// and dequantize_row_…; the same as `gguf.quants` of PyPI). SPDX-License-Identifier: MIT
#include "base/quant.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

#include "base/error.h"
#include "base/half.h"
#include "base/k_quant.h"

namespace janus {
namespace {

// How `n` elements, whole blocks, go into bytes and come back. The bytes may lie at any address, so
// they are copied and never pointed at.
struct Storage {
  void (*encode)(const float* from, std::byte* to, int64_t n);
  void (*decode)(const std::byte* from, float* to, int64_t n);
};

template <class Stored, auto kConvert>
void encode_each(const float* from, std::byte* to, int64_t n) {
  for (int64_t i = 0; i < n; ++i) {
    const Stored value = kConvert(from[i]);
    std::memcpy(to + i * int64_t{sizeof value}, &value, sizeof value);
  }
}

template <class Stored, auto kConvert>
void decode_each(const std::byte* from, float* to, int64_t n) {
  for (int64_t i = 0; i < n; ++i) {
    Stored value;
    std::memcpy(&value, from + i * int64_t{sizeof value}, sizeof value);
    to[i] = kConvert(value);
  }
}

float same(float value) { return value; }

// --- q8_0: an f16 scale, then 32 int8; a value is scale · integer ------------------------------

constexpr int64_t kQ8Block = traits(Dtype::q8_0).block;
constexpr int64_t kQ8Bytes = traits(Dtype::q8_0).bytes;

// Nearest integer, halves away from zero. What does not fit an int8 (only a scale too small to have
// a reciprocal leads there) becomes 0: its scale is 0 as f16 anyway.
int8_t rounded(float x) {
  if (!(std::abs(x) < 128)) return 0;
  const float size = std::abs(x);
  const auto whole = static_cast<int>(size);
  const int nearest = whole + (size - static_cast<float>(whole) >= 0.5f ? 1 : 0);
  return static_cast<int8_t>(x < 0 ? -nearest : nearest);
}

void encode_q8_0(const float* from, std::byte* to, int64_t n) {
  for (int64_t i = 0; i < n; i += kQ8Block, to += kQ8Bytes) {
    float largest = 0;
    for (int64_t k = 0; k < kQ8Block; ++k) largest = std::max(largest, std::abs(from[i + k]));
    const float scale = largest / 127;
    const float reciprocal = scale == 0 ? 0 : 1 / scale;
    const uint16_t stored = f32_to_f16(scale);
    std::memcpy(to, &stored, sizeof stored);
    for (int64_t k = 0; k < kQ8Block; ++k) {
      const int8_t quant = rounded(from[i + k] * reciprocal);
      std::memcpy(to + sizeof stored + k, &quant, 1);
    }
  }
}

void decode_q8_0(const std::byte* from, float* to, int64_t n) {
  for (int64_t i = 0; i < n; i += kQ8Block, from += kQ8Bytes) {
    uint16_t stored;
    std::memcpy(&stored, from, sizeof stored);
    const float scale = f16_to_f32(stored);
    std::array<int8_t, kQ8Block> quants;
    std::memcpy(quants.data(), from + sizeof stored, quants.size());
    for (int64_t k = 0; k < kQ8Block; ++k) {
      to[i + k] = scale * static_cast<float>(quants[static_cast<size_t>(k)]);
    }
  }
}

// --- q4_0: an f16 scale, then 32 codes of 4 bits; a value is scale · (code - 8) ----------------

constexpr int64_t kQ4Block = traits(Dtype::q4_0).block;
constexpr int64_t kQ4Bytes = traits(Dtype::q4_0).bytes;

// The nearest code. What is far outside (only a scale too small to have a reciprocal leads there)
// becomes 0, as in ggml: its scale is 0 as f16 anyway.
int code_of_four(float x) {
  if (!(std::abs(x) < 128)) return 0;
  return std::clamp(static_cast<int>(x + 8.5f), 0, 15);
}

// The number of largest size, the first of equals, becomes code 0, which alone is 8 steps away.
void encode_q4_0(const float* from, std::byte* to, int64_t n) {
  for (int64_t i = 0; i < n; i += kQ4Block, to += kQ4Bytes) {
    float largest = from[i];
    for (int64_t k = 1; k < kQ4Block; ++k) {
      if (std::abs(from[i + k]) > std::abs(largest)) largest = from[i + k];
    }
    const float scale = largest / -8;
    const float reciprocal = scale == 0 ? 0 : 1 / scale;
    const uint16_t stored = f32_to_f16(scale);
    std::memcpy(to, &stored, sizeof stored);
    for (int64_t k = 0; k < kQ4Block / 2; ++k) {
      const int low = code_of_four(from[i + k] * reciprocal);
      const int high = code_of_four(from[i + k + kQ4Block / 2] * reciprocal);
      to[int64_t{sizeof stored} + k] = static_cast<std::byte>(low | high << 4);
    }
  }
}

float f16_at(const std::byte* from) {
  uint16_t stored;
  std::memcpy(&stored, from, sizeof stored);
  return f16_to_f32(stored);
}

void decode_q4_0(const std::byte* from, float* to, int64_t n) {
  for (int64_t i = 0; i < n; i += kQ4Block, from += kQ4Bytes) {
    const float scale = f16_at(from);
    for (int64_t k = 0; k < kQ4Block / 2; ++k) {
      const auto codes = std::to_integer<int>(from[2 + k]);
      to[i + k] = scale * static_cast<float>((codes & 15) - 8);
      to[i + k + kQ4Block / 2] = scale * static_cast<float>((codes >> 4) - 8);
    }
  }
}

Storage storage_of(Dtype type) {
  switch (type) {
    case Dtype::f32:
      return {encode_each<float, same>, decode_each<float, same>};
    case Dtype::f16:
      return {encode_each<uint16_t, f32_to_f16>, decode_each<uint16_t, f16_to_f32>};
    case Dtype::bf16:
      return {encode_each<uint16_t, f32_to_bf16>, decode_each<uint16_t, bf16_to_f32>};
    case Dtype::q8_0:
      return {encode_q8_0, decode_q8_0};
    case Dtype::q4_0:
      return {encode_q4_0, decode_q4_0};
    case Dtype::q4_k:
      return {encode_q4_k, decode_q4_k};
    case Dtype::q6_k:
      return {encode_q6_k, decode_q6_k};
    default:
      fail(Code::bug, "numbers of type ", traits(type).name, " are read or written as f32");
  }
}

}  // namespace

void encode(Dtype type, std::span<const float> values, std::span<std::byte> out) {
  const auto n = static_cast<int64_t>(values.size());
  check(n % traits(type).block == 0 && bytes_of(type, n) == static_cast<int64_t>(out.size()),
        Code::bug, n, " numbers do not fill ", out.size(), " bytes of ", traits(type).name);
  storage_of(type).encode(values.data(), out.data(), n);
}

void decode(Dtype type, std::span<const std::byte> data, int64_t begin, std::span<float> out) {
  const int64_t block = traits(type).block;
  const int64_t end = begin + static_cast<int64_t>(out.size());
  check(begin >= 0 && bytes_of(type, (end + block - 1) / block * block) <= std::ssize(data),
        Code::bug, "elements ", begin, " to ", end, " of ", data.size(), " bytes of ",
        traits(type).name, " are asked for");
  const Storage storage = storage_of(type);
  const auto at = [&](int64_t element) { return data.data() + bytes_of(type, element); };
  std::array<float, 256> part;  // of a block that `out` holds in part
  const auto partly = [&](int64_t from, int64_t to) {
    const int64_t first = from / block * block;
    storage.decode(at(first), part.data(), block);
    std::copy(part.begin() + (from - first), part.begin() + (to - first),
              out.begin() + (from - begin));
  };
  int64_t from = begin;
  if (from % block != 0 && from < end) {
    const int64_t to = std::min(end, (from / block + 1) * block);
    partly(from, to);
    from = to;
  }
  const int64_t whole = from + (end - from) / block * block;
  storage.decode(at(from), out.data() + (from - begin), whole - from);
  if (whole < end) partly(whole, end);
}

}  // namespace janus
