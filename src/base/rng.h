// Counter-based random numbers: Philox 4x32-10 (Salmon et al., "Parallel random numbers: as easy as
// 1, 2, 3", SC 2011). A number is a pure function of key and counter, so draws never depend on the
// batch, on threads, or on what was drawn before. No standard-library distribution is used
// anywhere: their results differ between implementations. SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace janus {

// key [2], counter [4] -> four 32-bit words.
constexpr std::array<uint32_t, 4> philox(std::array<uint32_t, 2> key,
                                         std::array<uint32_t, 4> counter) {
  for (int round = 0; round < 10; ++round) {
    const uint64_t a = uint64_t{0xD2511F53u} * counter[0];
    const uint64_t b = uint64_t{0xCD9E8D57u} * counter[2];
    counter = {static_cast<uint32_t>(b >> 32) ^ counter[1] ^ key[0], static_cast<uint32_t>(b),
               static_cast<uint32_t>(a >> 32) ^ counter[3] ^ key[1], static_cast<uint32_t>(a)};
    key[0] += 0x9E3779B9u;
    key[1] += 0xBB67AE85u;
  }
  return counter;
}

// A stream of numbers named by (key, index); the draw number counts up. Helpers as in the world's
// specification: uniform() = top 24 bits / 2^24, below(n) = multiply-high.
class Philox {
 public:
  Philox(uint64_t key, uint64_t index) : key_(key), index_(index) {}

  uint32_t next() {
    if (used_ == 4) {
      words_ = philox({static_cast<uint32_t>(key_), static_cast<uint32_t>(key_ >> 32)},
                      {static_cast<uint32_t>(index_), static_cast<uint32_t>(index_ >> 32),
                       static_cast<uint32_t>(draw_), static_cast<uint32_t>(draw_ >> 32)});
      ++draw_;
      used_ = 0;
    }
    return words_[static_cast<size_t>(used_++)];
  }
  // In [0, 1).
  double uniform() { return static_cast<double>(next() >> 8) * 0x1p-24; }
  double uniform(double low, double high) { return low + (high - low) * uniform(); }
  // An integer in [0, n); n > 0.
  int below(int n) { return static_cast<int>((uint64_t{next()} * static_cast<uint64_t>(n)) >> 32); }
  bool chance(double p) { return uniform() < p; }

 private:
  uint64_t key_;
  uint64_t index_;
  uint64_t draw_ = 0;
  int used_ = 4;
  std::array<uint32_t, 4> words_{};
};

}  // namespace janus
