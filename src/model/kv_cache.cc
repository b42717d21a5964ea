// SPDX-License-Identifier: MIT
#include "model/kv_cache.h"

#include <algorithm>
#include <cstring>
#include <functional>

#include "base/error.h"

namespace janus {

int64_t KvCache::blocks_for(int64_t positions) { return (positions + kKvBlock - 1) / kKvBlock; }

int64_t KvCache::bytes(const Backend& backend, const LlamaConfig& config, Dtype dtype,
                       int64_t blocks) {
  return 2 * config.layers * blocks *
         backend.kv_block_bytes(dtype, config.kv_heads, config.head_width);
}

KvCache::KvCache(const Backend& backend, const LlamaConfig& config, Dtype dtype, int sequences,
                 int64_t positions, int64_t blocks)
    : per_sequence_(blocks_for(positions)),
      block_bytes_(bytes(backend, config, dtype, 1)),
      positions_(positions),
      lengths_(static_cast<size_t>(sequences), kFree),
      table_(static_cast<size_t>(sequences * per_sequence_), kNoBlock),
      references_(static_cast<size_t>(blocks), 0),
      ready_(static_cast<size_t>(blocks), 0),
      memory_(blocks * block_bytes_) {
  for (int64_t block = 0; block < blocks; ++block) {
    free_blocks_.push_back(static_cast<int32_t>(block));  // in rising order: a heap
  }
  const int64_t part = block_bytes_ / (2 * config.layers);
  for (int i = 0; i < config.layers; ++i) {
    KvLayer layer{dtype, config.kv_heads, config.head_width, blocks, block_bytes_};
    layer.keys = memory_.data() + 2 * i * part;
    layer.values = layer.keys + part;
    layers_.push_back(layer);
  }
}

int32_t KvCache::add() {
  const auto found = std::find(lengths_.begin(), lengths_.end(), kFree);
  check(found != lengths_.end(), Code::busy, "all ", lengths_.size(), " sequences are in use");
  *found = 0;
  return static_cast<int32_t>(found - lengths_.begin());
}

int32_t KvCache::fork(int32_t parent, int64_t positions) {
  check(positions >= 0 && positions <= length(parent), Code::bug, "kv cache: ", positions, " of ",
        length(parent), " positions cannot be shared");
  const int32_t child = add();
  lengths_[static_cast<size_t>(child)] = positions;
  for (int64_t i = 0; i < blocks_for(positions); ++i) {
    block_of(child, i) = block_of(parent, i);
    ++references_[static_cast<size_t>(block_of(parent, i))];
  }
  return child;
}

void KvCache::remove(int32_t sequence) {
  truncate(sequence, 0);
  lengths_[static_cast<size_t>(sequence)] = kFree;
}

int64_t KvCache::length(int32_t sequence) const {
  check(sequence >= 0 && static_cast<size_t>(sequence) < lengths_.size() &&
            lengths_[static_cast<size_t>(sequence)] != kFree,
        Code::bug, "kv cache: no sequence ", sequence);
  return lengths_[static_cast<size_t>(sequence)];
}

int64_t KvCache::extend(int32_t sequence, int64_t count) {
  const int64_t before = length(sequence);
  check(count >= 0 && count <= positions_ - before, Code::bad_input, "a sequence of ", before,
        " tokens has no room for ", count, " more; ", positions_, " were planned");
  const int64_t held = blocks_for(before);
  const int64_t wanted = blocks_for(before + count);
  // The last block is written to next; while shared it is copied first.
  const bool copies = count > 0 && before % kKvBlock != 0 &&
                      references_[static_cast<size_t>(block_of(sequence, held - 1))] > 1;
  const int64_t needed = wanted - held + (copies ? 1 : 0);
  check(needed <= static_cast<int64_t>(free_blocks_.size()), Code::busy, "the cache has ",
        free_blocks_.size(), " of ", references_.size(), " blocks free, ", needed,
        " are needed; ask for fewer pictures or shorter texts at once");
  if (copies) make_own(block_of(sequence, held - 1));
  for (int64_t i = held; i < wanted; ++i) block_of(sequence, i) = take_block();
  lengths_[static_cast<size_t>(sequence)] = before + count;
  return before;
}

void KvCache::truncate(int32_t sequence, int64_t length_to_keep) {
  const int64_t before = length(sequence);
  check(length_to_keep >= 0 && length_to_keep <= before, Code::bug, "kv cache: ", before,
        " positions cannot be cut to ", length_to_keep);
  for (int64_t i = blocks_for(length_to_keep); i < blocks_for(before); ++i) {
    release_block(block_of(sequence, i));
    block_of(sequence, i) = kNoBlock;
  }
  lengths_[static_cast<size_t>(sequence)] = length_to_keep;
}

int32_t& KvCache::block_of(int32_t sequence, int64_t index) {
  return table_[static_cast<size_t>(sequence * per_sequence_ + index)];
}

int32_t KvCache::take_block() {
  std::pop_heap(free_blocks_.begin(), free_blocks_.end(), std::greater<>());
  const int32_t block = free_blocks_.back();
  free_blocks_.pop_back();
  references_[static_cast<size_t>(block)] = 1;
  ready_[static_cast<size_t>(block)] = block_bytes_;
  return block;
}

void KvCache::release_block(int32_t block) {
  if (--references_[static_cast<size_t>(block)] > 0) return;
  free_blocks_.push_back(block);
  std::push_heap(free_blocks_.begin(), free_blocks_.end(), std::greater<>());
}

void KvCache::make_own(int32_t& block) {
  const int32_t copy = take_block();
  std::memcpy(memory_.data() + copy * block_bytes_, memory_.data() + block * block_bytes_,
              static_cast<size_t>(block_bytes_));
  release_block(block);
  block = copy;
}

int64_t KvCache::free_sequences() const {
  return std::count(lengths_.begin(), lengths_.end(), kFree);
}

bool KvCache::make_ready(int64_t blocks) {
  for (int64_t block = 0; block < std::ssize(ready_) && blocks > 0; ++block) {
    const auto b = static_cast<size_t>(block);
    if (references_[b] > 0) continue;
    --blocks;
    const int64_t bytes = std::min(block_bytes_ - ready_[b], kPiece);
    if (bytes == 0) continue;
    memory_.touch(block * block_bytes_ + ready_[b], bytes);
    ready_[b] += bytes;
    return true;
  }
  return false;
}

// Neighbours go together, so that pages between two of them go as well.
void KvCache::give_back() {
  const auto count = std::ssize(ready_);
  const auto idle = [&](int64_t block) {
    const auto b = static_cast<size_t>(block);
    return ready_[b] > 0 && references_[b] == 0;
  };
  for (int64_t begin = 0; begin < count; ++begin) {
    int64_t end = begin;
    for (; end < count && idle(end); ++end) ready_[static_cast<size_t>(end)] = 0;
    if (end == begin) continue;
    memory_.give_back(begin * block_bytes_, (end - begin) * block_bytes_);
    begin = end;
  }
}

}  // namespace janus
