// Products with weights in blocks: `ref` against values worked out by hand, and every level against
// `ref` bit by bit over whatever bytes a file may hold and rows of every range.
// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "base/error.h"
#include "levels.h"
#include "op_inputs.h"

namespace janus {
namespace {

constexpr std::array kTypes = {Dtype::q8_0, Dtype::q4_0};

// Any codes under scales of either sign, small ones without an exponent among them.
Weight random_blocks(const Backend& backend, Dtype dtype, int64_t outputs, int64_t inputs) {
  Philox random(11, static_cast<uint64_t>(dtype));
  const auto rows = [&](int64_t, std::span<std::byte> out) {
    for (std::byte& b : out) b = static_cast<std::byte>(random.below(256));
    for (size_t at = 0; at < out.size(); at += static_cast<size_t>(traits(dtype).bytes)) {
      const auto scale = static_cast<uint16_t>(random.below(2) << 15 | random.below(0x3000));
      std::memcpy(&out[at], &scale, sizeof scale);
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
    for (const int64_t inputs : {32, 64, 96, 1056, 2080}) {
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
      const Weight w = pack(*backend, dtype, random_tensor(2, {20, 64}).view);
      for (const float bad :
           {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(),
            -std::numeric_limits<float>::infinity()}) {
        OwnedTensor x = random_tensor(1, {3, 64});
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

// What blocks lose against f32 weights: half a step of either side.
TEST(RefBlocks, StayNearTheNumbers) {
  const auto ref = open_backend("ref");
  const OwnedTensor x = random_tensor(1, {4, 512}), w = random_tensor(2, {30, 512});
  const OwnedTensor exact(Dtype::f32, {4, 30}), out(Dtype::f32, {4, 30});
  ref->linear(x.view, pack(*ref, Dtype::f32, w.view), exact.view);
  double power = 0, q8 = 0, q4 = 0;
  for (const Dtype dtype : kTypes) {
    ref->linear(x.view, pack(*ref, dtype, w.view), out.view);
    for (int64_t i = 0; i < out.view.count(); ++i) {
      const double e = static_cast<double>(out.view.f32()[i] - exact.view.f32()[i]);
      (dtype == Dtype::q8_0 ? q8 : q4) += e * e;
      if (dtype == Dtype::q8_0) power += std::pow(static_cast<double>(exact.view.f32()[i]), 2);
    }
  }
  // Uniform numbers: a step of 1/127 has 1/127/√12 of the largest, √3 of the mean, on each side.
  EXPECT_LT(std::sqrt(q8 / power), 1.5 * std::sqrt(2.0) / 127 / 2);
  EXPECT_LT(std::sqrt(q4 / power), 1.5 / 8 / 2);
  EXPECT_GT(q4, q8);
}

TEST(RefBlocks, WantWholeBlocks) {
  const auto ref = open_backend("ref");
  EXPECT_THROW(pack(*ref, Dtype::q8_0, random_tensor(2, {3, 40}).view), Error);
  EXPECT_THROW(pack(*ref, Dtype::q4_k, random_tensor(2, {3, 256}).view), Error);
  const auto nothing = [](int64_t, std::span<std::byte>) {};
  EXPECT_THROW(ref->pack_blocks(Dtype::bf16, 3, 32, nothing), Error);
}

}  // namespace
}  // namespace janus
