// Attention of `ref`: all scores of a row, their maximum, their exponentials, the weighted mean of
// the values. A cache block is plain: [kKvBlock, M, H] for keys and the same for values; in q8 each
// head's numbers stand behind their scale.
// SPDX-License-Identifier: MIT
#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "base/half.h"
#include "kernels/cache_codes.h"
#include "kernels/ref/backend.h"
#include "kernels/ref/sum.h"

namespace janus {
namespace {

// Bytes of one head of one position.
int64_t head_bytes(Dtype dtype, int64_t width) {
  const int64_t scale = dtype == Dtype::q8 ? int64_t{sizeof(float)} : 0;
  return scale + width * traits(dtype).bytes;
}

// One head of one position of the cache.
std::byte* cache_row(std::byte* base, const KvLayer& cache, const Rows& rows, int64_t row,
                     int64_t position, int64_t head) {
  const int64_t place =
      rows.sequence[static_cast<size_t>(row)] * rows.blocks_per_sequence + position / kKvBlock;
  const int64_t block = rows.blocks[static_cast<size_t>(place)];
  const int64_t slot = position % kKvBlock * cache.heads + head;
  return base + block * cache.stride + slot * head_bytes(cache.dtype, cache.width);
}

void store_head(const float* from, std::byte* to, int64_t width, Dtype dtype) {
  if (dtype == Dtype::f32) {
    std::copy_n(from, width, reinterpret_cast<float*>(to));
  } else if (dtype == Dtype::bf16) {
    std::transform(from, from + width, reinterpret_cast<uint16_t*>(to), f32_to_bf16);
  } else {
    const float scale =
        encode_cache_row(from, width, reinterpret_cast<int8_t*>(to + sizeof(float)));
    std::memcpy(to, &scale, sizeof scale);
  }
}

void load_head(const std::byte* from, float* to, int64_t width, Dtype dtype) {
  if (dtype == Dtype::f32) {
    std::copy_n(reinterpret_cast<const float*>(from), width, to);
  } else if (dtype == Dtype::bf16) {
    const auto* narrow = reinterpret_cast<const uint16_t*>(from);
    std::transform(narrow, narrow + width, to, bf16_to_f32);
  } else {
    float scale;
    std::memcpy(&scale, from, sizeof scale);
    const auto* codes = reinterpret_cast<const int8_t*>(from + sizeof scale);
    for (int64_t i = 0; i < width; ++i) to[i] = static_cast<float>(codes[i]) * scale;
  }
}

// out = softmax(q·kᵀ·scale)·v; keys, values [count, H] with rows `stride` apart.
void attend_one(const float* q, const float* keys, const float* values, int64_t stride,
                int64_t count, int64_t width, float scale, float* out) {
  std::vector<float> weight(static_cast<size_t>(count));
  float top = -INFINITY;
  for (int64_t p = 0; p < count; ++p) {
    const float* k = keys + p * stride;
    const float score = ordered_sum(width, [=](int64_t i) { return q[i] * k[i]; }) * scale;
    weight[static_cast<size_t>(p)] = score;
    top = std::max(top, score);
  }
  for (float& w : weight) w = std::exp(w - top);
  const float* w = weight.data();
  const float total = ordered_sum(count, [=](int64_t p) { return w[p]; });
  for (int64_t d = 0; d < width; ++d) {
    out[d] = ordered_sum(count, [=](int64_t p) { return w[p] * values[p * stride + d]; }) / total;
  }
}

}  // namespace

int64_t RefBackend::do_kv_block_bytes(Dtype dtype, int heads, int width) const {
  return int64_t{kKvBlock} * heads * head_bytes(dtype, width);
}

void RefBackend::do_kv_store(Tensor key, Tensor value, const Rows& rows,
                             const KvLayer& cache) const {
  for (int64_t r = 0; r < rows.count(); ++r) {
    const int64_t position = rows.position[static_cast<size_t>(r)];
    for (int64_t m = 0; m < cache.heads; ++m) {
      store_head(key.row(r) + m * cache.width, cache_row(cache.keys, cache, rows, r, position, m),
                 cache.width, cache.dtype);
      store_head(value.row(r) + m * cache.width,
                 cache_row(cache.values, cache, rows, r, position, m), cache.width, cache.dtype);
    }
  }
}

void RefBackend::do_attend(Tensor q, const Rows& rows, const KvLayer& cache, int heads, float scale,
                           Tensor out) const {
  const int64_t width = cache.width;
  const int64_t share = heads / cache.heads;  // query heads of one key/value head
  std::vector<float> keys, values;            // [count, H] of one row and head
  for (int64_t r = 0; r < rows.count(); ++r) {
    const int64_t count = rows.position[static_cast<size_t>(r)] + 1;
    keys.resize(static_cast<size_t>(count * width));
    values.resize(keys.size());
    for (int64_t m = 0; m < cache.heads; ++m) {
      for (int64_t p = 0; p < count; ++p) {
        load_head(cache_row(cache.keys, cache, rows, r, p, m),
                  &keys[static_cast<size_t>(p * width)], width, cache.dtype);
        load_head(cache_row(cache.values, cache, rows, r, p, m),
                  &values[static_cast<size_t>(p * width)], width, cache.dtype);
      }
      for (int64_t n = m * share; n < (m + 1) * share; ++n) {
        attend_one(q.row(r) + n * width, keys.data(), values.data(), width, count, width, scale,
                   out.row(r) + n * width);
      }
    }
  }
}

void RefBackend::do_attend_full(Tensor q, Tensor k, Tensor v, int64_t tokens, int heads,
                                float scale, Tensor out) const {
  const int64_t width = q.cols() / heads;
  std::vector<float> keys(static_cast<size_t>(tokens * width));  // [T, H] of one head
  std::vector<float> values(keys.size());
  for (int64_t first = 0; first < q.rows(); first += tokens) {
    for (int64_t begin = 0; begin < q.cols(); begin += width) {
      for (int64_t t = 0; t < tokens; ++t) {
        std::copy_n(k.row(first + t) + begin, width, &keys[static_cast<size_t>(t * width)]);
        std::copy_n(v.row(first + t) + begin, width, &values[static_cast<size_t>(t * width)]);
      }
      for (int64_t t = 0; t < tokens; ++t) {
        attend_one(q.row(first + t) + begin, keys.data(), values.data(), width, tokens, width,
                   scale, out.row(first + t) + begin);
      }
    }
  }
}

}  // namespace janus
