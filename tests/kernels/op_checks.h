// How an operation of any backend is judged against `ref`: every row of op_cases.h becomes an
// OpCheck that holds inputs, the expected output and a bound for each element. Bounds are derived
// from the arithmetic: u is the unit roundoff, a chain of n additions of terms t errs by less than
// λ·√n·u·Σ|t| (Higham and Mary, "A new approach to probabilistic rounding error analysis", 2019,
// λ = 6), and Σ|t| is computed beside. A verdict above 1 is a failure.
// SPDX-License-Identifier: MIT
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "kernels/open.h"
#include "op_cases.h"
#include "op_inputs.h"
#include "winograd_bound.h"

namespace janus {

struct Verdict {
  double worst = 0;  // error / bound
  int64_t at = 0;
  double got = 0, expected = 0, bound = 0;

  bool ok() const { return worst <= 1; }
};

struct OpCheck {
  std::string op;
  std::string name;
  std::function<OwnedTensor(const Backend&)> output;
  std::function<Verdict(const Tensor& out)> judge;

  Verdict run(const Backend& backend) const { return judge(output(backend).view); }
};

using Bounds = std::vector<double>;

inline constexpr double kRoundoff = 0x1p-24;
inline constexpr double kTiny = 1e-30;  // where a result may be flushed to zero

inline double chain(int64_t n) { return 6 * std::sqrt(static_cast<double>(n)) * kRoundoff; }
// Longest chain of additions behind one dot product of n terms, in either backend.
inline double dot_chain(int64_t n) {
  return chain(std::min<int64_t>(n, 256) + n / 256 + 2) + chain(n / 16 + 4);
}

// The worst element; a not-a-number where none is expected counts as infinitely wrong.
inline Verdict compare(const Tensor& got, const Tensor& expected, const Bounds& bounds) {
  Verdict v;
  for (int64_t i = 0; i < expected.count(); ++i) {
    const double a = static_cast<double>(got.f32()[i]);
    const double b = static_cast<double>(expected.f32()[i]);
    const double bound = bounds.empty() ? 0 : bounds[static_cast<size_t>(i)] + kTiny;
    double ratio = a == b ? 0 : std::fabs(a - b) / bound;
    if (std::isnan(ratio)) ratio = INFINITY;
    if (ratio > v.worst) v = {ratio, i, a, b, bound};
  }
  return v;
}

// An operation that must agree to the bit has no bounds.
inline const Bounds kExact{};

class OpChecks {
 public:
  explicit OpChecks(const Backend& ref) : ref_(ref) {
    for (const LinearCase& c : kLinearCases) add(c, &OpChecks::linear);
    for (const ConvCase& c : kConvCases) add(c, &OpChecks::conv2d);
    for (const AttendCase& c : kAttendCases) add(c, &OpChecks::attend);
    for (const AttendFullCase& c : kAttendFullCases) add(c, &OpChecks::attend_full);
    for (const RowCase& c : kRowCases) add(c, &OpChecks::rows);
    for (const RopeCase& c : kRopeCases) add(c, &OpChecks::rope);
    for (const GroupNormCase& c : kGroupNormCases) add(c, &OpChecks::group_norm);
    for (const UpsampleCase& c : kUpsampleCases) add(c, &OpChecks::upsample);
    for (const NearestCase& c : kNearestCases) add(c, &OpChecks::nearest);
  }

  const std::vector<OpCheck>& all() const { return checks_; }

 private:
  template <class Case>
  void add(const Case& c, void (OpChecks::*make)(const Case&)) {
    if (c.use == Use::tested) (this->*make)(c);
  }

  // Registers a check: act(backend, out) fills out, which starts as a copy of `before`. What is
  // expected, and how closely, is computed when a result is first judged.
  template <class Act>
  void add_check(std::string op, const char* name, OwnedTensor before,
                 std::function<Bounds()> bounds, Act act) {
    auto start = std::make_shared<OwnedTensor>(std::move(before));
    const auto output = [=](const Backend& backend) {
      OwnedTensor out = copy_of(start->view);
      act(backend, reshaped(out.view, start->view));
      return out;
    };
    struct Expected {
      OwnedTensor values;
      Bounds bounds;
    };
    auto expected = std::make_shared<std::optional<Expected>>();
    const auto judge = [=, &ref = ref_](const Tensor& out) {
      if (!*expected) *expected = {output(ref), bounds()};
      return compare(out, (*expected)->values.view, (*expected)->bounds);
    };
    checks_.push_back({std::move(op), name, output, judge});
  }

