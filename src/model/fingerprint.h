// Fingerprint: 64 bits that tell whether two models hold the same values. Fast enough to be taken
// of every weight while it is loaded (several GB/s); it guards against mix-ups, not attackers.
// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <span>

namespace janus {

class Fingerprint {
 public:
  Fingerprint() = default;
  // Goes on from the value of another.
  explicit Fingerprint(uint64_t before) { lanes_[0] = scatter(before ^ lanes_[0]); }

  // Depends on the values and their order, not on how many come in one call.
  void add(std::span<const float> values) {
    size_t i = 0;
    for (; i < values.size() && count_ % kLanes != 0; ++i) mix(count_++ % kLanes, values[i]);
    for (; i + kLanes <= values.size(); i += kLanes, count_ += kLanes) {
      for (size_t lane = 0; lane < kLanes; ++lane) mix(lane, values[i + lane]);
    }
    for (; i < values.size(); ++i) mix(count_++ % kLanes, values[i]);
  }

  uint64_t value() const {
    uint64_t result = count_;
    for (const uint64_t lane : lanes_) result = scatter(result ^ lane);
    return result;
  }

 private:
  static constexpr size_t kLanes = 8;

  // The finaliser of splitmix64 (Steele, Lea, Flood 2014): every bit reaches every other.
  static uint64_t scatter(uint64_t z) {
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
  }
  void mix(size_t lane, float value) {
    uint64_t& h = lanes_[lane];
    h = (h ^ std::bit_cast<uint32_t>(value)) * 0x9E3779B97F4A7C15u;
    h ^= h >> 32;
  }

  uint64_t count_ = 0;
  std::array<uint64_t, kLanes> lanes_{1, 2, 3, 4, 5, 6, 7, 8};
};

}  // namespace janus
