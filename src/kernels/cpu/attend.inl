// One block of attention for a few queries. Scores of a block are vectors over positions (keys lie
// transposed), the weighted sum of values is a vector over the head: no sum ever crosses lanes but
// the one over the block's weights. Each query's arithmetic is its own, so the queries that share a
// call cannot change its bits.
// SPDX-License-Identifier: MIT

// Vectors side by side of each of Q queries: as many as fit in registers with their factors.
constexpr int across(int queries) { return (queries + 1) * 4 < kRegisters ? 4 : 2; }

constexpr int64_t element_bytes(Format format) {
  return format == Format::f32 ? 4 : format == Format::bf16 ? 2 : 1;
}

template <Format F>
inline Vec load_stored(const void* base, int64_t index) {
  if constexpr (F == Format::f32) {
    return Vec::load(static_cast<const float*>(base) + index);
  } else if constexpr (F == Format::q8) {
    return Vec::load_i8(static_cast<const int8_t*>(base) + index);
  } else {
    return Vec::load_bf16(static_cast<const uint16_t*>(base) + index);
  }
}

template <Format F>
inline Vec load_stored_part(const void* base, int64_t index, int lanes) {
  if (lanes == Vec::kWidth) return load_stored<F>(base, index);
  if constexpr (F == Format::f32) {
    return Vec::load_part(static_cast<const float*>(base) + index, lanes);
  } else if constexpr (F == Format::q8) {
    int8_t part[Vec::kWidth] = {};
    for (int i = 0; i < lanes; ++i) part[i] = static_cast<const int8_t*>(base)[index + i];
    return Vec::load_i8(part);
  } else {
    uint16_t part[Vec::kWidth] = {};
    for (int i = 0; i < lanes; ++i) part[i] = static_cast<const uint16_t*>(base)[index + i];
    return Vec::load_bf16(part);
  }
}

// Keys, values and the next block's keys are read one after another; what comes kAhead bytes after
// the row of `bytes` that is being read is fetched, over the end of `size` bytes into `then`.
inline void fetch_ahead(const void* from, int64_t row, int64_t bytes, int64_t size, const void* then) {
  constexpr int64_t kAhead = 2048;
  const int64_t at = row * bytes + kAhead;
  const char* line = at < size ? static_cast<const char*>(from) + at
                               : static_cast<const char*>(then) + (at - size);
  for (int64_t i = 0; i < bytes; i += 64) __builtin_prefetch(line + i);
}

// scores[q][p] = Σ_d q[d]·keys[d][p], d rising.
template <int Q, Format F>
void block_scores(const AttendArgs& a, float (*scores)[kBlock]) {
  constexpr int kAcross = across(Q);
  constexpr int kSpan = kAcross * Vec::kWidth;
  for (int begin = 0; begin < kBlock; begin += kSpan) {
    Vec sum[Q][kAcross];
    for (int q = 0; q < Q; ++q) {
      for (int j = 0; j < kAcross; ++j) sum[q][j] = Vec::set(0.0f);
    }
    for (int64_t d = 0; d < a.width; ++d) {
      Vec key[kAcross];
      for (int j = 0; j < kAcross; ++j) {
        key[j] = load_stored<F>(a.keys, d * kBlock + begin + j * Vec::kWidth);
      }
      if (begin == 0 && a.next_keys) {
        constexpr int64_t kRow = kBlock * element_bytes(F);
        fetch_ahead(a.keys, d, kRow, a.width * kRow, a.values);
      }
      for (int q = 0; q < Q; ++q) {
        const Vec x = Vec::set(a.q[q][d]);
        for (int j = 0; j < kAcross; ++j) sum[q][j] = fma(x, key[j], sum[q][j]);
      }
    }
    for (int q = 0; q < Q; ++q) {
      for (int j = 0; j < kAcross; ++j) sum[q][j].store(scores[q] + begin + j * Vec::kWidth);
    }
  }
}

// Codes became sums; their scales make them scores, or weights of codes weights of values.
inline void multiply_positions(float* numbers, const float* scales) {
  for (int p = 0; p < kBlock; p += Vec::kWidth) {
    (Vec::load(numbers + p) * Vec::load(scales + p)).store(numbers + p);
  }
}

// Scores are scaled and `top` moves on to the largest so far. Positions the query does not see
// become -inf, whatever memory they hold. Returns the old top.
inline float raise_top(float* scores, int count, float scale_factor, float* top) {
  constexpr float kNone = -__builtin_inff();
  const Vec factor = Vec::set(scale_factor);
  Vec high = Vec::set(*top);
  for (int p = 0; p < kBlock; p += Vec::kWidth) {
    Vec s = Vec::set(kNone);
    if (p < count) {
      s = Vec::load(scores + p) * factor;
      if (p + Vec::kWidth > count) s = s.first_lanes_or(count - p, kNone);
    }
    s.store(scores + p);
    high = max(high, s);
  }
  const float old_top = *top;
  *top = high.highest();
  return old_top;
}