  template <class Act>
  void add_check(std::string op, const char* name, OwnedTensor before, Bounds bounds, Act act) {
    add_check(
        std::move(op), name, std::move(before), [bounds = std::move(bounds)] { return bounds; },
        act);
  }

  static Tensor reshaped(Tensor t, const Tensor& like) {
    t.rank = like.rank;
    t.shape = like.shape;
    return t;
  }

  // Bounds of a product followed by an epilogue, from Σ|a·b| + |bias| and the value before it.
  static Bounds product_bounds(const Tensor& magnitude, const Tensor& before, int64_t inputs,
                               Epilogue epilogue) {
    Bounds bounds;
    for (int64_t i = 0; i < magnitude.count(); ++i) {
      const double sum = static_cast<double>(magnitude.f32()[i]);
      double bound = (dot_chain(inputs) + 4 * kRoundoff) * sum;
      if (epilogue == Epilogue::add) {
        bound += 4 * kRoundoff * std::fabs(static_cast<double>(before.f32()[i]));
      }
      // gelu is steeper than 1 by 13 % at most; its own error is below 16 u of the input.
      if (epilogue == Epilogue::gelu) bound = 1.13 * bound + 16 * kRoundoff * sum;
      bounds.push_back(bound);
    }
    return bounds;
  }

  void linear(const LinearCase& c) {
    auto x = std::make_shared<OwnedTensor>(random_tensor(1, {c.rows, c.inputs}));
    auto w =
        std::make_shared<OwnedTensor>(stored(random_tensor(2, {c.outputs, c.inputs}), c.dtype));
    auto bias = std::make_shared<OwnedTensor>();
    if (c.bias) *bias = random_tensor(3, {c.outputs}, -30, 30);
    auto before = std::make_shared<OwnedTensor>(random_tensor(4, {c.rows, c.outputs}, -9, 9));
    const std::function<Bounds()> bounds = [=, this] {
      // Sums of blocks have the same bits everywhere; gelu has its own formula.
      if (multiplied_as_stored(c.dtype) && c.epilogue != Epilogue::gelu) return kExact;
      OwnedTensor magnitude(Dtype::f32, {c.rows, c.outputs});
      const OwnedTensor w_size = absolute(w->view);
      OwnedTensor bias_size;
      if (c.bias) bias_size = absolute(bias->view);
      ref_.linear(absolute(x->view).view, pack(ref_, Dtype::f32, w_size.view, bias_size.view),
                  magnitude.view);
      return product_bounds(magnitude.view, before->view, c.inputs, c.epilogue);
    };
    add_check("linear", c.source, copy_of(before->view), bounds,
              [=](const Backend& backend, Tensor out) {
                const Weight packed = pack(backend, c.dtype, w->view, bias->view);
                backend.linear(x->view, packed, out, c.epilogue);
              });
  }

  void conv2d(const ConvCase& c) {
    const int64_t inputs = int64_t{c.kernel} * c.kernel * c.channels;
    auto x =
        std::make_shared<OwnedTensor>(random_tensor(11, {c.images, c.height, c.width, c.channels}));
    auto w = std::make_shared<OwnedTensor>(stored(random_tensor(12, {c.outputs, inputs}), c.dtype));
    auto bias = std::make_shared<OwnedTensor>(random_tensor(13, {c.outputs}, -30, 30));
    const auto conv_of = [c](const Backend& backend, const Tensor& weight, const Tensor& offsets,
                             Dtype dtype) {
      return Conv{pack(backend, dtype, weight, offsets), c.kernel, c.stride, c.pad_before,
                  c.pad_after};
    };
    const Conv shape{{}, c.kernel, c.stride, c.pad_before, c.pad_after};
    const int64_t height = shape.output_size(c.height), width = shape.output_size(c.width);
    auto before = std::make_shared<OwnedTensor>(
        random_tensor(14, {c.images, height, width, c.outputs}, -9, 9));
    const std::function<Bounds()> bounds = [=, this] {
      const OwnedTensor w_size = absolute(w->view), bias_size = absolute(bias->view);
      const OwnedTensor x_size = absolute(x->view);
      OwnedTensor magnitude(Dtype::f32, {c.images, height, width, c.outputs});
      ref_.conv2d(reshaped(x_size.view, x->view),
                  conv_of(ref_, w_size.view, bias_size.view, Dtype::f32), magnitude.view);
      if (c.by_tiles) {
        add_sizes_of_tiles(WinogradSizes(x->view, w->view, c.pad_before), magnitude.view);
      }
      return product_bounds(magnitude.view, before->view, inputs, c.epilogue);
    };
    OwnedTensor start(Dtype::f32, {c.images, height, width, c.outputs});
    std::copy_n(before->view.f32(), before->view.count(), start.view.f32());
    add_check("conv2d", c.source, std::move(start), bounds,
              [=](const Backend& backend, Tensor out) {
                const Conv conv = conv_of(backend, w->view, bias->view, c.dtype);
                backend.conv2d(x->view, conv, out, c.epilogue);
              });
  }

