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
  cache_.layer(1).keys[shared * backend_->kv_block_bytes(Dtype::f32, 1, 4) + 7] = std::byte{9};
  EXPECT_EQ(cache_.extend(b, 1), kKvBlock + 3);
  EXPECT_EQ(block(a, 0), block(b, 0));
  EXPECT_EQ(block(a, 1), shared);
  EXPECT_NE(block(b, 1), shared);
  EXPECT_EQ(cache_.layer(1).keys[block(b, 1) * backend_->kv_block_bytes(Dtype::f32, 1, 4) + 7],
            std::byte{9});
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

TEST_F(Cache, AdoptCopiesWhatStandsThere) {
  const int64_t bytes = backend_->kv_block_bytes(Dtype::f32, 1, 4);
  const auto paint = [&](int32_t block, uint8_t value) {
    for (int layer = 0; layer < 2; ++layer) {
      const auto shade = static_cast<uint8_t>(value + 10 * layer);
      std::fill_n(cache_.layer(layer).keys + block * bytes, bytes, std::byte{shade});
      std::fill_n(cache_.layer(layer).values + block * bytes, bytes, std::byte(shade + 1));
    }
  };
  cache_.extend(cache_.add(), 1);  // so that blocks have other numbers there than here
  const int32_t a = cache_.add();
  cache_.extend(a, kKvBlock + 7);
  for (int64_t i = 0; i < 2; ++i) paint(block(a, i), static_cast<uint8_t>(100 + 50 * i));

  KvCache larger(*backend_, tiny(), Dtype::f32, 1, 9 * kKvBlock, 9);
  const int32_t b = larger.adopt(cache_, a, kKvBlock + 3);
  EXPECT_EQ(larger.length(b), kKvBlock + 3);
  for (int64_t i = 0; i < 2; ++i) {
    for (int layer = 0; layer < 2; ++layer) {
      const int64_t at = larger.blocks()[static_cast<size_t>(i)] * bytes;
      const auto shade = static_cast<uint8_t>(100 + 50 * i + 10 * layer);
      for (const int64_t end : {int64_t{0}, bytes - 1}) {
        EXPECT_EQ(larger.layer(layer).keys[at + end], std::byte{shade});
        EXPECT_EQ(larger.layer(layer).values[at + end], std::byte(shade + 1));
      }
    }
  }
  larger.extend(b, 7 * kKvBlock);
  EXPECT_EQ(cache_.length(a), kKvBlock + 7);
}

TEST_F(Cache, AdoptRefusesWhatDoesNotFit) {
  const int32_t a = cache_.add();
  cache_.extend(a, 2 * kKvBlock);
  KvCache small(*backend_, tiny(), Dtype::f32, 1, kKvBlock, 4);
  EXPECT_EQ(code_of([&] { small.adopt(cache_, a, kKvBlock + 1); }), Code::bad_input);
  KvCache poor(*backend_, tiny(), Dtype::f32, 1, 4 * kKvBlock, 1);
  EXPECT_EQ(code_of([&] { poor.adopt(cache_, a, kKvBlock + 1); }), Code::busy);
  EXPECT_EQ(poor.length(poor.adopt(cache_, a, kKvBlock)), kKvBlock);  // the sequence was given back
  KvCache narrow(*backend_, tiny(), Dtype::bf16, 1, 4 * kKvBlock, 4);
  EXPECT_THROW(narrow.adopt(cache_, a, 1), Error);
  EXPECT_THROW(small.adopt(cache_, a, 2 * kKvBlock + 1), Error);
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