// Scores become weights exp(score - top) and `sum` moves on. Returns how much what was gathered
// under the old top shrinks.
inline float weigh(float* scores, float old_top, float top, float* sum) {
  const Vec shift = Vec::set(top);
  Vec total = Vec::set(0.0f);
  for (int p = 0; p < kBlock; p += Vec::kWidth) {
    const Vec w = exp(Vec::load(scores + p) - shift);
    w.store(scores + p);
    total = total + w;
  }
  const float shrink = exp(Vec::set(old_top) - shift).first();
  *sum = *sum * shrink + total.total();
  return shrink;
}

// out[q] = out[q]·shrink[q] + Σ_p weights[q][p]·values[p], p rising, for Q queries from `first` on
// and positions [0, count) of J vectors of the head.
template <int Q, int J, Format F>
void add_values(const AttendArgs& a, int first, const float (*weights)[kBlock], const float* shrink,
                int64_t d, int lanes, int begin, int end) {
  Vec sum[Q][J];
  for (int q = 0; q < Q; ++q) {
    for (int j = 0; j < J; ++j) {
      sum[q][j] = load(a.out[first + q] + d + j * Vec::kWidth, lanes) * Vec::set(shrink[first + q]);
    }
  }
  for (int p = begin; p < end; ++p) {
    if (d == 0 && a.next_keys) {
      const int64_t row = a.width * element_bytes(F);
      fetch_ahead(a.values, p, row, kBlock * row, a.next_keys);
    }
    Vec value[J];
    for (int j = 0; j < J; ++j) {
      value[j] = load_stored_part<F>(a.values, p * a.value_stride + d + j * Vec::kWidth, lanes);
    }
    for (int q = 0; q < Q; ++q) {
      const Vec w = Vec::set(weights[first + q][p]);
      for (int j = 0; j < J; ++j) sum[q][j] = fma(w, value[j], sum[q][j]);
    }
  }
  for (int q = 0; q < Q; ++q) {
    for (int j = 0; j < J; ++j) store(sum[q][j], a.out[first + q] + d + j * Vec::kWidth, lanes);
  }
}

// The positions that all queries see together, then the rest of each alone.
template <int Q, int J, Format F>
void add_values_masked(const AttendArgs& a, const float (*weights)[kBlock], const float* shrink,
                       int64_t d, int lanes, int common) {
  add_values<Q, J, F>(a, 0, weights, shrink, d, lanes, 0, common);
  constexpr float kKeep[kMostQueries] = {1, 1, 1, 1, 1, 1};
  for (int q = 0; q < Q; ++q) {
    if (a.count[q] > common) {
      add_values<1, J, F>(a, q, weights, kKeep, d, lanes, common, a.count[q]);
    }
  }
}

template <int Q, Format F>
void attend_queries(const AttendArgs& a) {
  alignas(64) float scores[Q][kBlock];
  float shrink[Q], old_top[Q];
  block_scores<Q, F>(a, scores);
  int common = kBlock;
  for (int q = 0; q < Q; ++q) {
    if constexpr (F == Format::q8) multiply_positions(scores[q], a.key_scales);
    old_top[q] = raise_top(scores[q], a.count[q], a.scale, a.top[q]);
    if (a.count[q] < common) common = a.count[q];
  }
  for (int q = 0; q < Q; ++q) shrink[q] = weigh(scores[q], old_top[q], *a.top[q], a.sum[q]);
  if constexpr (F == Format::q8) {
    for (int q = 0; q < Q; ++q) multiply_positions(scores[q], a.value_scales);
  }
  constexpr int kAcross = across(Q);
  constexpr int64_t kSpan = kAcross * Vec::kWidth;
  int64_t d = 0;
  for (; d + kSpan <= a.width; d += kSpan) {
    add_values_masked<Q, kAcross, F>(a, scores, shrink, d, Vec::kWidth, common);
  }
  for (; d < a.width; d += Vec::kWidth) {
    const int64_t rest = a.width - d;
    const int lanes = rest < Vec::kWidth ? static_cast<int>(rest) : Vec::kWidth;
    add_values_masked<Q, 1, F>(a, scores, shrink, d, lanes, common);
  }
}

template <int Q>
void attend_up_to(const AttendArgs& a) {
  if (a.queries != Q) {
    if constexpr (Q > 1) attend_up_to<Q - 1>(a);
    return;
  }
  if (a.format == Format::f32) {
    attend_queries<Q, Format::f32>(a);
  } else if (a.format == Format::q8) {
    attend_queries<Q, Format::q8>(a);
  } else {
    attend_queries<Q, Format::bf16>(a);
  }
}

void attend_block(const AttendArgs& a) { attend_up_to<kMostQueries>(a); }
