// How numbers of parameters are laid out for many processes, and who owns which.
// SPDX-License-Identifier: MIT
#include "train/buckets.h"

#include <gtest/gtest.h>

namespace janus::train {
namespace {

// Each number of each parameter is in one bucket, and one owner has it.
TEST(Buckets, EveryNumberHasOnePlaceAndOneOwner) {
  const std::vector<int64_t> sizes = {7, 1, 40, 3, 16, 2};
  for (const int owners : {1, 2, 3, 4, 7}) {
    const Buckets buckets(sizes, owners, 16);
    std::vector<std::vector<int>> seen, owned;
    for (const int64_t size : sizes) {
      seen.emplace_back(size);
      owned.emplace_back(size);
    }
    for (size_t bucket = 0; bucket < buckets.count(); ++bucket) {
      EXPECT_EQ(buckets.length(bucket) % owners, 0);
      int64_t end = 0;
      for (const Stretch& one : buckets.stretches(bucket)) {
        EXPECT_EQ(one.at, end);
        end += one.count;
        for (int64_t i = 0; i < one.count; ++i) ++seen[one.parameter][one.begin + i];
      }
      EXPECT_LE(end, 16);
      EXPECT_LE(end, buckets.length(bucket));
      EXPECT_LT(buckets.length(bucket), end + owners);
      for (int owner = 0; owner < owners; ++owner) {
        for (const Stretch& one : buckets.owned(bucket, owner)) {
          EXPECT_GE(one.at, 0);
          EXPECT_LE(one.at + one.count, buckets.part(bucket));
          for (int64_t i = 0; i < one.count; ++i) ++owned[one.parameter][one.begin + i];
        }
      }
    }
    for (size_t k = 0; k < sizes.size(); ++k) {
      EXPECT_EQ(seen[k], std::vector<int>(static_cast<size_t>(sizes[k]), 1));
      EXPECT_EQ(owned[k], seen[k]) << owners << " owners";
    }
  }
}

// What an owner has lies where its part of the bucket begins.
TEST(Buckets, PartsAreCutWhereTheyFall) {
  const std::vector<int64_t> sizes = {5, 6};
  const Buckets buckets(sizes, 2, 100);
  ASSERT_EQ(buckets.count(), 1u);
  EXPECT_EQ(buckets.length(0), 12);
  const auto first = buckets.owned(0, 0), second = buckets.owned(0, 1);
  ASSERT_EQ(first.size(), 2u);
  EXPECT_EQ(first[1].parameter, 1u);
  EXPECT_EQ(first[1].count, 1);
  EXPECT_EQ(first[1].at, 5);
  ASSERT_EQ(second.size(), 1u);
  EXPECT_EQ(second[0].begin, 1);
  EXPECT_EQ(second[0].count, 5);
  EXPECT_EQ(second[0].at, 0);
}

}  // namespace
}  // namespace janus::train
