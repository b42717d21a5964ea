// Attention on the processor. A cache block holds, for each head, its keys transposed [H][64] and
// its values [64][H]: scores are then vectors over positions, and no sum crosses lanes. In q8 the
// scales of a head's 64 positions follow its codes, and multiply scores and weights. A query
// walks blocks from position 0 on, whatever the rows beside it and wherever the prompt was cut.
// SPDX-License-Identifier: MIT
#include <algorithm>
#include <cmath>

#include "base/half.h"
#include "kernels/cache_codes.h"
#include "kernels/cpu/backend.h"

namespace janus {
namespace {

using cpu::AttendArgs;
using cpu::kBlock;
using cpu::kMostQueries;
static_assert(kBlock == kKvBlock);

// Queries that walk the same keys together, and what each has gathered so far.
struct Group {
  int count = 0;
  const float* q[kMostQueries];
  float* out[kMostQueries];
  int64_t visible[kMostQueries];  // positions this query sees, from 0 on
  float top[kMostQueries];
  float sum[kMostQueries];

  void add(const float* query, float* to, int64_t width, int64_t sees) {
    q[count] = query;
    out[count] = to;
    visible[count] = sees;
    top[count] = -INFINITY;
    sum[count] = 0;
    std::fill_n(to, width, 0.0f);
    ++count;
  }
};

struct Block {
  const void* keys;
  const void* values;
  const void* next_keys;  // or null
  int64_t value_stride;
  cpu::Format format;
  int64_t width;
};

cpu::Format format_of(Dtype dtype) {
  return dtype == Dtype::f32    ? cpu::Format::f32
         : dtype == Dtype::bf16 ? cpu::Format::bf16
                                : cpu::Format::q8;
}

// Bytes of one head's keys (and as many of its values) of a block; scales stand behind codes.
int64_t code_bytes(Dtype dtype, int64_t width) { return kBlock * width * traits(dtype).bytes; }
int64_t head_bytes(Dtype dtype, int64_t width) {
  const int64_t scales = dtype == Dtype::q8 ? kBlock * int64_t{sizeof(float)} : 0;
  return code_bytes(dtype, width) + scales;
}

// Behind a head's codes, where they are q8.
const float* scales_behind(const void* codes, int64_t width) {
  return reinterpret_cast<const float*>(static_cast<const std::byte*>(codes) +
                                        code_bytes(Dtype::q8, width));
}

// The group's queries that see any of the block's positions, which begin at `first`.
void walk_block(const cpu::KernelTable& table, Group& group, const Block& block, int64_t first,
                float scale) {
  AttendArgs args{};
  args.keys = block.keys;
  args.values = block.values;
  args.next_keys = block.next_keys;
  args.value_stride = block.value_stride;
  if (block.format == cpu::Format::q8) {
    args.key_scales = scales_behind(block.keys, block.width);
    args.value_scales = scales_behind(block.values, block.width);
  }
  args.format = block.format;
  args.width = block.width;
  args.scale = scale;
  for (int i = 0; i < group.count; ++i) {
    if (group.visible[i] <= first) continue;
    const int n = args.queries++;
    args.q[n] = group.q[i];
    args.out[n] = group.out[i];
    args.top[n] = &group.top[i];
    args.sum[n] = &group.sum[i];
    args.count[n] = static_cast<int>(std::min<int64_t>(kBlock, group.visible[i] - first));
  }
  table.attend_block(args);
}

void finish_group(const cpu::KernelTable& table, const Group& group, int64_t width) {
  for (int i = 0; i < group.count; ++i) table.scale(group.out[i], 1.0f / group.sum[i], width);
}

// One key/value head under rows [begin, end) of a step.
class HeadWalk {
 public:
  HeadWalk(const cpu::KernelTable& table, const Rows& rows, const KvLayer& cache, int64_t head)
      : table_(table), rows_(rows), cache_(cache), head_(head) {}

