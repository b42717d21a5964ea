// Operations on pixels [p, c] and on code vectors.
// SPDX-License-Identifier: MIT

// Channels in the outer loop: a vector of sums stays in a register while the pixels pass.
void channel_sums(const float* x, int64_t pixels, int64_t channels, const float* center,
                  bool squared, float* sums) {
  each_vector(channels, [=](int64_t c, int lanes) {
    const Vec middle = load(center + c, lanes);
    Vec sum = Vec::set(0.0f);
    for (int64_t p = 0; p < pixels; ++p) {
      const Vec d = load(x + p * channels + c, lanes) - middle;
      sum = squared ? fma(d, d, sum) : sum + d;
    }
    store(sum, sums + c, lanes);
  });
}

void normalise_pixels(const float* x, int64_t pixels, int64_t channels, const float* mean,
                      const float* factor, const float* shift, bool silu, float* out) {
  for (int64_t p = 0; p < pixels; ++p) {
    const float* from = x + p * channels;
    float* to = out + p * channels;
    each_vector(channels, [=](int64_t c, int lanes) {
      const Vec d = load(from + c, lanes) - load(mean + c, lanes);
      const Vec y = fma(d, load(factor + c, lanes), load(shift + c, lanes));
      store(silu ? y * sigmoid(y) : y, to + c, lanes);
    });
  }
}

// A vector holds one element of kWidth rows; codes pass one by one, so the first of equals stays.
void nearest_vector(const float* packed, const float* codes, int64_t code_stride,
                    const float* squares, int64_t count, int64_t width, float* ids) {
  Vec own = Vec::set(0.0f);
  for (int64_t e = 0; e < width; ++e) {
    const Vec z = Vec::load(packed + e * Vec::kWidth);
    own = fma(z, z, own);
  }
  Vec best = Vec::set(0.0f), best_id = Vec::set(0.0f);
  for (int64_t c = 0; c < count; ++c) {
    Vec dot = Vec::set(0.0f);
    for (int64_t e = 0; e < width; ++e) {
      dot = fma(Vec::load(packed + e * Vec::kWidth), Vec::set(codes[c * code_stride + e]), dot);
    }
    const Vec distance = own + Vec::set(squares[c]) - (dot + dot);
    if (c == 0) {
      best = distance;
      continue;
    }
    best_id = select_less(distance, best, Vec::set(static_cast<float>(c)), best_id);
    best = select_less(distance, best, distance, best);
  }
  best_id.store(ids);
}

void nearest_code(const float* x, int64_t x_stride, int64_t rows, const float* codes,
                  int64_t code_stride, const float* squares, int64_t count, int64_t width,
                  float* packed, int32_t* ids) {
  alignas(64) float found[Vec::kWidth];
  for (int64_t first = 0; first < rows; first += Vec::kWidth) {
    const int64_t lanes = rows - first < Vec::kWidth ? rows - first : Vec::kWidth;
    for (int64_t i = 0; i < width * Vec::kWidth; ++i) {
      const int64_t row = i % Vec::kWidth;
      packed[i] = row < lanes ? x[(first + row) * x_stride + i / Vec::kWidth] : 0.0f;
    }
    nearest_vector(packed, codes, code_stride, squares, count, width, found);
    for (int64_t i = 0; i < lanes; ++i) ids[first + i] = static_cast<int32_t>(found[i]);
  }
}
