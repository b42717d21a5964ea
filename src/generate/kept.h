// What an engine keeps between requests, so that nothing is read twice: vectors of pictures, and
// the keys and values of earlier prompts with their answers. Requests give the same bits with it
// and without (fed.h). SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <cstdint>
#include <list>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "base/buffer.h"
#include "generate/fed.h"
#include "model/kv_cache.h"

namespace janus {

// Vectors of pictures that were read, [P, D] each; those used longest ago go first.
class KeptPictures {
 public:
  using Vectors = std::shared_ptr<const OwnedTensor>;

  explicit KeptPictures(int64_t limit_bytes) : limit_(limit_bytes) {}

  Vectors find(const PictureKey& key);  // null when the picture is not here
  // The picture kept last stays even where it is larger than the limit.
  Vectors keep(const PictureKey& key, OwnedTensor vectors);
  int64_t bytes() const { return bytes_; }  // from any thread
  void forget();

 private:
  struct Entry {
    PictureKey key;
    Vectors vectors;
  };
  int64_t limit_;
  std::atomic<int64_t> bytes_ = 0;
  std::list<Entry> entries_;  // used last, first
};

// Sequences of a cache that were run, for later prompts to begin with; those used longest ago go
// first. They share blocks with what began with them.
class KeptPrompts {
 public:
  static constexpr int64_t kMost = 32;

  // `block_bytes`: of the cache, in all layers.
  KeptPrompts(KvCache& cache, int64_t block_bytes, int64_t limit_bytes)
      : cache_(cache), block_bytes_(block_bytes), limit_(limit_bytes) {}

  // A new sequence that begins as `prompt` does, with as much as is known, at most all but the
  // prompt's last position: that is run again for its hidden state. Returns the sequence and how
  // many positions it has. Code::busy as KvCache::add().
  std::pair<int32_t, int64_t> begin(std::span<const Fed> prompt);
  // Takes the sequence over, in which that was run. What it goes on from is dropped; the one kept
  // last stays even where it is larger than the limit.
  void keep(int32_t sequence, std::vector<Fed> fed);
  // Drops the one used longest ago; false when there is none.
  bool drop();
  void forget();
  int64_t bytes() const { return bytes_; }  // from any thread; shared blocks count for each

 private:
  struct Entry {
    int32_t sequence;
    std::vector<Fed> fed;
  };
  void remove(std::list<Entry>::iterator entry);
  int64_t size(const Entry& entry) const;

  KvCache& cache_;
  int64_t block_bytes_;
  int64_t limit_;
  std::atomic<int64_t> bytes_ = 0;
  std::list<Entry> entries_;  // used last, first
};

}  // namespace janus
