// Operations on one row. A sum runs in four vectors side by side over the row, then (0+1)+(2+3),
// then over the lanes: the order depends on the width of the row and of the vector alone.
// SPDX-License-Identifier: MIT

// Σ term(i); term(i, lanes) must be zero behind the last lane.
template <class Term>
inline float row_sum(int64_t n, const Term& term) {
  Vec sum[4] = {Vec::set(0), Vec::set(0), Vec::set(0), Vec::set(0)};
  constexpr int64_t kStep = 4 * Vec::kWidth;
  int64_t i = 0;
  for (; i + kStep <= n; i += kStep) {
    for (int j = 0; j < 4; ++j) sum[j] = sum[j] + term(i + j * Vec::kWidth, Vec::kWidth);
  }
  for (int j = 0; i < n; ++j, i += Vec::kWidth) {
    const int lanes = n - i < Vec::kWidth ? static_cast<int>(n - i) : Vec::kWidth;
    sum[j] = sum[j] + term(i, lanes);
  }
  return ((sum[0] + sum[1]) + (sum[2] + sum[3])).total();
}

// 1/sqrt(x), correctly rounded steps.
inline float inverse_root(float x) { return (Vec::set(1.0f) / sqrt(Vec::set(x))).first(); }

void rms_norm(const float* x, const float* weight, float eps, int64_t n, float* out) {
  const float squares = row_sum(n, [=](int64_t i, int lanes) {
    const Vec v = load(x + i, lanes);
    return v * v;
  });
  const Vec factor = Vec::set(inverse_root(squares / static_cast<float>(n) + eps));
  each_vector(n, [=](int64_t i, int lanes) {
    store(load(x + i, lanes) * factor * load(weight + i, lanes), out + i, lanes);
  });
}

void layer_norm(const float* x, const float* weight, const float* bias, float eps, int64_t n,
                float* out) {
  const auto count = static_cast<float>(n);
  const float sum = row_sum(n, [=](int64_t i, int lanes) { return load(x + i, lanes); });
  const Vec mean = Vec::set(sum / count);
  const float squares = row_sum(n, [=](int64_t i, int lanes) {
    const Vec d = load(x + i, lanes) - mean;
    const Vec square = d * d;
    return lanes == Vec::kWidth ? square : square.first_lanes_or(lanes, 0.0f);
  });
  const Vec factor = Vec::set(inverse_root(squares / count + eps));
  each_vector(n, [=](int64_t i, int lanes) {
    const Vec d = (load(x + i, lanes) - mean) * factor;
    store(fma(d, load(weight + i, lanes), load(bias + i, lanes)), out + i, lanes);
  });
}

void swiglu(const float* gate, const float* up, int64_t n, float* out) {
  each_vector(n, [=](int64_t i, int lanes) {
    const Vec g = load(gate + i, lanes);
    store(g * sigmoid(g) * load(up + i, lanes), out + i, lanes);
  });
}

// No fused multiply-add: both products are rounded, as in the reference.
void rope(float* low, float* high, const float* cos, const float* sin, int64_t half) {
  each_vector(half, [=](int64_t j, int lanes) {
    const Vec a = load(low + j, lanes), b = load(high + j, lanes);
    const Vec c = load(cos + j, lanes), s = load(sin + j, lanes);
    store(a * c - b * s, low + j, lanes);
    store(b * c + a * s, high + j, lanes);
  });
}

void add(float* x, const float* y, int64_t n) {
  each_vector(n, [=](int64_t i, int lanes) {
    store(load(x + i, lanes) + load(y + i, lanes), x + i, lanes);
  });
}

void scale(float* x, float factor, int64_t n) {
  each_vector(
      n, [=](int64_t i, int lanes) { store(load(x + i, lanes) * Vec::set(factor), x + i, lanes); });
}
