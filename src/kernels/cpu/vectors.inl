// Walking rows in vectors whose last one may be short.
// SPDX-License-Identifier: MIT

// Calls body(i, lanes) for every vector of a row of n, the last one perhaps short.
template <class Body>
inline void each_vector(int64_t n, const Body& body) {
  int64_t i = 0;
  for (; i + Vec::kWidth <= n; i += Vec::kWidth) body(i, Vec::kWidth);
  if (i < n) body(i, static_cast<int>(n - i));
}

inline Vec load(const float* p, int lanes) {
  return lanes == Vec::kWidth ? Vec::load(p) : Vec::load_part(p, lanes);
}

inline void store(Vec v, float* p, int lanes) {
  if (lanes == Vec::kWidth) {
    v.store(p);
  } else {
    v.store_part(p, lanes);
  }
}
