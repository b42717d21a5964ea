// Functions of a vector, the same formula at every level: exp, sigmoid and gelu. Included inside
// the unnamed namespace of an ISA file, after its Vec. SPDX-License-Identifier: MIT

// e^x, relative error below 2e-7; exactly 0 below -87.3 (so that exp(-inf) masks), 1.7e38 above 88.
inline Vec exp(Vec x) {
  const Vec lowest = Vec::set(-87.3f);
  const Vec t = max(min(x, Vec::set(88.0f)), lowest);
  const Vec n = round(t * Vec::set(1.44269504f));
  // ln 2 in two parts: the first has few bits, so that n·high is exact.
  const Vec r = fma(n, Vec::set(2.12194440e-4f), fma(n, Vec::set(-0.693359375f), t));
  // Minimax on |r| <= ln(2)/2, relative error 3.1e-9 before rounding.
  Vec p = Vec::set(0.00138146123f);
  p = fma(p, r, Vec::set(0.00836871032f));
  p = fma(p, r, Vec::set(0.0416683874f));
  p = fma(p, r, Vec::set(0.166665207f));
  p = fma(p, r, Vec::set(0.499999935f));
  p = fma(p * r, r, r) + Vec::set(1.0f);
  return select_less(x, lowest, Vec::set(0.0f), p * pow2(n));
}

inline Vec sigmoid(Vec x) {
  const Vec one = Vec::set(1.0f);
  return one / (one + exp(Vec::set(0.0f) - x));
}

// x/2·(1 + erf(x/√2)), from erfc(z)·exp(z²) = t·q(t), t = 1/(1 + 0.3275911·z): the form of
// Abramowitz and Stegun 7.1.26 with a longer q, fitted for relative error (1.3e-7 on 0 <= z <= 10),
// so that the negative tail keeps its digits.
inline Vec gelu(Vec x) {
  const Vec zero = Vec::set(0.0f);
  const Vec one = Vec::set(1.0f);
  const Vec z = max(x, zero - x) * Vec::set(0.707106781f);
  const Vec t = one / fma(z, Vec::set(0.3275911f), one);
  Vec q = Vec::set(-0.140646622f);
  q = fma(q, t, Vec::set(0.494507402f));
  q = fma(q, t, Vec::set(-0.401773930f));
  q = fma(q, t, Vec::set(0.449020416f));
  q = fma(q, t, Vec::set(0.0279313531f));
  q = fma(q, t, Vec::set(0.205034226f));
  q = fma(q, t, Vec::set(0.180886060f));
  q = fma(q, t, Vec::set(0.185041234f));
  const Vec tail = x * Vec::set(0.5f) * t * q * exp(zero - z * z);  // x/2·erfc(z)
  return select_less(x, zero, tail, x - tail);
}