  // The chain of a tile's sums is shorter than that of the plain one, [c] against [9c]; the
  // transforms add 10 roundings each at most, in two directions.
  static void add_sizes_of_tiles(const WinogradSizes& sizes, Tensor magnitude) {
    const int64_t height = magnitude.shape[1], width = magnitude.shape[2];
    for (int64_t pixel = 0; pixel < magnitude.rows(); ++pixel) {
      const int64_t image = pixel / width / height, y = pixel / width % height, x = pixel % width;
      if (y % 4 != 0 || x % 4 != 0) continue;
      const auto tile = sizes.of_tile(image, y, x);
      for (int64_t i = y; i < std::min(y + 4, height); ++i) {
        for (int64_t j = x; j < std::min(x + 4, width); ++j) {
          const auto at = static_cast<size_t>((i - y) * 4 + j - x);
          float* sums = magnitude.row((image * height + i) * width + j);
          for (size_t o = 0; o < tile.size(); ++o) sums[o] += static_cast<float>(tile[o][at]);
        }
      }
    }
  }

  // A score errs by δ = chain·Σ|q·k|·scale, its weight by the factor 1 ± δ, so the mean of values
  // by 2δ·Σw|v|, besides the sums over positions. |q|, |k|, |v| <= 1 here, and scale = 1/√H: with
  // Σ|q·k| <= H no separate sum is needed.
  static Bounds attend_bounds(int64_t count, int64_t positions, int64_t width) {
    const double scores = std::sqrt(static_cast<double>(width));  // H·scale
    const double delta = (dot_chain(width) + 8 * kRoundoff) * scores;
    return Bounds(static_cast<size_t>(count), 2 * delta + 2 * chain(positions) + 16 * kRoundoff);
  }

  void attend(const AttendCase& c) {
    const int64_t total = c.length + c.rows, steps = c.rows * c.sequences;
    const int64_t kv_width = int64_t{c.kv_heads} * c.width;
    TestRows history, step;
    for (int32_t s = 0; s < c.sequences; ++s) {
      const int64_t length = std::max<int64_t>(0, c.length - 37 * s);
      for (int64_t p = 0; p < length; ++p) history.add(s, p);
      for (int64_t p = 0; p < c.rows; ++p) step.add(s, length + p);
    }
    const auto past = static_cast<int64_t>(history.position.size());
    auto k = std::make_shared<OwnedTensor>(random_tensor(21, {past + steps, kv_width}));
    auto v = std::make_shared<OwnedTensor>(random_tensor(22, {past + steps, kv_width}));
    auto q = std::make_shared<OwnedTensor>(random_tensor(23, {steps, int64_t{c.heads} * c.width}));
    OwnedTensor before(Dtype::f32, {steps, int64_t{c.heads} * c.width});
    Bounds bounds = attend_bounds(before.view.count(), total, c.width);
    add_check("attend", c.source, std::move(before), std::move(bounds),
              [=](const Backend& backend, Tensor out) {
                TestCache cache(backend, c.dtype, c.kv_heads, c.width, c.sequences, total);
                backend.kv_store(k->view.slice(0, past), v->view.slice(0, past), history.in(cache),
                                 cache.layer);
                backend.kv_store(k->view.slice(past, steps), v->view.slice(past, steps),
                                 step.in(cache), cache.layer);
                backend.attend(q->view, step.in(cache), cache.layer, c.heads,
                               1.0f / std::sqrt(static_cast<float>(c.width)), out);
              });
  }

  void attend_full(const AttendFullCase& c) {
    const int64_t rows = c.images * c.tokens, cols = c.heads * c.width;
    auto qkv = std::make_shared<OwnedTensor>(random_tensor(31, {rows, 3 * cols}));
    OwnedTensor before(Dtype::f32, {rows, cols});
    Bounds bounds = attend_bounds(before.view.count(), c.tokens, c.width);
    add_check("attend_full", c.source, std::move(before), std::move(bounds),
              [=](const Backend& backend, Tensor out) {
                const Tensor& all = qkv->view;
                backend.attend_full(all.columns(0, cols), all.columns(cols, cols),
                                    all.columns(2 * cols, cols), c.tokens, c.heads,
                                    1.0f / std::sqrt(static_cast<float>(c.width)), out);
              });
  }

