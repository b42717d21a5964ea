// The rules of sampler.h. Order of the limits as in transformers' logits processors: temperature,
// top-k, top-p. SPDX-License-Identifier: MIT
#include "generate/sampler.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/error.h"
#include "base/rng.h"

namespace janus {

void check_sampling(const Sampling& sampling) {
  check(std::isfinite(sampling.temperature) && sampling.temperature >= 0, Code::bad_input,
        "temperature is ", sampling.temperature, "; it must be 0 (always the likeliest) or more");
  check(sampling.top_k >= 0, Code::bad_input, "top-k is ", sampling.top_k,
        "; it must be 0 (all) or more");
  check(sampling.top_p > 0 && sampling.top_p <= 1, Code::bad_input, "top-p is ", sampling.top_p,
        "; it must be above 0 and at most 1");
}

void guide(std::span<const float> guided, std::span<const float> unguided, float guidance,
           std::span<float> out) {
  check(guided.size() == unguided.size() && guided.size() == out.size(), Code::bug,
        "guide: ", guided.size(), " guided, ", unguided.size(), " unguided, ", out.size(), " out");
  for (size_t i = 0; i < out.size(); ++i) {
    out[i] = unguided[i] + guidance * (guided[i] - unguided[i]);
  }
}

void mix(std::span<const std::span<const float>> rows, std::span<const float> shares,
         std::span<float> out) {
  std::fill(out.begin(), out.end(), 0.0f);
  for (size_t row = 0; row < rows.size(); ++row) {
    if (rows[row].empty()) continue;
    check(rows[row].size() == out.size(), Code::bug, "mix: ", rows[row].size(), " of ", out.size());
    for (size_t i = 0; i < out.size(); ++i) out[i] += shares[row] * rows[row][i];
  }
}

double log_sum(std::span<const float> logits) {
  const double top = *std::max_element(logits.begin(), logits.end());
  double sum = 0;
  for (const float logit : logits) sum += std::exp(logit - top);
  return top + std::log(sum);
}

int32_t likeliest(std::span<const float> logits) {
  return static_cast<int32_t>(std::max_element(logits.begin(), logits.end()) - logits.begin());
}

namespace {

double gumbel_of(uint32_t word) {
  const double u = (static_cast<double>(word) + 0.5) * 0x1p-32;  // in (0, 1), never an end
  return -std::log(-std::log(u));
}

// Philox makes four numbers at once; ids in rising order use each block's four in turn.
class Noise {
 public:
  Noise(uint64_t seed, uint64_t position) : seed_(seed), position_(position) {}

  uint32_t word(int32_t id) {
    const auto block = static_cast<uint32_t>(id) / 4;
    if (block != block_) {
      block_ = block;
      words_ = philox(
          {static_cast<uint32_t>(seed_), static_cast<uint32_t>(seed_ >> 32)},
          {static_cast<uint32_t>(position_), static_cast<uint32_t>(position_ >> 32), block, 0});
    }
    return words_[static_cast<uint32_t>(id) % 4];
  }

 private:
  uint64_t seed_;
  uint64_t position_;
  uint32_t block_ = UINT32_MAX;  // no id is that large
  std::array<uint32_t, 4> words_{};
};

// The best of `ids`, each offered in turn; ids whose noise cannot save them are passed over.
class Race {
 public:
  // `top`: the largest logit; what is raced is the distance below it, which no temperature above 0
  // can make infinite for the likeliest id.
  Race(std::span<const float> logits, float top, float temperature, Noise noise,
       const NoiseBounds& bounds)
      : logits_(logits), top_(top), temperature_(temperature), noise_(noise), bounds_(bounds) {}

  void offer(int32_t id) {
    const float below = logits_[static_cast<size_t>(id)] - top_;
    const auto scaled = static_cast<double>(below / temperature_);
    if (winner_ >= 0 && scaled + kMaxGumbel < best_) return;
    const uint32_t word = noise_.word(id);
    if (winner_ >= 0 && scaled + bounds_.most(word) < best_) return;
    const double score = scaled + gumbel_of(word);
    if (winner_ >= 0 && (score < best_ || (score == best_ && id > winner_))) return;
    winner_ = id;
    best_ = score;
  }
  int32_t winner() const { return winner_; }

 private:
  std::span<const float> logits_;
  float top_;
  float temperature_;
  Noise noise_;
  const NoiseBounds& bounds_;
  int32_t winner_ = -1;
  double best_ = 0;
};

}  // namespace

NoiseBounds::NoiseBounds() {
  constexpr double kRounding = 1e-9;  // far above the error of two logarithms
  for (size_t i = 0; i < most_.size(); ++i) {
    const auto last = static_cast<uint32_t>(((i + 1) << (32 - kBits)) - 1);
    most_[i] = gumbel_of(last) + kRounding;
  }
}

double gumbel(uint64_t seed, uint64_t position, int32_t id) {
  return gumbel_of(Noise(seed, position).word(id));
}

void Sampler::keep_top(std::span<const float> logits, const Sampling& sampling) {
  kept_.resize(logits.size());
  std::iota(kept_.begin(), kept_.end(), 0);
  const auto likelier = [&](int32_t a, int32_t b) {
    const float x = logits[static_cast<size_t>(a)], y = logits[static_cast<size_t>(b)];
    return x > y || (x == y && a < b);  // the lower id first on ties
  };
  if (sampling.top_k > 0 && static_cast<size_t>(sampling.top_k) < kept_.size()) {
    std::nth_element(kept_.begin(), kept_.begin() + sampling.top_k, kept_.end(), likelier);
    kept_.resize(static_cast<size_t>(sampling.top_k));
  }
  if (sampling.top_p >= 1) return;
  std::sort(kept_.begin(), kept_.end(), likelier);
  const float top = logits[static_cast<size_t>(kept_.front())];
  const auto weight = [&](int32_t id) {
    return static_cast<double>(
        std::exp((logits[static_cast<size_t>(id)] - top) / sampling.temperature));
  };
  double total = 0;
  for (const int32_t id : kept_) total += weight(id);
  double sum = 0;
  size_t count = 0;  // the shortest beginning that holds the share, at least one
  while (count < kept_.size() && (count == 0 || sum < sampling.top_p * total)) {
    sum += weight(kept_[count++]);
  }
  kept_.resize(count);
}

int32_t Sampler::pick(std::span<const float> logits, const Sampling& sampling, uint64_t seed,
                      uint64_t position) {
  check(!logits.empty(), Code::bug, "pick: no logits");
  const bool finite =
      std::all_of(logits.begin(), logits.end(), [](float x) { return std::isfinite(x); });
  check(finite, Code::bad_checkpoint, "the model's output at position ", position,
        " is not finite; the checkpoint holds NaN or far too large values (is the file damaged?)");
  const int32_t top = likeliest(logits);
  if (sampling.temperature == 0) return top;
  Race race(logits, logits[static_cast<size_t>(top)], sampling.temperature, Noise(seed, position),
            bounds_);
  if (sampling.top_k == 0 && sampling.top_p >= 1) {
    race.offer(top);  // a good first bound spares most of the others their noise
    const auto count = static_cast<int32_t>(logits.size());
    for (int32_t id = 0; id < count; ++id) race.offer(id);
    return race.winner();
  }
  keep_top(logits, sampling);
  for (const int32_t id : kept_) race.offer(id);
  return race.winner();
}

}  // namespace janus
