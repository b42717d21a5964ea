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
#include "base/k_quant.h"
#include "base/rng.h"

namespace janus {
namespace {

constexpr std::array kFloats = {Dtype::f32, Dtype::f16, Dtype::bf16, Dtype::q8_0, Dtype::q4_0};

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
  EXPECT_EQ(bytes_of(Dtype::q4_0, 64), 36);
  EXPECT_EQ(bytes_of(Dtype::q4_k, 512), 288);
  EXPECT_EQ(bytes_of(Dtype::q6_k, 512), 420);
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
      // f16 of the scale moves every value of a q8_0 block by up to 2⁻¹¹ of the largest. A step of
      // q4_0 is an eighth of the largest, and on the largest's other side the last code is 7.
      const float bound = type == Dtype::f32    ? 0
                          : type == Dtype::f16  ? std::abs(values[i]) * 0x1p-11f
                          : type == Dtype::bf16 ? std::abs(values[i]) * 0x1p-8f
                          : type == Dtype::q8_0 ? largest * (0.5f / 127 + 0x1p-11f)
                                                : largest * (1.0f / 8 + 0x1p-11f);
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

// Gaussian and heavy-tailed numbers lose at most 2 % more than what ggml_quantize_chunk of ggml's
// version 0.9 made of such.
TEST(Quant, RunsLoseWhatGgmlsLose) {
  constexpr size_t kCount = 256 * 400;
  Philox random(7, 11);
  std::vector<float> gauss(kCount), laplace(kCount);
  for (size_t i = 0; i < kCount; ++i) {
    const double a = random.uniform() + 0x1p-25, b = random.uniform();
    gauss[i] = static_cast<float>(std::sqrt(-2 * std::log(a)) * std::cos(b * 6.283185307179586));
    laplace[i] = static_cast<float>(-std::log(a) * (b < 0.5 ? -1 : 1));
  }
  const auto lost = [](Dtype type, const std::vector<float>& values) {
    const std::vector<float> back = decoded(type, encoded(type, values), 0, kCount);
    double off = 0, power = 0;
    for (size_t i = 0; i < kCount; ++i) {
      off += std::pow(static_cast<double>(back[i] - values[i]), 2);
      power += std::pow(static_cast<double>(values[i]), 2);
    }
    return std::sqrt(off / power);
  };
  EXPECT_LT(lost(Dtype::q4_k, gauss), 1.02 * 0.0713);
  EXPECT_LT(lost(Dtype::q6_k, gauss), 1.02 * 0.0177);
  EXPECT_LT(lost(Dtype::q4_k, laplace), 1.02 * 0.0846);
  EXPECT_LT(lost(Dtype::q6_k, laplace), 1.02 * 0.0217);
}

TEST(Quant, ExtremesOfRuns) {
  for (const Dtype type : {Dtype::q4_k, Dtype::q6_k}) {
    const auto first = [type](float value, size_t at) {
      std::vector<float> values(256, 0.0f);
      values[at] = value;
      return decoded(type, encoded(type, values), static_cast<int64_t>(at), 1)[0];
    };
    for (const float tiny : {0.0f, -0.0f, 1e-44f, -1e-44f}) EXPECT_EQ(first(tiny, 3), 0.0f);
    for (const float size : {1.0f, -1.0f, 1000.0f, -3e-3f}) {
      EXPECT_NEAR(first(size, 40), size, std::abs(size) * 1e-2f);
    }
    // Near the type's end, scales are finite; at it they are not.
    const float limit = type == Dtype::q4_k ? kLimitQ4K : kLimitQ6K;
    for (const float sign : {1.0f, -1.0f}) {
      EXPECT_NEAR(first(sign * std::nextafter(limit, 0.0f), 40) / limit, sign, 1e-2f);
      EXPECT_FALSE(std::isfinite(first(sign * limit, 40)));
    }
    constexpr float kInfinite = std::numeric_limits<float>::infinity();
    constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();
    for (const float bad : {3e38f, -3e38f, kInfinite, -kInfinite, kNaN}) {
      EXPECT_FALSE(std::isfinite(first(bad, 200))) << bad;
    }
    // All alike: of q4_k on either side of 0.
    for (const float same : {0.7f, -0.7f}) {
      const auto bytes = encoded(type, std::vector<float>(256, same));
      for (const float value : decoded(type, bytes, 0, 256)) EXPECT_NEAR(value, same, 1e-3f);
    }
  }
}

TEST(Quant, DecodesFromAnyPlace) {
  const std::vector<float> values = random_values(512, 3);
  for (const Dtype type : kDtypes) {
    if (!traits(type).is_float) continue;
    const auto bytes = encoded(type, values);
    const std::vector<float> all = decoded(type, bytes, 0, 512);
    for (int64_t begin = 0; begin <= 512; ++begin) {
      for (const int64_t count : {0, 1, 31, 32, 33, 70, 160, 257, 512}) {
        if (begin + count > 512) continue;
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

TEST(Quant, BlocksOfQ4AreGgmls) {
  std::vector<float> values(32);
  for (size_t i = 0; i < 32; ++i) values[i] = static_cast<float>(i) - 16;  // -16 … 15
  const auto bytes = encoded(Dtype::q4_0, values);
  uint16_t scale;
  std::memcpy(&scale, bytes.data(), 2);
  EXPECT_EQ(scale, f32_to_f16(2.0f));         // the largest, -16, has code 0
  EXPECT_EQ(bytes[2], std::byte{0x80});       // values 0 and 16: -16 is 0, 0 is 8
  EXPECT_EQ(bytes[2 + 15], std::byte{0xf8});  // values 15 and 31: -1 is 7.5 + .5, 15 is cut to 15
  values.assign(32, 0.0f);
  values[3] = 8;  // a positive largest has a negative scale
  values[4] = -7;
  const auto negative = encoded(Dtype::q4_0, values);
  std::memcpy(&scale, negative.data(), 2);
  EXPECT_EQ(scale, f32_to_f16(-1.0f));
  EXPECT_EQ(decoded(Dtype::q4_0, negative, 3, 2), (std::vector<float>{8, -7}));
}

// One block worked out by hand, each part of it set apart from the rest.
TEST(Quant, BlocksOfQ4KAreGgmls) {
  std::vector<std::byte> block(144);
  const auto put_f16 = [&](size_t at, float value) {
    const uint16_t stored = f32_to_f16(value);
    std::memcpy(&block[at], &stored, 2);
  };
  put_f16(0, 0.5f);
  put_f16(2, 0.25f);
  block[4] = std::byte{0xc0 | 3};         // run 0: factor 3; run 4: bits 4 and 5 of its factor
  block[8] = std::byte{0x40 | 5};         // run 0: offset 5; run 4: bit 4 of its offset
  block[12] = std::byte{0x70 | 2};        // run 4: factor 2 + 48, offset 7 + 16
  block[16] = std::byte{0x9a};            // first number of runs 0 and 1
  block[16 + 64 + 31] = std::byte{0x0f};  // last number of runs 4 and 5
  EXPECT_EQ(decoded(Dtype::q4_k, block, 0, 1)[0], 0.5f * 3 * 10 - 0.25f * 5);
  EXPECT_EQ(decoded(Dtype::q4_k, block, 1, 1)[0], -0.25f * 5);
  EXPECT_EQ(decoded(Dtype::q4_k, block, 32, 1)[0], 0);  // run 1: factor and offset 0
  EXPECT_EQ(decoded(Dtype::q4_k, block, 4 * 32 + 31, 1)[0], 0.5f * 50 * 15 - 0.25f * 23);
}

TEST(Quant, BlocksOfQ6KAreGgmls) {
  std::vector<std::byte> block(210);
  const uint16_t scale = f32_to_f16(0.5f);
  std::memcpy(&block[208], &scale, 2);
  for (size_t run = 0; run < 16; ++run) block[192 + run] = static_cast<std::byte>(run + 1);
  block[192 + 15] = std::byte{0xfd};   // -3
  block[0] = std::byte{0x21};          // numbers 0 and 64: low bits 1 and 2
  block[128] = std::byte{0b10000011};  // numbers 0, 32, 64, 96: high bits 3, 0, 0, 2
  block[127] = std::byte{0x40};        // number 255 (and 191): low bits 4
  const auto value = [&](int64_t at) { return decoded(Dtype::q6_k, block, at, 1)[0]; };
  EXPECT_EQ(value(0), 0.5f * 1 * (1 + 48 - 32));
  EXPECT_EQ(value(32), 0.5f * 3 * (0 - 32));
  EXPECT_EQ(value(64), 0.5f * 5 * (2 - 32));
  EXPECT_EQ(value(96), 0.5f * 7 * (32 - 32));
  EXPECT_EQ(value(255), 0.5f * -3 * (4 - 32));
}

TEST(Quant, ExtremesOfQ4) {
  // As the package has them: the largest of zeros is the first, and 0 / -8 is -0.
  auto zeros = encoded(Dtype::q4_0, std::vector<float>(32, 0.0f));
  EXPECT_EQ(zeros[1], std::byte{0x80});
  EXPECT_EQ(zeros[2], std::byte{0x88});
  zeros = encoded(Dtype::q4_0, std::vector<float>(32, -0.0f));
  EXPECT_EQ(zeros[1], std::byte{0});
  const auto tiny = encoded(Dtype::q4_0, std::vector<float>(32, 1e-44f));
  EXPECT_EQ(decoded(Dtype::q4_0, tiny, 7, 1)[0], 0.0f);
  const auto huge = encoded(Dtype::q4_0, std::vector<float>(32, 3e38f));
  EXPECT_TRUE(std::isinf(decoded(Dtype::q4_0, huge, 5, 1)[0]));
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
  std::vector<std::byte> block(144);
  EXPECT_THROW(encode(Dtype::q4_k, std::vector<float>(128), block), Error);
  EXPECT_THROW(encode(Dtype::q6_k, std::vector<float>(256), block), Error);
}

}  // namespace
}  // namespace janus
