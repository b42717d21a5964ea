// The example messages of FIPS 180-2 appendix A, the lengths around the padding boundary, and a
// name that git gives. SPDX-License-Identifier: MIT
#include "base/sha1.h"

#include <gtest/gtest.h>

namespace janus {
namespace {

TEST(Sha1, PublishedExamples) {
  EXPECT_EQ(sha1_hex("abc"), "a9993e364706816aba3e25717850c26c9cd0d89d");
  EXPECT_EQ(sha1_hex("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
            "84983e441c3bd26ebaae4aa1f95129e5e54670f1");
  EXPECT_EQ(sha1_hex(std::string(1'000'000, 'a')), "34aa973cd4c4daa4f61eeb2bdbad27316534016f");
  EXPECT_EQ(sha1_hex(""), "da39a3ee5e6b4b0d3255bfef95601890afd80709");
}

// Computed with Python's hashlib.
TEST(Sha1, LengthsAroundTheBlockBoundary) {
  EXPECT_EQ(sha1_hex(std::string(55, 'x')), "cef734ba81a024479e09eb5a75b6ddae62e6abf1");
  EXPECT_EQ(sha1_hex(std::string(56, 'x')), "901305367c259952f4e7af8323f480d59f81335b");
  EXPECT_EQ(sha1_hex(std::string(63, 'x')), "0ddc4e0cccd9a12850deb5abb0853a4425559fec");
  EXPECT_EQ(sha1_hex(std::string(64, 'x')), "bb2fa3ee7afb9f54c6dfb5d021f14b1ffe40c163");
  EXPECT_EQ(sha1_hex(std::string(65, 'x')), "78c741ddc482e4cdf8c474a0876347a0905b6233");
}

// `printf hello | git hash-object --stdin`
TEST(Sha1, NamesOfGit) {
  EXPECT_EQ(sha1_hex(std::string("blob 5\0hello", 12)), "b6fc4c620b67d95f953a5c1c1230aaab5db5a1b0");
}

TEST(Sha1, PiecesAddUpToTheWhole) {
  std::string message;
  for (int i = 0; i < 300; ++i) message.push_back(static_cast<char>(i * 7));
  for (size_t length = 0; length <= message.size(); ++length) {
    Sha1 stream;
    for (size_t at = 0; at < length; at += 37) {
      stream.add(std::string_view(message).substr(at, std::min<size_t>(37, length - at)));
    }
    EXPECT_EQ(stream.finish_hex(), sha1_hex(message.substr(0, length))) << length;
  }
}

}  // namespace
}  // namespace janus
