// Products with weights in blocks: `ref` against values worked out by hand, and every level against
// `ref` bit by bit over whatever bytes a file may hold and rows of every range.
// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <map>
#include <string>
#include <vector>

#include "base/error.h"
#include "levels.h"
#include "op_inputs.h"

namespace janus {
namespace {

constexpr std::array kTypes = {Dtype::q8_0, Dtype::q4_0, Dtype::q4_k, Dtype::q6_k};

// Where the f16 of a block are.
std::vector<size_t> scales_of(Dtype dtype) {
  if (dtype == Dtype::q4_k) return {0, 2};
  return {dtype == Dtype::q6_k ? size_t{208} : size_t{0}};
}

// Any codes under scales of either sign, small ones without an exponent among them.
Weight random_blocks(const Backend& backend, Dtype dtype, int64_t outputs, int64_t inputs) {
  Philox random(11, static_cast<uint64_t>(dtype));
  const auto rows = [&](int64_t, std::span<std::byte> out) {
    for (std::byte& b : out) b = static_cast<std::byte>(random.below(256));
    for (size_t at = 0; at < out.size(); at += static_cast<size_t>(traits(dtype).bytes)) {
      for (const size_t place : scales_of(dtype)) {
        const auto scale = static_cast<uint16_t>(random.below(2) << 15 | random.below(0x3000));
        std::memcpy(&out[at + place], &scale, sizeof scale);
      }
    }
  };
  return backend.pack_blocks(dtype, outputs, inputs, rows);
}

// Blocks of all sizes: large and small beside each other, zeros, numbers below the least scale.
OwnedTensor uneven_rows(int64_t rows, int64_t inputs) {
  OwnedTensor x = random_tensor(5, {rows, inputs});
  Philox random(12, 0);
  for (int64_t i = 0; i < x.view.count(); ++i) {
    const int64_t kind = i / 32 % 8;
    float& value = x.view.f32()[i];
    if (kind == 1) value = 0;
    if (kind == 2) value *= 0x1p-66f;
    if (kind == 3) value *= 0x1p-40f;
    if (kind == 4) value *= 0x1p70f;
    if (kind == 5 && i % 32 == 7) value *= 1000;
    if (kind == 6)
      value = static_cast<float>(random.below(255)) - 127;  // halves of a step and ends
    if (kind == 7) value = (static_cast<float>(random.below(253)) - 126) / 2;
  }
  return x;
}

void expect_same_bits(const Tensor& got, const Tensor& expected, const std::string& what) {
  for (int64_t i = 0; i < expected.count(); ++i) {
    ASSERT_EQ(std::bit_cast<uint32_t>(got.f32()[i]), std::bit_cast<uint32_t>(expected.f32()[i]))
        << what << ": element " << i << " is " << got.f32()[i] << ", ref has " << expected.f32()[i];
  }
}

class LevelBlocks : public testing::TestWithParam<std::string> {};

TEST_P(LevelBlocks, HaveTheBitsOfRef) {
  const auto backend = open_level(GetParam(), 2), ref = open_backend("ref");
  constexpr int64_t kOutputs = 53;  // three panels and a tail
  for (const Dtype dtype : kTypes) {
    for (const int64_t blocks : {1, 2, 3, 33, 65}) {
      const int64_t inputs = traits(dtype).block == 32 ? blocks * 32 : (blocks + 2) / 3 * 256;
      const Weight w = random_blocks(*backend, dtype, kOutputs, inputs);
      const Weight plain = random_blocks(*ref, dtype, kOutputs, inputs);
      for (const int64_t rows : {1, 2, 3, 4, 5, 6, 7, 8, 9, 13, 16, 23, 40, 100}) {
        const OwnedTensor x = uneven_rows(rows, inputs);
        for (const Epilogue epilogue : {Epilogue::store, Epilogue::add}) {
          const OwnedTensor got = random_tensor(9, {rows, kOutputs}), expected = copy_of(got.view);
          backend->linear(x.view, w, got.view, epilogue);
          ref->linear(x.view, plain, expected.view, epilogue);
          expect_same_bits(got.view, expected.view,
                           std::string(traits(dtype).name) + " [" + std::to_string(rows) + ", " +
                               std::to_string(inputs) + "]");
        }
      }
    }
  }
}

TEST_P(LevelBlocks, LetWhatIsNotFiniteThrough) {
  for (const char* name : {"cpu", "ref"}) {
    const auto backend =
        name == std::string("ref") ? open_backend("ref") : open_level(GetParam(), 2);
    for (const Dtype dtype : kTypes) {
      const Weight w = pack(*backend, dtype, random_tensor(2, {20, 256}).view);
      for (const float bad :
           {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(),
            -std::numeric_limits<float>::infinity()}) {
        OwnedTensor x = random_tensor(1, {3, 256});
        x.view.row(1)[40] = bad;
        const OwnedTensor out(Dtype::f32, {3, 20});
        backend->linear(x.view, w, out.view);
        for (int64_t o = 0; o < 20; ++o) {
          EXPECT_TRUE(std::isfinite(out.view.row(0)[o])) << name;
          EXPECT_FALSE(std::isfinite(out.view.row(1)[o])) << name << ' ' << bad;
          EXPECT_TRUE(std::isfinite(out.view.row(2)[o])) << name;
        }
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Levels, LevelBlocks, testing::ValuesIn(tested_levels()),
                         [](const auto& level) { return level.param; });

// Two blocks: the first of x has the scale 1/2 and halves that go to even, the second is zero but
// for one number whose scale is rounded to bf16.
TEST(RefBlocks, AreWorkedOutByHand) {
  const auto ref = open_backend("ref");
  OwnedTensor x(Dtype::f32, {1, 64});
  float* row = x.view.f32();
  row[0] = 63.5f;    // 127 steps
  row[1] = -1.25f;   // -2.5 steps: -2
  row[2] = 1.75f;    // 3.5 steps: 4
  row[32 + 31] = 1;  // scale bf16(1/127) = 0x3c01 = 0.00787353515625, so 1/scale = 127.008…: 127
  std::vector<std::byte> blocks(68);
  const auto put = [&](size_t at, uint16_t scale) { std::memcpy(&blocks[at], &scale, 2); };
  put(0, 0x4000);               // 2
  blocks[2] = std::byte{3};     // w of number 0
  blocks[3] = std::byte{0x80};  // -128
  blocks[4] = std::byte{10};
  put(34, 0xb800);  // -1/2
  blocks[36 + 31] = std::byte{5};
  const Weight w = ref->pack_blocks(Dtype::q8_0, 1, 64, [&](int64_t, std::span<std::byte> out) {
    std::copy(blocks.begin(), blocks.end(), out.begin());
  });
  const OwnedTensor out(Dtype::f32, {1, 1});
  ref->linear(x.view, w, out.view);
  const float first = static_cast<float>(127 * 3 + 2 * 128 + 4 * 10) * 0.5f * 2;
  const float second = static_cast<float>(127 * 5) * 0.00787353515625f * -0.5f;
  EXPECT_EQ(out.view.f32()[0], first + second);
}

// One number of x in each of two runs, of q4_k with their least numbers: these count for all of x,
// and only a run's own x.
TEST(RefBlocks, OfRunsAreWorkedOutByHand) {
  const auto ref = open_backend("ref");
  OwnedTensor x(Dtype::f32, {1, 256});
  x.view.f32()[0] = 63.5f;     // scale 1/2, q = 127
  x.view.f32()[1] = -1.25f;    // -2
  x.view.f32()[255] = -63.5f;  // in the last run
  const auto product = [&](Dtype dtype, const std::vector<std::byte>& block) {
    const Weight w = ref->pack_blocks(dtype, 1, 256, [&](int64_t, std::span<std::byte> out) {
      std::copy(block.begin(), block.end(), out.begin());
    });
    const OwnedTensor out(Dtype::f32, {1, 1});
    ref->linear(x.view, w, out.view);
    return out.view.f32()[0];
  };
  const auto put = [](std::vector<std::byte>& block, size_t at, uint16_t f16) {
    std::memcpy(&block[at], &f16, 2);
  };
  std::vector<std::byte> four(144);
  put(four, 0, 0x4000);            // 2
  put(four, 2, 0x3800);            // 1/2
  four[4] = std::byte{3};          // run 0: 3 of them a step,
  four[8] = std::byte{5};          // … and 5/2 below
  four[4 + 11] = std::byte{0x21};  // run 7: 1 of them, and 2/2 below
  four[16] = std::byte{7};         // number 0
  four[17] = std::byte{15};        // number 1
  four[143] = std::byte{0xb0};     // number 255: 11
  EXPECT_EQ(product(Dtype::q4_k, four), (127 * 7 - 2 * 15) / 2.0f * 6 - 125 / 2.0f * 2.5f +
                                            (-127 * 11) / 2.0f * 2 + 127 / 2.0f * 1);
  std::vector<std::byte> six(210);
  put(six, 208, 0xb800);            // -1/2
  six[192] = std::byte{3};          // run 0
  six[192 + 15] = std::byte{0xfe};  // run 15: -2
  six[0] = std::byte{5};            // number 0: 5 - 32
  six[1] = std::byte{15};           // number 1: 63 - 32
  six[129] = std::byte{3};
  six[127] = std::byte{0x40};  // number 255: 4 + 16 - 32
  six[191] = std::byte{0x40};
  EXPECT_EQ(product(Dtype::q6_k, six),
            (127 * -27 - 2 * 31) / 2.0f * -1.5f + (-127 * -12) / 2.0f * 1.0f);
}

// 1321·2⁴⁴ and then 2³⁰ + 1 more: a little above halfway between two f32, by a part that f64 cannot
// hold. Who rounds to f64 and then to f32 goes to the even one below.
TEST_P(LevelBlocks, OfRunsAreAddedRoundingOnce) {
  for (const char* name : {"cpu", "ref"}) {
    const auto backend =
        name == std::string("ref") ? open_backend("ref") : open_level(GetParam(), 1);
    const auto rows = [](int64_t o, std::span<std::byte> out) {
      std::ranges::fill(out, std::byte{0});
      const uint16_t scale = 0x6529;  // 1321
      std::memcpy(&out[208], &scale, 2);
      const int sign = o % 2 == 0 ? 1 : -1;
      out[192] = static_cast<std::byte>(sign & 255);           // of numbers 0 and 1, both 1
      out[192 + 2] = static_cast<std::byte>(25 * sign & 255);  // of numbers 32 and 33: 6 and 1
      out[0] = out[1] = out[33] = std::byte{1};
      out[32] = std::byte{6};
      out[128] = out[129] = std::byte{2 | 2 << 2};
    };
    const Weight w = backend->pack_blocks(Dtype::q6_k, 4, 256, rows);
    OwnedTensor x(Dtype::f32, {1, 256});
    x.view.f32()[0] = 127 * 0x1p37f;  // scale 2³⁷
    x.view.f32()[1] = 0x1p37f;
    x.view.f32()[32] = 127 * 41;  // scale 41, and 1321 · 25 · 41 · (127·6 + 31) = 2³⁰ + 1
    x.view.f32()[33] = 31 * 41;
    const OwnedTensor out(Dtype::f32, {1, 4});
    backend->linear(x.view, w, out.view);
    const float expected = 1321 * 0x1p44f + 0x1p31f;
    for (int64_t o = 0; o < 4; ++o) {
      EXPECT_EQ(out.view.f32()[o], o % 2 == 0 ? expected : -expected) << name << ' ' << o;
    }
  }
}

// What blocks lose against f32 weights: half a step of either side.
TEST(RefBlocks, StayNearTheNumbers) {
  const auto ref = open_backend("ref");
  const OwnedTensor x = random_tensor(1, {4, 512}), w = random_tensor(2, {30, 512});
  const OwnedTensor exact(Dtype::f32, {4, 30}), out(Dtype::f32, {4, 30});
  ref->linear(x.view, pack(*ref, Dtype::f32, w.view), exact.view);
  std::map<Dtype, double> off;
  for (const Dtype dtype : kTypes) {
    double power = 0;
    ref->linear(x.view, pack(*ref, dtype, w.view), out.view);
    for (int64_t i = 0; i < out.view.count(); ++i) {
      const double e = static_cast<double>(out.view.f32()[i] - exact.view.f32()[i]);
      off[dtype] += e * e;
      power += std::pow(static_cast<double>(exact.view.f32()[i]), 2);
    }
    off[dtype] = std::sqrt(off[dtype] / power);
  }
  // Uniform numbers: a step of 1/127 has 1/127/√12 of the largest, √3 of the mean, on each side.
  EXPECT_LT(off[Dtype::q8_0], 1.5 * std::sqrt(2.0) / 127 / 2);
  EXPECT_LT(off[Dtype::q6_k], 1.5 * std::sqrt(2.0) / 31 / 2);
  EXPECT_LT(off[Dtype::q4_0], 1.5 / 8 / 2);
  EXPECT_LT(off[Dtype::q4_k], 1.5 / 7.5 / 2);
  EXPECT_GT(off[Dtype::q6_k], off[Dtype::q8_0]);
  EXPECT_GT(off[Dtype::q4_k], off[Dtype::q6_k]);
  EXPECT_GT(off[Dtype::q4_0], off[Dtype::q4_k]);  // whose codes reach from the least to the largest
}

TEST(RefBlocks, WantWholeBlocks) {
  const auto ref = open_backend("ref");
  EXPECT_THROW(pack(*ref, Dtype::q8_0, random_tensor(2, {3, 40}).view), Error);
  EXPECT_THROW(pack(*ref, Dtype::q4_k, random_tensor(2, {3, 288}).view), Error);
  EXPECT_THROW(pack(*ref, Dtype::q6_k, random_tensor(2, {3, 128}).view), Error);
  const auto nothing = [](int64_t, std::span<std::byte>) {};
  EXPECT_THROW(ref->pack_blocks(Dtype::bf16, 3, 32, nothing), Error);
}

}  // namespace
}  // namespace janus