  void rows(const RowCase& c) {
    auto x = std::make_shared<OwnedTensor>(random_tensor(41, {c.rows, c.width}, -2, 3));
    auto weight = std::make_shared<OwnedTensor>(random_tensor(42, {c.width}));
    auto bias = std::make_shared<OwnedTensor>(random_tensor(43, {c.width}));
    const OwnedTensor empty(Dtype::f32, {c.rows, c.width});
    norms(c, x, weight, bias);
    const OwnedTensor halves = random_tensor(44, {c.rows, 2 * c.width}, -6, 6);
    Bounds bounds;
    for (int64_t r = 0; r < c.rows; ++r) {
      for (int64_t i = 0; i < c.width; ++i) {
        const float* h = halves.view.row(r);
        bounds.push_back(
            16 * kRoundoff *
            std::fabs(static_cast<double>(h[i]) * static_cast<double>(h[c.width + i])));
      }
    }
    auto gate_up = std::make_shared<OwnedTensor>(copy_of(halves.view));
    add_check("swiglu", c.source, copy_of(empty.view), std::move(bounds),
              [=](const Backend& b, Tensor out) { b.swiglu(gate_up->view, out); });
    add_check("copy", c.source, copy_of(empty.view), kExact,
              [=](const Backend& b, Tensor out) { b.copy(x->view, out); });
    auto once = std::make_shared<OwnedTensor>(random_tensor(45, {1, c.width}));
    add_check("add", c.source, copy_of(x->view), kExact,
              [=](const Backend& b, Tensor out) { b.add(out, once->view); });
    for (const Dtype dtype : {Dtype::f32, Dtype::bf16}) gather(c, dtype);
  }

  // Relative errors: a sum of n squares by chain(n/16), roots and products by a few u; where a mean
  // is taken off, its error is chain(n/16)·mean|x|, and |x| <= 3.
  void norms(const RowCase& c, std::shared_ptr<OwnedTensor> x, std::shared_ptr<OwnedTensor> weight,
             std::shared_ptr<OwnedTensor> bias) {
    constexpr float kEps = 1e-3f;  // large enough that leaving it out would show
    Bounds rms, layer;
    const double sums = chain(c.width / 16 + 8) + 8 * kRoundoff;
    for (int64_t r = 0; r < c.rows; ++r) {
      double squares = 0, sum = 0;
      for (int64_t i = 0; i < c.width; ++i) {
        const double v = static_cast<double>(x->view.row(r)[i]);
        sum += v;
        squares += v * v;
      }
      const double n = static_cast<double>(c.width), mean = sum / n;
      const double eps = static_cast<double>(kEps);
      const double rms_factor = 1 / std::sqrt(squares / n + eps);
      const double layer_factor = 1 / std::sqrt(squares / n - mean * mean + eps);
      for (int64_t i = 0; i < c.width; ++i) {
        const double v = static_cast<double>(x->view.row(r)[i]);
        const double w = std::fabs(static_cast<double>(weight->view.f32()[i]));
        rms.push_back(sums * std::fabs(v) * rms_factor * w);
        const double d = (std::fabs(v - mean) * (1 + 3 * layer_factor) + 3) * layer_factor;
        layer.push_back(sums * d * w + 4 * kRoundoff);
      }
    }
    add_check("rms_norm", c.source, copy_of(x->view), std::move(rms),
              [=](const Backend& b, Tensor out) { b.rms_norm(out, weight->view, kEps, out); });
    add_check("layer_norm", c.source, copy_of(x->view), std::move(layer),
              [=](const Backend& b, Tensor out) {
                b.layer_norm(x->view, weight->view, bias->view, kEps, out);
              });
  }

  void gather(const RowCase& c, Dtype dtype) {
    constexpr int64_t kEntries = 9;
    auto table = std::make_shared<Table>();
    table->entries = kEntries;
    table->width = c.width;
    table->rows = OwnedTensor(dtype, {kEntries, c.width});
    const OwnedTensor values = random_tensor(46, {kEntries, c.width});
    for (int64_t i = 0; i < values.view.count(); ++i) {
      const float v = values.view.f32()[i];
      if (dtype == Dtype::f32) {
        table->rows.view.f32()[i] = v;
      } else {
        static_cast<uint16_t*>(table->rows.view.data)[i] = f32_to_bf16(v);
      }
    }
    std::vector<int32_t> ids;
    for (int64_t r = 0; r < c.rows; ++r)
      ids.push_back(static_cast<int32_t>((r * 5 + 8) % kEntries));
    add_check("gather", c.source, OwnedTensor(Dtype::f32, {c.rows, c.width}), kExact,
              [=](const Backend& b, Tensor out) { b.gather(*table, ids, out); });
  }

