// Keys and values in 8 bits: their codes by hand, the same on every backend, and how far attention
// with them is from attention without.
// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "kernels/cache_codes.h"
#include "kernels/op_inputs.h"
#include "levels.h"

namespace janus {
namespace {

std::vector<std::unique_ptr<Backend>> backends() {
  std::vector<std::unique_ptr<Backend>> all;
  all.push_back(open_backend("ref"));
  for (const std::string& isa : tested_levels()) {
    all.push_back(open_level(isa, 2));
  }
  return all;
}

struct Encoded {
  std::vector<int8_t> codes;
  float scale;
  explicit Encoded(const std::vector<float>& x)
      : codes(x.size()),
        scale(encode_cache_row(x.data(), static_cast<int64_t>(x.size()), codes.data())) {}
};

TEST(CacheCodes, ByHand) {
  const Encoded a({127, -63.5f, 0.5f, 1.5f, 2.5f, -127, 0});
  EXPECT_EQ(a.scale, 127.0f * (1.0f / 127.0f));
  EXPECT_EQ(a.codes, (std::vector<int8_t>{127, -64, 0, 2, 2, -127, 0}));  // halves to even
  const Encoded none({0, -0.0f, 0x1p-65f});
  EXPECT_EQ(none.scale, 0.0f);
  EXPECT_EQ(none.codes, (std::vector<int8_t>{0, 0, 0}));
  const Encoded least({0x1p-64f, 0});
  EXPECT_GT(least.scale, 0.0f);
  EXPECT_EQ(least.codes[0], 127);
  EXPECT_FALSE(std::isfinite(Encoded({1, INFINITY}).scale));
  EXPECT_FALSE(std::isfinite(Encoded({std::nanf(""), 1}).scale));
}

TEST(CacheCodes, AreWithinHalfAStep) {
  const OwnedTensor x = random_tensor(5, {50, 128});
  for (int64_t r = 0; r < 50; ++r) {
    const Encoded row({x.view.row(r), x.view.row(r) + 128});
    for (size_t i = 0; i < 128; ++i) {
      // The product that finds a code may be off by some units of its last place, of 127 at most.
      const float bound = row.scale * (0.5f + 127 * 0x1p-22f);
      EXPECT_LE(std::abs(x.view.row(r)[i] - static_cast<float>(row.codes[i]) * row.scale), bound);
    }
  }
}

// Under one position the weight is 1, so what comes out is the value as it is held.
TEST(CacheCodes, AreTheSameEverywhere) {
  constexpr int kHeads = 3, kWidth = 37;
  const OwnedTensor k = random_tensor(1, {1, kHeads * kWidth});
  const OwnedTensor v = random_tensor(2, {1, kHeads * kWidth});
  for (const auto& backend : backends()) {
    TestCache cache(*backend, Dtype::q8, kHeads, kWidth, 1, 1);
    TestRows row;
    row.add(0, 0);
    const OwnedTensor out(Dtype::f32, {1, kHeads * kWidth});
    backend->kv_store(k.view, v.view, row.in(cache), cache.layer);
    backend->attend(k.view, row.in(cache), cache.layer, kHeads, 0.5f, out.view);
    for (int64_t head = 0; head < kHeads; ++head) {
      const float* value = v.view.f32() + head * kWidth;
      const Encoded held({value, value + kWidth});
      for (size_t i = 0; i < kWidth; ++i) {
        EXPECT_EQ(out.view.f32()[head * kWidth + static_cast<int64_t>(i)],
                  static_cast<float>(held.codes[i]) * held.scale)
            << backend->name();
      }
    }
  }
}

TEST(CacheCodes, TakeHalfOfBf16AndTheirScales) {
  for (const auto& backend : backends()) {
    EXPECT_EQ(backend->kv_block_bytes(Dtype::q8, 16, 128), kKvBlock * 16 * (128 + 4));
    EXPECT_EQ(backend->kv_block_bytes(Dtype::bf16, 16, 128), kKvBlock * 16 * 128 * 2);
  }
}

// A key is wrong by m/254 with m the largest of its head, so a score by δ = scale·Σ|q|·m/254, a
// weight by the factor e^{±2δ}, and the mean of values by (e^{2δ} - 1)·max|v| besides their own
// m/254. Rounding is some thousandths of that.
TEST(CacheCodes, KeepAttentionWithinTheirBound) {
  constexpr int kHeads = 4, kWidth = 64;
  constexpr int64_t kPositions = 150;
  constexpr float kScale = 0.125f;
  const OwnedTensor k = random_tensor(1, {kPositions, kHeads * kWidth});
  const OwnedTensor v = random_tensor(2, {kPositions, kHeads * kWidth});
  const OwnedTensor q = random_tensor(3, {kPositions, kHeads * kWidth});
  const auto run = [&](const Backend& backend, Dtype dtype) {
    TestCache cache(backend, dtype, kHeads, kWidth, 1, kPositions);
    TestRows rows;
    for (int64_t p = 0; p < kPositions; ++p) rows.add(0, p);
    OwnedTensor out(Dtype::f32, {kPositions, kHeads * kWidth});
    backend.kv_store(k.view, v.view, rows.in(cache), cache.layer);
    backend.attend(q.view, rows.in(cache), cache.layer, kHeads, kScale, out.view);
    return out;
  };
  const OwnedTensor exact = run(*open_backend("ref"), Dtype::f32);
  for (const auto& backend : backends()) {
    const OwnedTensor held = run(*backend, Dtype::q8);
    double worst = 0;
    for (int64_t r = 0; r < kPositions; ++r) {
      for (int64_t i = 0; i < kHeads * kWidth; ++i) {
        double sizes = 0;
        for (int64_t d = i / kWidth * kWidth; d < (i / kWidth + 1) * kWidth; ++d) {
          sizes += std::abs(q.view.row(r)[d]);
        }
        const double delta = kScale * sizes / 254;  // all numbers are within 1
        const double bound = (std::expm1(2 * delta) + 1.0 / 254) * 1.01;
        const double error = std::abs(held.view.row(r)[i] - exact.view.row(r)[i]);
        EXPECT_LE(error, bound) << backend->name() << ' ' << r << ' ' << i;
        worst = std::max(worst, error);
      }
    }
    EXPECT_GT(worst, 1e-4) << backend->name();  // it is no f32 cache
  }
}

}  // namespace
}  // namespace janus
