// Storage types: what goes in comes back as closely as the type allows, from any place in a row;
// the bytes of blocks are those that ggml defines (tests/parity/gguf.py holds them to its package).
// SPDX-License-Identifier: MIT
#include "base/quant.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "base/error.h"
#include "base/half.h"
#include "base/rng.h"

namespace janus {
namespace {

constexpr std::array kFloats = {Dtype::f32, Dtype::f16, Dtype::bf16, Dtype::q8_0};

std::vector<float> random_values(size_t count, uint64_t seed) {
  Philox random(7, seed);
  std::vector<float> values(count);
  for (float& value : values) {
    value = static_cast<float>(random.uniform() * 2 - 1) * std::exp2f(float(random.below(9)) - 4);
  }
  return values;
}

std::vector<std::byte> encoded(Dtype type, const std::vector<float>& values) {
  std::vector<std::byte> bytes(
      static_cast<size_t>(bytes_of(type, static_cast<int64_t>(values.size()))));
  encode(type, values, bytes);
  return bytes;
}

std::vector<float> decoded(Dtype type, const std::vector<std::byte>& bytes, int64_t begin,
                           int64_t count) {
  std::vector<float> values(static_cast<size_t>(count));
  decode(type, bytes, begin, values);
  return values;
}

TEST(Quant, RowsOfTraitsFitTheirTypes) {
  EXPECT_EQ(bytes_of(Dtype::f32, 64), 256);
  EXPECT_EQ(bytes_of(Dtype::bf16, 64), 128);
  EXPECT_EQ(bytes_of(Dtype::q8_0, 64), 68);
  for (const Dtype type : kDtypes) {
    EXPECT_FALSE(traits(type).name.empty());
    EXPECT_GT(traits(type).bytes, 0);
    for (const Dtype other : kDtypes) {
      if (type != other && traits(type).ggml >= 0) {
        EXPECT_NE(traits(type).ggml, traits(other).ggml);
      }
    }
  }
}

TEST(Quant, ErrorsStayWithinHalfAStep) {
  const std::vector<float> values = random_values(4096, 1);
  for (const Dtype type : kFloats) {
    const std::vector<float> back = decoded(type, encoded(type, values), 0, 4096);
    for (size_t i = 0; i < values.size(); ++i) {
      float largest = 0;
      for (size_t k = i / 32 * 32; k < i / 32 * 32 + 32; ++k) {
        largest = std::max(largest, std::abs(values[k]));
      }
      // f16 of the scale moves every value of a q8_0 block by up to 2⁻¹¹ of the largest.
      const float bound = type == Dtype::f32    ? 0
                          : type == Dtype::f16  ? std::abs(values[i]) * 0x1p-11f
                          : type == Dtype::bf16 ? std::abs(values[i]) * 0x1p-8f
                                                : largest * (0.5f / 127 + 0x1p-11f);
      ASSERT_LE(std::abs(back[i] - values[i]), bound) << traits(type).name << ' ' << i;
    }
  }
}

// Twice through the same type changes nothing the second time: converting a file again is safe.
TEST(Quant, WhatCameBackGoesInUnchanged) {
  const std::vector<float> values = random_values(4096, 2);
  for (const Dtype type : {Dtype::f32, Dtype::f16, Dtype::bf16}) {
    const auto once = encoded(type, values);
    EXPECT_EQ(encoded(type, decoded(type, once, 0, 4096)), once) << traits(type).name;
  }
}

TEST(Quant, DecodesFromAnyPlace) {
  const std::vector<float> values = random_values(160, 3);
  for (const Dtype type : kFloats) {
    const auto bytes = encoded(type, values);
    const std::vector<float> all = decoded(type, bytes, 0, 160);
    for (int64_t begin = 0; begin <= 160; ++begin) {
      for (const int64_t count : {0, 1, 31, 32, 33, 70, 160}) {
        if (begin + count > 160) continue;
        const std::vector<float> part = decoded(type, bytes, begin, count);
        ASSERT_TRUE(std::equal(part.begin(), part.end(), all.begin() + begin))
            << traits(type).name << ' ' << begin << " + " << count;
      }
    }
  }
}

TEST(Quant, BlocksOfQ8AreGgmls) {
  std::vector<float> values(32);
  for (size_t i = 0; i < 32; ++i) values[i] = static_cast<float>(i) - 16;  // -16 … 15
  const auto bytes = encoded(Dtype::q8_0, values);
  uint16_t scale;
  std::memcpy(&scale, bytes.data(), 2);
  EXPECT_EQ(scale, f32_to_f16(16.0f / 127));
  EXPECT_EQ(static_cast<int8_t>(bytes[2]), -127);
  EXPECT_EQ(static_cast<int8_t>(bytes[2 + 16]), 0);
  EXPECT_EQ(static_cast<int8_t>(bytes[2 + 31]), 119);  // 15 · 127 / 16 = 119.06
  // Halves go away from zero: with a scale of 1, -2.5 is -3 and 2.5 is 3.
  values.assign(32, 0.0f);
  values[0] = 127;
  values[1] = 2.5f;
  values[2] = -2.5f;
  values[3] = std::nextafterf(2.5f, 0);
  const auto halves = encoded(Dtype::q8_0, values);
  EXPECT_EQ(static_cast<int8_t>(halves[3]), 3);
  EXPECT_EQ(static_cast<int8_t>(halves[4]), -3);
  EXPECT_EQ(static_cast<int8_t>(halves[5]), 2);
}

TEST(Quant, ExtremesOfQ8) {
  const std::vector<std::byte> zeros(34);
  EXPECT_EQ(encoded(Dtype::q8_0, std::vector<float>(32, 0.0f)), zeros);
  EXPECT_EQ(encoded(Dtype::q8_0, std::vector<float>(32, -0.0f)), zeros);
  EXPECT_EQ(encoded(Dtype::q8_0, std::vector<float>(32, 1e-44f)), zeros);
  const auto huge = encoded(Dtype::q8_0, std::vector<float>(32, 3e38f));
  EXPECT_TRUE(std::isinf(decoded(Dtype::q8_0, huge, 5, 1)[0]));
}

TEST(Quant, RefusesWhatDoesNotFit) {
  std::vector<float> values(32);
  std::vector<std::byte> bytes(34);
  EXPECT_THROW(encode(Dtype::q8_0, std::span(values).first(31), bytes), Error);
  EXPECT_THROW(encode(Dtype::f32, values, bytes), Error);
  EXPECT_THROW(encode(Dtype::i32, std::span(values).first(1), std::span(bytes).first(4)), Error);
  EXPECT_THROW(decode(Dtype::q8_0, std::span(bytes).first(33), 0, std::span(values).first(1)),
               Error);
  EXPECT_THROW(decode(Dtype::f16, bytes, 17, std::span(values).first(1)), Error);
  EXPECT_THROW(decode(Dtype::f16, bytes, -1, std::span(values).first(1)), Error);
  EXPECT_THROW(decode(Dtype::u8, bytes, 0, values), Error);
}

}  // namespace
}  // namespace janus
