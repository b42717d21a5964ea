// SHA-1 (FIPS 180-4), because git names its objects by it; it guards nothing against an attacker.
// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>

#include "base/sha_stream.h"

namespace janus {

// Of a message in pieces.
class Sha1 : public ShaStream<5> {
 public:
  Sha1();
};

// 40 lower-case hexadecimal digits.
std::string sha1_hex(std::string_view message);

}  // namespace janus
