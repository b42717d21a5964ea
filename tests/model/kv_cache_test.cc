// Bookkeeping of the key/value cache: sharing, copying before writing, giving back, refusals that
// change nothing.
// SPDX-License-Identifier: MIT
#include "model/kv_cache.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/error.h"
#include "kernels/open.h"

namespace janus {
namespace {

LlamaConfig tiny() {
  LlamaConfig c;
  c.layers = 2;
  c.heads = c.kv_heads = 1;
  c.head_width = 4;
  return c;
}

class Cache : public ::testing::Test {
 protected:
  std::unique_ptr<Backend> backend_ = open_backend("ref");
  KvCache cache_{*backend_, tiny(), Dtype::f32, 3, 4 * kKvBlock, 6};

  int32_t block(int32_t sequence, int64_t index) const {
    return cache_.blocks()[static_cast<size_t>(sequence * cache_.blocks_per_sequence() + index)];
  }
  static Code code_of(const std::function<void()>& call) {
    try {
      call();
    } catch (const Error& error) {
      return error.code();
    }
    return Code::bug;
  }
};

TEST_F(Cache, CountsBlocks) {
  EXPECT_EQ(KvCache::blocks_for(0), 0);
  EXPECT_EQ(KvCache::blocks_for(1), 1);
  EXPECT_EQ(KvCache::blocks_for(kKvBlock), 1);
  EXPECT_EQ(KvCache::blocks_for(kKvBlock + 1), 2);
  EXPECT_EQ(KvCache::bytes(*backend_, tiny(), Dtype::f32, 6),
            2 * 2 * 6 * backend_->kv_block_bytes(Dtype::f32, 1, 4));
}

TEST_F(Cache, ForkSharesUntilOneWrites) {
  const int32_t a = cache_.add();
  EXPECT_EQ(cache_.extend(a, kKvBlock + 3), 0);
  const int32_t b = cache_.fork(a);
  EXPECT_EQ(cache_.length(b), kKvBlock + 3);
  EXPECT_EQ(block(a, 0), block(b, 0));
  EXPECT_EQ(block(a, 1), block(b, 1));
  const int32_t shared = block(a, 1);
  cache_.layer(1).keys[shared * cache_.layer(1).stride + 7] = std::byte{9};
  EXPECT_EQ(cache_.extend(b, 1), kKvBlock + 3);
  EXPECT_EQ(block(a, 0), block(b, 0));
  EXPECT_EQ(block(a, 1), shared);
  EXPECT_NE(block(b, 1), shared);
  EXPECT_EQ(cache_.layer(1).keys[block(b, 1) * cache_.layer(1).stride + 7], std::byte{9});
  cache_.extend(a, 1);  // now the only owner: no copy
  EXPECT_EQ(block(a, 1), shared);
}

TEST_F(Cache, FullBlocksAreNeverCopied) {
  const int32_t a = cache_.add();
  cache_.extend(a, kKvBlock);
  const int32_t b = cache_.fork(a);
  cache_.extend(b, 1);
  EXPECT_EQ(block(a, 0), block(b, 0));
}

TEST_F(Cache, GivesBlocksBack) {
  for (int round = 0; round < 5; ++round) {
    const int32_t a = cache_.add();
    cache_.extend(a, 3 * kKvBlock);
    const int32_t b = cache_.fork(a);
    cache_.extend(b, kKvBlock);
    cache_.truncate(a, 5);
    EXPECT_EQ(cache_.length(a), 5);
    cache_.remove(a);
    cache_.remove(b);
  }
  const int32_t a = cache_.add(), b = cache_.add();
  EXPECT_NO_THROW(cache_.extend(a, 4 * kKvBlock));
  EXPECT_NO_THROW(cache_.extend(b, 2 * kKvBlock));  // all six again
}

TEST_F(Cache, AForkMayShareABeginning) {
  const int32_t a = cache_.add();
  cache_.extend(a, 2 * kKvBlock + 5);
  const int32_t b = cache_.fork(a, kKvBlock + 3);
  EXPECT_EQ(cache_.length(b), kKvBlock + 3);
  EXPECT_EQ(block(b, 0), block(a, 0));
  EXPECT_EQ(block(b, 1), block(a, 1));
  EXPECT_EQ(cache_.free_blocks(), 3);
  cache_.extend(b, 1);  // copied, since it is shared
  EXPECT_NE(block(b, 1), block(a, 1));
  EXPECT_EQ(block(b, 0), block(a, 0));
  EXPECT_THROW(cache_.fork(a, 2 * kKvBlock + 6), Error);
}

TEST_F(Cache, GivesBackWhatNobodyUses) {
  const auto fill = [&](int32_t sequence, int64_t index, uint8_t value) {
    const KvLayer& last = cache_.layer(1);
    std::byte* values = last.values + block(sequence, index) * last.stride;
    std::fill_n(values, backend_->kv_block_bytes(Dtype::f32, 1, 4), std::byte{value});
  };
  const auto value_of = [&](int32_t number) {
    const KvLayer& last = cache_.layer(1);
    return last.values[number * last.stride + 40];
  };
  const int32_t a = cache_.add(), b = cache_.add();
  for (const int32_t sequence : {a, b}) {
    cache_.extend(sequence, 3 * kKvBlock);
    for (int64_t i = 0; i < 3; ++i) fill(sequence, i, static_cast<uint8_t>(10 * sequence + i + 1));
  }
  const std::vector<int32_t> own = {block(a, 0), block(a, 1), block(a, 2)};
  const std::vector<int32_t> others = {block(b, 0), block(b, 1), block(b, 2)};
  cache_.remove(a);
  cache_.give_back();
  // A block of this cache is smaller than a page, so what is given back may not show; what is in
  // use must stay.
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(value_of(others[i]), std::byte(10 * b + static_cast<int>(i) + 1));
  }
  const int32_t c = cache_.add();
  cache_.extend(c, 3 * kKvBlock);
  EXPECT_EQ((std::vector<int32_t>{block(c, 0), block(c, 1), block(c, 2)}), own);
}

// What is made ready is the memory of the blocks that are taken next, and of no block in use.
TEST_F(Cache, MemoryIsMadeReadyPieceByPiece) {
  const int64_t free = cache_.free_blocks();
  const int32_t a = cache_.add();
  cache_.extend(a, kKvBlock);
  std::byte* const value = cache_.layer(0).keys + block(a, 0) * cache_.layer(0).stride;
  *value = std::byte{7};
  EXPECT_FALSE(cache_.make_ready(0));
  for (int64_t i = 0; i < 2; ++i) EXPECT_TRUE(cache_.make_ready(2));  // smaller than a piece each
  EXPECT_FALSE(cache_.make_ready(2));
  EXPECT_EQ(*value, std::byte{7});
  cache_.extend(a, 2 * kKvBlock);
  EXPECT_TRUE(cache_.make_ready(1));
  EXPECT_EQ(cache_.free_blocks(), free - 3);
  cache_.remove(a);
  cache_.give_back();
  EXPECT_TRUE(cache_.make_ready(1));
}

TEST_F(Cache, RefusalsChangeNothing) {
  const int32_t a = cache_.add(), b = cache_.add();
  cache_.extend(a, 4 * kKvBlock);
  EXPECT_EQ(code_of([&] { cache_.extend(a, 1); }), Code::bad_input);
  EXPECT_EQ(code_of([&] { cache_.extend(b, 3 * kKvBlock); }), Code::busy);
  EXPECT_EQ(cache_.length(b), 0);
  EXPECT_NO_THROW(cache_.extend(b, kKvBlock + 1));
  const int32_t c = cache_.fork(b);
  EXPECT_EQ(code_of([&] { cache_.add(); }), Code::busy);
  EXPECT_EQ(code_of([&] { cache_.extend(c, 1); }), Code::busy);  // no block left for the copy
  EXPECT_EQ(cache_.length(c), kKvBlock + 1);
  EXPECT_EQ(block(b, 1), block(c, 1));
  cache_.remove(b);
  EXPECT_NO_THROW(cache_.extend(c, 1));
  EXPECT_THROW(cache_.length(b), Error);
}

}  // namespace
}  // namespace janus