  // `share` query heads read this key/value head; the same rows of the next head may be `next`.
  void run(Tensor q, int64_t begin, int64_t end, int64_t share, float scale, bool next,
           Tensor out) const {
    const int64_t width = cache_.width;
    Group group;
    int32_t sequence = -1;
    for (int64_t i = begin * share; i < end * share; ++i) {
      const int64_t row = i / share;
      const int64_t column = (head_ * share + i % share) * width;
      const int32_t own = rows_.sequence[static_cast<size_t>(row)];
      if (group.count == kMostQueries || (group.count > 0 && own != sequence)) {
        walk(group, sequence, scale, place(head_, own, 0));
        group.count = 0;
      }
      sequence = own;
      group.add(q.row(row) + column, out.row(row) + column, width,
                int64_t{rows_.position[static_cast<size_t>(row)]} + 1);
    }
    if (group.count == 0) return;
    const int32_t first = rows_.sequence[static_cast<size_t>(begin)];
    walk(group, sequence, scale, next ? place(head_ + 1, first, 0) : -1);
  }

 private:
  // after: where the walk after this one begins, or -1; its keys are fetched during the last block.
  void walk(Group& group, int32_t sequence, float scale, int64_t after) const {
    const cpu::Format format = format_of(cache_.dtype);
    const int64_t longest = *std::max_element(group.visible, group.visible + group.count);
    for (int64_t first = 0; first < longest; first += kBlock) {
      const int64_t at = place(head_, sequence, first);
      const int64_t next =
          first + kBlock < longest ? place(head_, sequence, first + kBlock) : after;
      const Block block{.keys = cache_.keys + at,
                        .values = cache_.values + at,
                        .next_keys = next < 0 ? nullptr : cache_.keys + next,
                        .value_stride = cache_.width,
                        .format = format,
                        .width = cache_.width};
      walk_block(table_, group, block, first, scale);
    }
    finish_group(table_, group, cache_.width);
  }

  // Bytes before a head's keys (and values) in the block that holds a position.
  int64_t place(int64_t head, int32_t sequence, int64_t position) const {
    const int64_t entry = sequence * rows_.blocks_per_sequence + position / kBlock;
    return rows_.blocks[static_cast<size_t>(entry)] * cache_.stride +
           head * head_bytes(cache_.dtype, cache_.width);
  }

