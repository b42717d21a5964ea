// SHA-1 after FIPS 180-4, sections 4.1.1 (functions), 5.3.1 (start) and 6.1.2 (the block step).
// SPDX-License-Identifier: MIT
#include "base/sha1.h"

#include <bit>

namespace janus {
namespace {

using State = Sha1::State;

constexpr State kStart = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};

// One block of 64 bytes.
void step(State& state, const char* block) {
  std::array<uint32_t, 80> w{};
  for (size_t t = 0; t < 16; ++t) {
    for (size_t byte = 0; byte < 4; ++byte) {
      w[t] = (w[t] << 8) | static_cast<uint8_t>(block[4 * t + byte]);
    }
  }
  for (size_t t = 16; t < 80; ++t) {
    w[t] = std::rotl(w[t - 3] ^ w[t - 8] ^ w[t - 14] ^ w[t - 16], 1);
  }
  auto [a, b, c, d, e] = state;
  for (size_t t = 0; t < 80; ++t) {
    uint32_t mixed = 0;
    if (t < 20) {
      mixed = ((b & c) ^ (~b & d)) + 0x5a827999;
    } else if (t < 40) {
      mixed = (b ^ c ^ d) + 0x6ed9eba1;
    } else if (t < 60) {
      mixed = ((b & c) ^ (b & d) ^ (c & d)) + 0x8f1bbcdc;
    } else {
      mixed = (b ^ c ^ d) + 0xca62c1d6;
    }
    const uint32_t next = std::rotl(a, 5) + mixed + e + w[t];
    e = d, d = c, c = std::rotl(b, 30), b = a, a = next;
  }
  const State sums = {a, b, c, d, e};
  for (size_t i = 0; i < 5; ++i) state[i] += sums[i];
}

}  // namespace

Sha1::Sha1() : ShaStream(kStart, step) {}

std::string sha1_hex(std::string_view message) {
  Sha1 stream;
  stream.add(message);
  return stream.finish_hex();
}

}  // namespace janus
