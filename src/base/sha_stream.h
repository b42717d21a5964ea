// What SHA-1 and SHA-256 have in common (FIPS 180-4, section 5.1.1 and 5.2.1): blocks of 64 bytes
// of a message that may come in pieces, and the padding that ends in its length.
// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace janus {

template <size_t kWords>
class ShaStream {
 public:
  using State = std::array<uint32_t, kWords>;
  using Digest = std::array<uint8_t, 4 * kWords>;

  void add(std::string_view bytes) {
    const size_t filled = length_ % kBlock;
    length_ += bytes.size();
    if (filled > 0) {
      const size_t taken = std::min(bytes.size(), kBlock - filled);
      std::copy_n(bytes.data(), taken, block_.data() + filled);
      bytes.remove_prefix(taken);
      if (filled + taken < kBlock) return;
      step_(state_, block_.data());
    }
    for (; bytes.size() >= kBlock; bytes.remove_prefix(kBlock)) step_(state_, bytes.data());
    std::copy_n(bytes.data(), bytes.size(), block_.data());
  }

  // Ends the message; nothing may be added afterwards.
  Digest finish() {
    const uint64_t bits = length_ * 8;
    std::string tail = "\x80";
    tail.append((2 * kBlock - 9 - length_ % kBlock) % kBlock, '\0');
    for (int shift = 56; shift >= 0; shift -= 8) tail.push_back(static_cast<char>(bits >> shift));
    add(tail);
    Digest digest{};
    for (size_t i = 0; i < digest.size(); ++i) {
      digest[i] = static_cast<uint8_t>(state_[i / 4] >> (24 - 8 * (i % 4)));
    }
    return digest;
  }

  // The same as lower-case hexadecimal digits.
  std::string finish_hex() {
    constexpr std::string_view kDigits = "0123456789abcdef";
    std::string text;
    for (const uint8_t byte : finish()) {
      text.push_back(kDigits[byte >> 4]);
      text.push_back(kDigits[byte & 15]);
    }
    return text;
  }

 protected:
  using Step = void (*)(State& state, const char* block);

  ShaStream(const State& start, Step step) : state_(start), step_(step) {}

 private:
  static constexpr size_t kBlock = 64;

  State state_;
  Step step_;
  std::array<char, kBlock> block_{};  // what has come of the next block
  uint64_t length_ = 0;
};

}  // namespace janus
