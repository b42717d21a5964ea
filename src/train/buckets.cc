// See buckets.h. SPDX-License-Identifier: MIT
#include "train/buckets.h"

#include <algorithm>

namespace janus::train {

Buckets::Buckets(std::span<const int64_t> sizes, int owners, int64_t most) : owners_(owners) {
  int64_t filled = most;  // so that the first parameter opens a bucket
  for (size_t parameter = 0; parameter < sizes.size(); ++parameter) {
    for (int64_t begin = 0; begin < sizes[parameter];) {
      if (filled == most) {
        stretches_.emplace_back();
        filled = 0;
      }
      const int64_t count = std::min(sizes[parameter] - begin, most - filled);
      stretches_.back().push_back({parameter, begin, count, filled});
      begin += count;
      filled += count;
    }
  }
  for (const std::vector<Stretch>& stretches : stretches_) {
    const int64_t end = stretches.back().at + stretches.back().count;
    lengths_.push_back((end + owners - 1) / owners * owners);
  }
}

std::vector<Stretch> Buckets::owned(size_t bucket, int owner) const {
  const int64_t begin = owner * part(bucket), end = begin + part(bucket);
  std::vector<Stretch> all;
  for (const Stretch& stretch : stretches_[bucket]) {
    const int64_t from = std::max(stretch.at, begin),
                  to = std::min(stretch.at + stretch.count, end);
    if (from < to) {
      all.push_back(
          {stretch.parameter, stretch.begin + from - stretch.at, to - from, from - begin});
    }
  }
  return all;
}

}  // namespace janus::train
