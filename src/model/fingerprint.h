// Fingerprint: 64 bits that tell whether two models hold the same values. Fast enough to be taken
// of every weight while it is loaded (several GB/s); it guards against mix-ups, not attackers.
// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace janus {

class Fingerprint {
 public:
  Fingerprint() = default;
  // Goes on from the value of another.
  explicit Fingerprint(uint64_t before) { lanes_[0] = scatter(before ^ lanes_[0]); }

  // Depends on the values and their order, not on how many come in one call.
  void add(std::span<const float> values) {
    mix<kLanes>(values, 0);
    move_on(std::ssize(values));
  }
  // The same in kShares parts, which may run at once: each of them, then move_on().
  static constexpr int64_t kShares = 2;
  void add_share(std::span<const float> values, int64_t share) {
    constexpr size_t kEach = kLanes / kShares;
    mix<kEach>(values, static_cast<size_t>(share) * kEach);
  }
  void move_on(int64_t count) { count_ += static_cast<uint64_t>(count); }

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
  static uint64_t mix(uint64_t h, float value) {
    h = (h ^ std::bit_cast<uint32_t>(value)) * 0x9E3779B97F4A7C15u;
    return h ^ h >> 32;
  }
  // What of the values falls to lanes [first, first + n).
  template <size_t n>
  void mix(std::span<const float> values, size_t first) {
    std::array<uint64_t, n> lanes;
    std::copy_n(lanes_.begin() + first, n, lanes.begin());
    const auto one = [&](size_t i) {
      const size_t lane = (count_ + i) % kLanes - first;
      if (lane < n) lanes[lane] = mix(lanes[lane], values[i]);
    };
    size_t i = 0;
    for (; i < values.size() && (count_ + i) % kLanes != 0; ++i) one(i);
    for (; i + kLanes <= values.size(); i += kLanes) {
      for (size_t lane = 0; lane < n; ++lane) {
        lanes[lane] = mix(lanes[lane], values[i + first + lane]);
      }
    }
    for (; i < values.size(); ++i) one(i);
    std::copy_n(lanes.begin(), n, lanes_.begin() + first);
  }

  uint64_t count_ = 0;
  std::array<uint64_t, kLanes> lanes_{1, 2, 3, 4, 5, 6, 7, 8};
};

// As people and files are told it: 16 hexadecimal digits.
inline std::string fingerprint_text(uint64_t value) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string text;
  for (int shift = 60; shift >= 0; shift -= 4) text += digits[(value >> shift) & 15];
  return text;
}

}  // namespace janus
