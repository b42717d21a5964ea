// Known answers of Philox 4x32-10 from the authors' Random123 distribution (kat_vectors).
// SPDX-License-Identifier: MIT
#include "base/rng.h"

#include <gtest/gtest.h>

namespace janus {
namespace {

TEST(Philox, KnownAnswers) {
  using Words = std::array<uint32_t, 4>;
  EXPECT_EQ(philox({0, 0}, {0, 0, 0, 0}), (Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(philox({~0u, ~0u}, {~0u, ~0u, ~0u, ~0u}),
            (Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(philox({0xa4093822, 0x299f31d0}, {0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}),
            (Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(Philox, StreamsAreFunctionsOfKeyAndIndex) {
  Philox a(7, 3), b(7, 3), c(7, 4);
  for (int i = 0; i < 9; ++i) {
    const uint32_t word = a.next();
    EXPECT_EQ(word, b.next());
    EXPECT_NE(word, c.next());
  }
}

}  // namespace
}  // namespace janus
