// How the numbers of all parameters that learn are laid out to go between processes: in buckets of
// some megabytes, in the order in which backward gives their gradients, a parameter in as many as
// it needs. Every process owns as long a part of every bucket. No libtorch here.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace janus::train {

// Elements of a parameter, flattened, and where they begin in its bucket.
struct Stretch {
  size_t parameter = 0;
  int64_t begin = 0, count = 0;
  int64_t at = 0;
};

inline constexpr int64_t kMostInBucket = 4 << 20;  // numbers

class Buckets {
 public:
  // `sizes`: numbers of each parameter, in that order; `most`: of a bucket.
  Buckets(std::span<const int64_t> sizes, int owners, int64_t most);

  size_t count() const { return stretches_.size(); }
  int owners() const { return owners_; }
  const std::vector<Stretch>& stretches(size_t bucket) const { return stretches_[bucket]; }
  int64_t length(size_t bucket) const { return lengths_[bucket]; }  // a multiple of the owners'
  int64_t part(size_t bucket) const { return lengths_[bucket] / owners_; }
  // What an owner has of it; `at` counts from the beginning of its part.
  std::vector<Stretch> owned(size_t bucket, int owner) const;

 private:
  int owners_;
  std::vector<std::vector<Stretch>> stretches_;
  std::vector<int64_t> lengths_;
};

}  // namespace janus::train
