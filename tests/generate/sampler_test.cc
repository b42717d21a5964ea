// The sampler against its definition: distributions by chi-square, limits by their tie rules.
// SPDX-License-Identifier: MIT
#include "generate/sampler.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <set>
#include <vector>

#include "base/error.h"
#include "base/rng.h"

namespace janus {
namespace {

std::vector<float> noise(size_t count, uint64_t key, double scale) {
  Philox random(key, 0);
  std::vector<float> values(count);
  for (float& value : values) value = static_cast<float>(random.uniform(-scale, scale));
  return values;
}

std::vector<double> softmax(const std::vector<float>& logits, double temperature) {
  std::vector<double> p;
  double sum = 0;
  for (const float x : logits) sum += p.emplace_back(std::exp(x / temperature));
  for (double& x : p) x /= sum;
  return p;
}

// Standard deviations from what chi-square would be (Wilson and Hilferty 1931), rare ids together.
double chi_square_score(const std::vector<int64_t>& counts, const std::vector<double>& p,
                        int64_t draws) {
  double chi = 0, rest_expected = 0;
  int64_t rest = 0;
  int bins = 0;
  for (size_t i = 0; i < p.size(); ++i) {
    const double expected = p[i] * static_cast<double>(draws);
    if (expected < 20) {
      rest_expected += expected;
      rest += counts[i];
      continue;
    }
    chi += std::pow(static_cast<double>(counts[i]) - expected, 2) / expected;
    ++bins;
  }
  if (rest_expected > 0) {
    chi += std::pow(static_cast<double>(rest) - rest_expected, 2) / rest_expected;
    ++bins;
  }
  const double k = bins - 1, t = 2 / (9 * k);
  return (std::cbrt(chi / k) - (1 - t)) / std::sqrt(t);
}

std::vector<int64_t> draw(const std::vector<float>& logits, const Sampling& sampling,
                          int64_t draws) {
  std::vector<int64_t> counts(logits.size());
  Sampler sampler;
  for (int64_t i = 0; i < draws; ++i) {
    const auto seed = static_cast<uint64_t>(i / 1000), position = static_cast<uint64_t>(i % 1000);
    ++counts[static_cast<size_t>(sampler.pick(logits, sampling, seed, position))];
  }
  return counts;
}

TEST(Sampler, MillionDrawsFollowTheGuidedSoftmax) {
  const std::vector<float> guided = noise(64, 1, 1), unguided = noise(64, 2, 1);
  std::vector<float> logits(64);
  guide(guided, unguided, 5, logits);
  constexpr int64_t kDraws = 1'000'000;
  const std::vector<int64_t> counts = draw(logits, {.temperature = 1.3f}, kDraws);
  EXPECT_LT(chi_square_score(counts, softmax(logits, 1.3), kDraws), 4);
  // The measure bites: a temperature 2% off is seen.
  EXPECT_GT(chi_square_score(counts, softmax(logits, 1.326), kDraws), 8);
}

TEST(Sampler, LimitsKeepTheDistributionOfWhatIsLeft) {
  const std::vector<float> logits = noise(200, 3, 3);
  std::vector<float> ordered = logits;
  std::sort(ordered.rbegin(), ordered.rend());
  std::vector<double> p = softmax(logits, 1);
  double left = 0;
  for (size_t i = 0; i < p.size(); ++i) left += logits[i] >= ordered[9] ? p[i] : (p[i] = 0);
  for (double& x : p) x /= left;
  constexpr int64_t kDraws = 200'000;
  EXPECT_LT(chi_square_score(draw(logits, {.top_k = 10}, kDraws), p, kDraws), 4);
}

TEST(Sampler, GuidanceIsTheFormula) {
  const std::vector<float> guided{1, 2, 3}, unguided{3, 2, 1};
  std::vector<float> out(3);
  guide(guided, unguided, 5, out);
  EXPECT_EQ(out, (std::vector<float>{-7, 2, 11}));
  guide(guided, unguided, 0, out);
  EXPECT_EQ(out, unguided);
}

TEST(Sampler, TiesGoToTheLowerId) {
  const std::vector<float> logits{1, 3, 3, 2, 3};
  Sampler sampler;
  EXPECT_EQ(sampler.pick(logits, {.temperature = 0}, 9, 9), 1);
  std::set<int32_t> seen;
  for (uint64_t i = 0; i < 500; ++i) seen.insert(sampler.pick(logits, {.top_k = 2}, 1, i));
  EXPECT_EQ(seen, (std::set<int32_t>{1, 2}));
}

TEST(Sampler, TopPKeepsTheShortestBeginningThatHoldsTheShare) {
  // Shares .5, .25, .125, .125.
  const auto ln = [](double x) { return static_cast<float>(std::log(x)); };
  const std::vector<float> logits{ln(.125), ln(.5), ln(.25), ln(.125)};
  const auto kept = [&](float top_p) {
    Sampler sampler;
    std::set<int32_t> seen;
    for (uint64_t i = 0; i < 2000; ++i) seen.insert(sampler.pick(logits, {.top_p = top_p}, 2, i));
    return seen;
  };
  EXPECT_EQ(kept(0.3f), (std::set<int32_t>{1}));
  EXPECT_EQ(kept(0.6f), (std::set<int32_t>{1, 2}));
  EXPECT_EQ(kept(0.8f), (std::set<int32_t>{0, 1, 2}));  // of the two equal ones the lower id
  EXPECT_EQ(kept(1), (std::set<int32_t>{0, 1, 2, 3}));
}

TEST(Sampler, NoiseIsOfSeedPositionAndIdAlone) {
  const std::vector<float> flat(1000, 0);
  Sampler used, fresh;
  for (uint64_t i = 0; i < 100; ++i) used.pick(noise(7, i, 1), {}, i, i);
  for (uint64_t position = 0; position < 20; ++position) {
    int32_t best = 0;
    for (int32_t id = 0; id < 1000; ++id) {
      if (gumbel(5, position, id) > gumbel(5, position, best)) best = id;
    }
    EXPECT_EQ(used.pick(flat, {}, 5, position), best);
    EXPECT_EQ(fresh.pick(flat, {}, 5, position), best);
  }
  EXPECT_NE(gumbel(5, 0, 3), gumbel(6, 0, 3));
  EXPECT_NE(gumbel(5, 0, 3), gumbel(5, 1, 3));
  EXPECT_NE(gumbel(5, uint64_t{1} << 32, 3), gumbel(5, 0, 3));
  EXPECT_NE(gumbel(uint64_t{1} << 32, 0, 3), gumbel(0, 0, 3));
}

TEST(Sampler, SmallChangesOfLogitsSeldomChangeTheChoice) {
  const std::vector<float> logits = noise(4096, 4, 2);
  std::vector<float> near = noise(4096, 5, 0.01);
  for (size_t i = 0; i < near.size(); ++i) near[i] += logits[i];
  Sampler sampler;
  int changed = 0;
  for (uint64_t i = 0; i < 2000; ++i) {
    changed += sampler.pick(logits, {}, 7, i) != sampler.pick(near, {}, 7, i);
  }
  EXPECT_LT(changed, 40);
}

TEST(Sampler, RefusesWhatHasNoMeaning) {
  Sampler sampler;
  const std::vector<float> broken{1, std::numeric_limits<float>::quiet_NaN(), 2};
  const auto code_of = [](const auto& work) {
    try {
      work();
    } catch (const Error& error) {
      return error.code();
    }
    return Code::bug;
  };
  EXPECT_EQ(code_of([&] { sampler.pick(broken, {}, 0, 0); }), Code::bad_checkpoint);
  EXPECT_EQ(code_of([] { check_sampling({.temperature = -1}); }), Code::bad_input);
  EXPECT_EQ(code_of([] { check_sampling({.top_k = -1}); }), Code::bad_input);
  EXPECT_EQ(code_of([] { check_sampling({.top_p = 0}); }), Code::bad_input);
  EXPECT_EQ(code_of([] { check_sampling({.top_p = 1.5f}); }), Code::bad_input);
}

TEST(Sampler, TinyTemperatureIsGreedy) {
  const std::vector<float> logits{1e30f, 2e30f, -1e30f};
  Sampler sampler;
  for (uint64_t i = 0; i < 100; ++i) {
    EXPECT_EQ(sampler.pick(logits, {.temperature = 1e-30f}, 3, i), 1);
  }
}

}  // namespace
}  // namespace janus
