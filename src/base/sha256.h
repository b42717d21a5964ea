// SHA-256 (FIPS 180-4). Names random streams, fingerprints records and files, and tells whether a
// file that came over the network is the one that was promised. SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/sha_stream.h"

namespace janus {

// Of a message in pieces.
class Sha256 : public ShaStream<8> {
 public:
  Sha256();
};

std::array<uint8_t, 32> sha256(std::string_view message);

// The same as 64 lower-case hexadecimal digits.
std::string sha256_hex(std::string_view message);

}  // namespace janus