  const cpu::KernelTable& table_;
  const Rows& rows_;
  const KvLayer& cache_;
  int64_t head_;
};

// Writes one head of one row at its slot of a block.
template <class Element, class Narrow>
void store_head(const float* key, const float* value, int64_t width, int64_t slot, std::byte* keys,
                std::byte* values, const Narrow& narrow) {
  auto* key_column = reinterpret_cast<Element*>(keys) + slot;
  auto* value_row = reinterpret_cast<Element*>(values) + slot * width;
  for (int64_t d = 0; d < width; ++d) {
    key_column[d * kBlock] = narrow(key[d]);
    value_row[d] = narrow(value[d]);
  }
}

// The same in q8; codes [H] of scratch.
void store_codes(const float* key, const float* value, int64_t width, int64_t slot, std::byte* keys,
                 std::byte* values, int8_t* codes) {
  auto* key_scales = reinterpret_cast<float*>(keys + code_bytes(Dtype::q8, width));
  auto* value_scales = reinterpret_cast<float*>(values + code_bytes(Dtype::q8, width));
  key_scales[slot] = encode_cache_row(key, width, codes);
  auto* key_column = reinterpret_cast<int8_t*>(keys) + slot;
  for (int64_t d = 0; d < width; ++d) key_column[d * kBlock] = codes[d];
  auto* value_row = reinterpret_cast<int8_t*>(values) + slot * width;
  value_scales[slot] = encode_cache_row(value, width, value_row);
}

}  // namespace

int64_t CpuBackend::do_kv_block_bytes(Dtype dtype, int heads, int width) const {
  return heads * head_bytes(dtype, width);
}

void CpuBackend::do_kv_store(Tensor key, Tensor value, const Rows& rows,
                             const KvLayer& cache) const {
  const int64_t width = cache.width;
  const int64_t size = head_bytes(cache.dtype, width);
  // By heads: rows of one block write into the same cache lines.
  constexpr int64_t kElements = 16384;
  const int64_t grain =
      std::max<int64_t>(1, kElements / std::max<int64_t>(1, rows.count() * width));
  workers_->run(cache.heads, grain, width, [&](int64_t begin, int64_t end, float* scratch) {
    for (int64_t i = 0; i < rows.count(); ++i) {
      const auto r = static_cast<size_t>(i);
      const int64_t place = rows.sequence[r] * rows.blocks_per_sequence + rows.position[r] / kBlock;
      const int64_t block = rows.blocks[static_cast<size_t>(place)] * cache.stride;
      const int64_t slot = rows.position[r] % kBlock;
      for (int64_t m = begin; m < end; ++m) {
        const float* k = key.row(i) + m * width;
        const float* v = value.row(i) + m * width;
        std::byte* keys = cache.keys + block + m * size;
        std::byte* values = cache.values + block + m * size;
        if (cache.dtype == Dtype::f32) {
          store_head<float>(k, v, width, slot, keys, values, [](float x) { return x; });
        } else if (cache.dtype == Dtype::bf16) {
          store_head<uint16_t>(k, v, width, slot, keys, values, f32_to_bf16);
        } else {
          store_codes(k, v, width, slot, keys, values, reinterpret_cast<int8_t*>(scratch));
        }
      }
    }
  });
}

void CpuBackend::do_attend(Tensor q, const Rows& rows, const KvLayer& cache, int heads, float scale,
                           Tensor out) const {
  const int64_t share = heads / cache.heads;
  const int64_t rows_each = std::max<int64_t>(1, kMostQueries / share);
  const int64_t row_parts = (rows.count() + rows_each - 1) / rows_each;
  workers_->run(row_parts * cache.heads, 1, 0, [&](int64_t begin, int64_t end, float*) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t first = i / cache.heads * rows_each, head = i % cache.heads;
      HeadWalk(table_, rows, cache, head)
          .run(q, first, std::min(rows.count(), first + rows_each), share, scale,
               i + 1 < end && head + 1 < cache.heads, out);
    }
  });
}

void CpuBackend::do_attend_full(Tensor q, Tensor k, Tensor v, int64_t tokens, int heads,
                                float scale, Tensor out) const {
  const int64_t width = q.cols() / heads;
  constexpr int64_t kGroups = 16;  // that share one block of keys once it is transposed
  const int64_t chunk = kGroups * kMostQueries;
  const int64_t chunks = (tokens + chunk - 1) / chunk;
  const int64_t images = q.rows() / tokens;
  workers_->run(
      images * heads * chunks, 1, width * kBlock, [&](int64_t begin, int64_t end, float* keys) {
        for (int64_t i = begin; i < end; ++i) {
          const int64_t image = i / chunks / heads * tokens;  // its first row
          const int64_t column = i / chunks % heads * width;
          const int64_t first = i % chunks * chunk;
          const int64_t last = std::min(tokens, first + chunk);
          Group groups[kGroups];
          for (int64_t t = first; t < last; ++t) {
            groups[(t - first) / kMostQueries].add(q.row(image + t) + column,
                                                   out.row(image + t) + column, width, tokens);
          }
          for (int64_t p = 0; p < tokens; p += kBlock) {
            const auto count = static_cast<int>(std::min<int64_t>(kBlock, tokens - p));
            table_.transpose(k.row(image + p) + column, k.row_stride, count, width, keys, kBlock);
            const Block block{.keys = keys,
                              .values = v.row(image + p) + column,
                              .next_keys = nullptr,
                              .value_stride = v.row_stride,
                              .format = cpu::Format::f32,
                              .width = width};
            for (Group& group : groups) {
              if (group.count > 0) walk_block(table_, group, block, p, scale);
            }
          }
          for (const Group& group : groups) finish_group(table_, group, width);
        }
      });
}

}  // namespace janus
