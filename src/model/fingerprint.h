// Fingerprint: 64 bits that tell whether two models hold the same values. Fast enough to be taken
// of every weight while it is loaded (several GB/s); it guards against mix-ups, not attackers.
// SPDX-License-Identifier: MIT
#pragma once

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
    while (!values.empty() && count_ % kLanes != 0) values = add_one(values);
    add_whole(values.first(values.size() / kLanes * kLanes));
    values = values.last(values.size() % kLanes);
    while (!values.empty()) values = add_one(values);
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
  static uint64_t mix(uint64_t h, float value) {
    h = (h ^ std::bit_cast<uint32_t>(value)) * 0x9E3779B97F4A7C15u;
    return h ^ h >> 32;
  }
  std::span<const float> add_one(std::span<const float> values) {
    uint64_t& lane = lanes_[count_++ % kLanes];
    lane = mix(lane, values.front());
    return values.subspan(1);
  }
  // One for every lane, some times. The lanes stay in registers meanwhile.
  void add_whole(std::span<const float> values) {
    std::array<uint64_t, kLanes> lanes = lanes_;
    for (size_t i = 0; i < values.size(); i += kLanes) {
      for (size_t lane = 0; lane < kLanes; ++lane) lanes[lane] = mix(lanes[lane], values[i + lane]);
    }
    lanes_ = lanes;
    count_ += values.size();
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
