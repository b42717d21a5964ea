// SPDX-License-Identifier: MIT
#include "model/kv_cache.h"

#include <algorithm>
#include <cstring>

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
      block_bytes_(backend.kv_block_bytes(dtype, config.kv_heads, config.head_width)),
      positions_(positions),
      lengths_(static_cast<size_t>(sequences), kFree),
      table_(static_cast<size_t>(sequences * per_sequence_), kNoBlock),
      references_(static_cast<size_t>(blocks), 0),
      memory_(bytes(backend, config, dtype, blocks)) {
  for (int64_t block = blocks; block-- > 0;) free_blocks_.push_back(static_cast<int32_t>(block));
  std::byte* next = memory_.data();
  for (int i = 0; i < config.layers; ++i) {
    KvLayer layer{dtype, config.kv_heads, config.head_width, blocks};
    layer.keys = next;
    layer.values = next + blocks * block_bytes_;
    next = layer.values + blocks * block_bytes_;
    layers_.push_back(layer);
  }
}

int32_t KvCache::add() {
  const auto found = std::find(lengths_.begin(), lengths_.end(), kFree);
  check(found != lengths_.end(), Code::busy, "all ", lengths_.size(), " sequences are in use");
  *found = 0;
  return static_cast<int32_t>(found - lengths_.begin());
}

int32_t KvCache::fork(int32_t parent) {
  const int64_t positions = length(parent);
  const int32_t child = add();
  lengths_[static_cast<size_t>(child)] = positions;
  for (int64_t i = 0; i < blocks_for(positions); ++i) {
    block_of(child, i) = block_of(parent, i);
    ++references_[static_cast<size_t>(block_of(parent, i))];
  }
  return child;
}

int32_t KvCache::adopt(const KvCache& from, int32_t sequence, int64_t length_to_copy) {
  check(layers_.size() == from.layers_.size() && block_bytes_ == from.block_bytes_, Code::bug,
        "kv cache: blocks of ", from.block_bytes_, " bytes in ", from.layers_.size(),
        " layers cannot go into blocks of ", block_bytes_, " bytes in ", layers_.size());
  check(length_to_copy >= 0 && length_to_copy <= from.length(sequence), Code::bug,
        "kv cache: ", length_to_copy, " of ", from.length(sequence), " positions cannot be copied");
  const int32_t child = add();
  try {
    extend(child, length_to_copy);
  } catch (...) {
    remove(child);
    throw;
  }
  for (size_t i = 0; i < layers_.size(); ++i) {
    for (int64_t b = 0; b < blocks_for(length_to_copy); ++b) {
      const int64_t to = block_of(child, b) * block_bytes_;
      const int64_t at = from.block_of(sequence, b) * block_bytes_;
      const auto bytes = static_cast<size_t>(block_bytes_);
      std::memcpy(layers_[i].keys + to, from.layers_[i].keys + at, bytes);
      std::memcpy(layers_[i].values + to, from.layers_[i].values + at, bytes);
    }
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

int32_t KvCache::block_of(int32_t sequence, int64_t index) const {
  return table_[static_cast<size_t>(sequence * per_sequence_ + index)];
}

int32_t KvCache::take_block() {
  const int32_t block = free_blocks_.back();
  free_blocks_.pop_back();
  references_[static_cast<size_t>(block)] = 1;
  return block;
}

void KvCache::release_block(int32_t block) {
  if (--references_[static_cast<size_t>(block)] == 0) free_blocks_.push_back(block);
}

void KvCache::make_own(int32_t& block) {
  const int32_t copy = take_block();
  for (const KvLayer& layer : layers_) {
    for (std::byte* blocks : {layer.keys, layer.values}) {
      std::memcpy(blocks + copy * block_bytes_, blocks + block * block_bytes_,
                  static_cast<size_t>(block_bytes_));
    }
  }
  release_block(block);
  block = copy;
}

}  // namespace janus
