// SHA-256 (FIPS 180-4). Names random streams and fingerprints records and files; it guards nothing
// against an attacker. The whole message is given at once.
// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace janus {

std::array<uint8_t, 32> sha256(std::string_view message);

// The same as 64 lower-case hexadecimal digits.
std::string sha256_hex(std::string_view message);

}  // namespace janus
