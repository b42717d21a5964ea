// Logits -> one id: guidance, temperature, top-k, top-p, greedy. All arithmetic on logits is f32.
//
// A draw is the Gumbel-max rule: the largest of logit/temperature + G_id, where G_id = -log(-log u)
// and u is the Philox number of (seed, position, id). That is exactly a draw from the softmax
// (Gumbel 1954; Maddison, Tarlow, Minka, "A* sampling", 2014), it adds nothing up, so there is no
// order of addition to agree on, and the noise of a position is fixed before its logits are known:
// logits that differ a little choose the same id nearly always, whatever the order of ids. That is
// what a decoder needs that guesses several positions ahead and must give the same picture.
// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

namespace janus {

struct Sampling {
  float temperature = 1;  // 0: the likeliest id, the first on ties
  int top_k = 0;          // 0: all
  float top_p = 1;        // 1: all
};

// Throws Code::bad_input naming the value out of range: temperature >= 0 and finite, top_k >= 0,
// 0 < top_p <= 1.
void check_sampling(const Sampling& sampling);

// out = unguided + guidance · (guided - unguided).  All [C]; out may be either input.
// (deepseek-ai/Janus, generation_inference.py)
void guide(std::span<const float> guided, std::span<const float> unguided, float guidance,
           std::span<float> out);

// out = the sum of shares[i] · rows[i], in this order, over rows that are not empty.  All [C]
void mix(std::span<const std::span<const float>> rows, std::span<const float> shares,
         std::span<float> out);

// The natural logarithm of Σ exp(logit): a logit less it is the logarithm of the id's probability.
double log_sum(std::span<const float> logits);

// The likeliest id, the first on ties.
int32_t likeliest(std::span<const float> logits);

// The noise of one (seed, position, id): 32 random bits, so never above kMaxGumbel.
double gumbel(uint64_t seed, uint64_t position, int32_t id);
inline constexpr double kMaxGumbel = 22.8739;

// What the noise of 32 random bits is at most, by the first of them alone: most ids are passed over
// by it, without a logarithm of their own.
class NoiseBounds {
 public:
  NoiseBounds();
  double most(uint32_t word) const { return most_[word >> (32 - kBits)]; }

 private:
  static constexpr int kBits = 8;
  std::array<double, 1 << kBits> most_;
};

// Chooses ids; holds a table and scratch memory only, so one serves any number of sequences in
// turn.
class Sampler {
 public:
  // The id at `position` of the sequence with `seed`, counted in drawn codes or answered tokens.
  // Throws Code::bad_checkpoint when a logit is not finite.
  int32_t pick(std::span<const float> logits, const Sampling& sampling, uint64_t seed,
               uint64_t position);

 private:
  void keep_top(std::span<const float> logits, const Sampling& sampling);

  NoiseBounds bounds_;
  std::vector<int32_t> kept_;  // ids that may be chosen, likeliest first
};

}  // namespace janus
