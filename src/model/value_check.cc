// SPDX-License-Identifier: MIT
#include "model/value_check.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "base/error.h"
#include "base/k_quant.h"

namespace janus {
namespace {

constexpr int64_t kPiece = 1 << 18;  // numbers read at a time; whole blocks of every type

// What of a tensor is not as it should be.
struct Count {
  int64_t infinite = 0, undefined = 0, large = 0;
  int64_t first_bad = -1, first_large = -1;
  float bad = 0, largest = 0;  // the value at first_bad; the one at first_large

  void add(std::span<const float> values, int64_t begin, float limit) {
    for (size_t i = 0; i < values.size(); ++i) {
      const float value = values[i];
      if (std::abs(value) < limit) continue;
      const int64_t place = begin + static_cast<int64_t>(i);
      if (std::isfinite(value)) {
        if (large++ == 0) first_large = place, largest = value;
        continue;
      }
      ++(std::isnan(value) ? undefined : infinite);
      if (first_bad < 0) first_bad = place, bad = value;
    }
  }
};

}  // namespace

float limit_of(Dtype type) {
  constexpr float kF16 = 65520, kBf16 = 0x1.ffp127f;  // half a step above the largest
  if (type == Dtype::f16) return kF16;
  if (type == Dtype::q8_0) return kF16 * 127;
  if (type == Dtype::q4_0) return kF16 * 8;
  if (type == Dtype::q4_k) return kLimitQ4K;
  if (type == Dtype::q6_k) return kLimitQ6K;
  return type == Dtype::bf16 ? kBf16 : INFINITY;
}

bool all_below(std::span<const float> values, float limit) {
  int32_t others = 0;  // as wide as the numbers, so that they are counted several at a time
  for (const float value : values) others += std::abs(value) < limit ? 0 : 1;
  return others == 0;
}

bool scales_finite(Dtype type, std::span<const std::byte> blocks) {
  constexpr uint16_t kExponent = 0x7c00;  // all of it is set in what is not finite
  const int64_t first = type == Dtype::q6_k ? kScaleAtQ6K : 0;  // of a block's scales
  const int64_t second = type == Dtype::q4_k ? kBelowAtQ4K : first;
  bool finite = true;
  for (int64_t at = 0; at < std::ssize(blocks); at += traits(type).bytes) {
    for (const int64_t place : {at + first, at + second}) {
      uint16_t scale;
      std::memcpy(&scale, blocks.data() + place, sizeof scale);
      finite &= (scale & kExponent) != kExponent;
    }
  }
  return finite;
}

void refuse_values(const TensorSource& source, const std::string& tensor, int64_t count,
                   Dtype target) {
  Count found;
  std::vector<float> values;
  for (int64_t begin = 0; begin < count; begin += kPiece) {
    values.resize(static_cast<size_t>(std::min(kPiece, count - begin)));
    source.read(tensor, begin, values);
    found.add(values, begin, limit_of(target));
    source.done(tensor, begin + std::ssize(values));
  }
  const bool overflown = found.infinite > 0 && source.stored(tensor) == Dtype::f16;
  check(found.infinite + found.undefined == 0, Code::bad_checkpoint, source.name(), ": tensor ",
        tensor, " holds ", found.infinite, " infinite numbers and ", found.undefined,
        " that are not a number (NaN), of ", count, "; the first, ", found.bad, ", is element ",
        found.first_bad,
        overflown
            ? ". It is stored as f16, which ends at 65504: larger numbers became infinite when "
              "the file was made. Take the model as bf16 or f32"
            : "; the file is damaged or its training diverged: download it again, or take an "
              "earlier state of the training");
  fail(Code::bad_input, source.name(), ": tensor ", tensor, " holds ", found.large,
       found.large == 1 ? " number" : " numbers", ", of ", count, ", too large for ",
       traits(target).name, "; the first, ", found.largest, ", is element ", found.first_large,
       "; choose a wider type, ", target == Dtype::bf16 ? "f32" : "bf16 or f32");
}

}  // namespace janus