  void rope(const RopeCase& c) {
    constexpr int64_t kPositions = 40;
    auto table = std::make_shared<RopeTable>(random_rope(kPositions, c.width / 2));
    std::vector<int32_t> positions;
    for (int64_t r = 0; r < c.rows; ++r) positions.push_back(static_cast<int32_t>(7 * r + 1));
    add_check("rope", c.source, random_tensor(51, {c.rows, int64_t{c.heads} * c.width}), kExact,
              [=](const Backend& b, Tensor out) { b.rope(out, c.heads, positions, *table); });
  }

  // |x| <= 3 and a spread of at least one half: the mean and the variance err by chain·3 at most.
  void group_norm(const GroupNormCase& c) {
    auto x = std::make_shared<OwnedTensor>(
        random_tensor(61, {c.images, c.height, c.width, c.channels}, -1, 3));
    auto weight = std::make_shared<OwnedTensor>(random_tensor(62, {c.channels}));
    auto bias = std::make_shared<OwnedTensor>(random_tensor(63, {c.channels}));
    const int64_t summed = c.height * c.width * c.channels / c.groups;
    const double bound = 20 * chain(std::min<int64_t>(summed, 1024)) + 32 * kRoundoff;
    add_check(
        "group_norm", c.source, OwnedTensor(Dtype::f32, {c.images, c.height, c.width, c.channels}),
        Bounds(static_cast<size_t>(x->view.count()), bound), [=](const Backend& b, Tensor out) {
          b.group_norm(x->view, weight->view, bias->view, c.groups, 1e-6f, c.silu, out);
        });
  }

  void upsample(const UpsampleCase& c) {
    auto x =
        std::make_shared<OwnedTensor>(random_tensor(64, {c.images, c.height, c.width, c.channels}));
    add_check("upsample2x", c.source,
              OwnedTensor(Dtype::f32, {c.images, 2 * c.height, 2 * c.width, c.channels}), kExact,
              [=](const Backend& b, Tensor out) { b.upsample2x(x->view, out); });
  }

  // Judged by the distance of the code that was chosen, in f64, besides the expected one's.
  void nearest(const NearestCase& c) {
    auto x = std::make_shared<OwnedTensor>(unit_rows(81, c.rows, c.width));
    auto codes = std::make_shared<OwnedTensor>(unit_rows(82, c.codes, c.width));
    // Every row's own copy stands twice: the first must be taken.
    for (int64_t r = 0; r < c.rows; ++r) {
      const int64_t twin = c.codes - 1 - r;
      if (r % 2 == 0 && twin > r) {
        std::copy_n(x->view.row(r), c.width, codes->view.row(r));
        std::copy_n(x->view.row(r), c.width, codes->view.row(twin));
      } else if (twin > r) {
        std::copy_n(x->view.row(r), c.width, codes->view.row(twin));
      }
    }
    add_check("nearest_code", c.source, OwnedTensor(Dtype::f32, {c.rows, 1}), kExact,
              [=](const Backend& b, Tensor out) {
                std::vector<int32_t> ids(static_cast<size_t>(c.rows));
                b.nearest_code(x->view, codes->view, ids);
                std::transform(ids.begin(), ids.end(), out.f32(),
                               [](int32_t id) { return static_cast<float>(id); });
              });
  }

  static OwnedTensor unit_rows(uint64_t name, int64_t rows, int64_t width) {
    OwnedTensor t = random_tensor(name, {rows, width});
    for (int64_t r = 0; r < rows; ++r) {
      double squares = 0;
      for (int64_t i = 0; i < width; ++i) squares += std::pow(t.view.row(r)[i], 2.0);
      const auto factor = static_cast<float>(1 / std::sqrt(squares));
      for (int64_t i = 0; i < width; ++i) t.view.row(r)[i] *= factor;
    }
    return t;
  }

  const Backend& ref_;
  std::vector<OpCheck> checks_;
};

// The checks, made once a process.
inline const std::vector<OpCheck>& op_checks() {
  static const std::unique_ptr<Backend> ref = open_backend("ref");
  static const OpChecks checks(*ref);
  return checks.all();
}

}  // namespace janus
