// Addresses whose memory comes and goes. SPDX-License-Identifier: MIT
#include "base/reserve.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <string>
#include <utility>

#include "base/error.h"

namespace janus {
namespace {

constexpr int64_t kMiB = int64_t{1} << 20;

int64_t resident_bytes() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmRSS:")) return std::stoll(line.substr(6)) * 1024;
  }
  return 0;
}

TEST(Reserve, TakesMemoryWhenTouchedAndGivesItBackZeroed) {
  const int64_t before = resident_bytes();
  Reserve reserve(int64_t{64} << 30);
  EXPECT_LT(resident_bytes() - before, 8 * kMiB);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(reserve.data()) % static_cast<uintptr_t>(2 * kMiB), 0u);
  std::byte* middle = reserve.data() + (int64_t{9} << 30);
  std::fill_n(middle, 64 * kMiB, std::byte{7});
  EXPECT_GE(resident_bytes() - before, 60 * kMiB);
  // All but half a page at either end, which stays as it was outside the range.
  reserve.give_back((int64_t{9} << 30) + 2048, 64 * kMiB - 4096);
  EXPECT_LT(resident_bytes() - before, 16 * kMiB);
  EXPECT_EQ(middle[0], std::byte{7});
  EXPECT_EQ(middle[64 * kMiB - 1], std::byte{7});
  EXPECT_EQ(middle[4096], std::byte{0});
  EXPECT_EQ(middle[32 * kMiB], std::byte{0});
  reserve.give_back(0, 0);
  EXPECT_THROW(reserve.give_back(-1, 5), Error);
  EXPECT_THROW(reserve.give_back(reserve.bytes() - 4, 5), Error);
}

TEST(Reserve, TouchedMemoryIsThere) {
  const int64_t before = resident_bytes();
  Reserve reserve(int64_t{1} << 30);
  reserve.touch(16 * kMiB + 7, 64 * kMiB);
  EXPECT_GE(resident_bytes() - before, 60 * kMiB);
  EXPECT_LT(resident_bytes() - before, 80 * kMiB);
  reserve.touch(3, 0);
  EXPECT_THROW(reserve.touch(reserve.bytes() - 4, 5), Error);
}

TEST(Reserve, Moves) {
  Reserve first(100);
  first.data()[99] = std::byte{3};
  Reserve second = std::move(first);
  EXPECT_EQ(second.bytes(), 100);
  EXPECT_EQ(second.data()[99], std::byte{3});
  first = Reserve();
  EXPECT_EQ(first.data(), nullptr);
  second = Reserve(7);
  EXPECT_EQ(second.bytes(), 7);
}

TEST(Reserve, RefusesWhatNoMachineHas) {
  try {
    Reserve reserve(int64_t{1} << 60);
    FAIL() << "an exbibyte was reserved";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::out_of_memory);
    EXPECT_NE(std::string(error.what()).find("1152921504606846976"), std::string::npos);
  }
}

}  // namespace
}  // namespace janus
