// KvCache: keys and values of all layers for several sequences, in blocks of kKvBlock positions.
// Sequences that begin alike share their full blocks; a block is copied before it is changed while
// shared. Addresses are reserved once, in the constructor; memory is taken block by block, all
// layers of a block side by side, and can be given back the same way.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/reserve.h"
#include "kernels/backend.h"
#include "model/config.h"

namespace janus {

class KvCache {
 public:
  // Room for `blocks` blocks and at most `sequences` sequences of `positions` positions.
  KvCache(const Backend& backend, const LlamaConfig& config, Dtype dtype, int sequences,
          int64_t positions, int64_t blocks);
  KvCache(const KvCache&) = delete;
  KvCache& operator=(const KvCache&) = delete;
  KvCache(KvCache&&) = default;
  KvCache& operator=(KvCache&&) = default;
  // Blocks needed by one sequence of `positions`.
  static int64_t blocks_for(int64_t positions);
  static int64_t bytes(const Backend& backend, const LlamaConfig& config, Dtype dtype,
                       int64_t blocks);

  // A new empty sequence; Code::busy when none is free.
  int32_t add();
  // A new sequence that begins with the first `length` positions of `parent`, or with all of them.
  int32_t fork(int32_t parent, int64_t length);
  int32_t fork(int32_t parent) { return fork(parent, length(parent)); }
  void remove(int32_t sequence);

  int64_t length(int32_t sequence) const;
  int64_t positions() const { return positions_; }  // that one sequence may have
  // Makes room for `count` more positions and returns the first; the caller then runs them through
  // Model::forward. Code::busy when no block is free, Code::bad_input beyond the planned positions
  // (nothing is changed then).
  int64_t extend(int32_t sequence, int64_t count);
  // Forgets positions from `length` on.
  void truncate(int32_t sequence, int64_t length);

  int64_t free_blocks() const { return static_cast<int64_t>(free_blocks_.size()); }
  int64_t free_sequences() const;
  // Memory that nobody has touched yet takes the system long to give. Of the `blocks` that are
  // taken next this makes some ready, kPiece at most; false: all of them are.
  static constexpr int64_t kPiece = int64_t{2} << 20;
  bool make_ready(int64_t blocks);
  // Gives the memory of free blocks back to the system.
  void give_back();

  // The block table for Rows.
  std::span<const int32_t> blocks() const { return table_; }
  int64_t blocks_per_sequence() const { return per_sequence_; }
  const KvLayer& layer(int index) const { return layers_[static_cast<size_t>(index)]; }

 private:
  static constexpr int64_t kFree = -1;
  static constexpr int32_t kNoBlock = -1;

  int32_t& block_of(int32_t sequence, int64_t index);
  int32_t take_block();
  void release_block(int32_t block);
  void make_own(int32_t& block);

  int64_t per_sequence_ = 0;
  int64_t block_bytes_ = 0;  // of one block in all layers
  int64_t positions_ = 0;
  std::vector<int64_t> lengths_;      // kFree: not in use
  std::vector<int32_t> table_;        // [sequences, per_sequence]
  std::vector<int32_t> references_;   // of each block
  std::vector<int32_t> free_blocks_;  // a heap: the lowest is taken next
  std::vector<int64_t> ready_;        // bytes of each block that have memory
  Reserve memory_;
  std::vector<KvLayer> layers_;
};

}  // namespace janus
