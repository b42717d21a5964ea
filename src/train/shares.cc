// See shares.h.
// SPDX-License-Identifier: MIT
#include "train/shares.h"

#include <algorithm>
#include <numeric>

namespace janus::train {

RowTargets targets_of(const DrawRow& row) {
  return {Kind::generate, std::ssize(row.covered)};  // a place a code
}

RowTargets targets_of(const AskRow& row) {
  const std::vector<bool>& taught = row.dialogue.taught;
  return {row.pixels.empty() ? Kind::text : Kind::understand,
          std::count(taught.begin(), taught.end(), true)};
}

TargetCounts count_targets(std::span<const RowTargets> rows) {
  TargetCounts counts;
  for (const RowTargets& row : rows) {
    if (row.count == 0) continue;
    ++counts.rows;
    ++counts.kinds[static_cast<size_t>(row.kind)];
    counts.targets[static_cast<size_t>(row.kind)] += row.count;
  }
  return counts;
}

Shares::Shares(const Recipe& recipe, const TargetCounts& counts)
    : norm_(recipe.loss.norm), counts_(counts) {
  const std::array<double, kKinds> weights = {recipe.loss.generate, recipe.loss.understand,
                                              recipe.loss.text};
  for (size_t kind = 0; kind < kKinds; ++kind) {
    if (counts.kinds[kind] == 0) continue;
    kinds_[kind] = norm_ == LossNorm::token    ? static_cast<double>(counts.targets[kind])
                   : norm_ == LossNorm::sample ? static_cast<double>(counts.kinds[kind])
                                               : weights[kind];
  }
  const double all = std::accumulate(kinds_.begin(), kinds_.end(), 0.0);
  if (all <= 0) return;  // nothing that counts: every share is 0
  for (double& share : kinds_) share /= all;
}

double Shares::of(const RowTargets& row) const {
  if (norm_ == LossNorm::sample) {
    return 1 / (static_cast<double>(counts_.rows) * static_cast<double>(row.count));
  }
  return of(row.kind) / static_cast<double>(targets(row.kind));
}

}  // namespace janus::train
