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

Shares::Shares(const Recipe& recipe, std::span<const RowTargets> rows) : norm_(recipe.loss.norm) {
  std::array<int64_t, kKinds> counts{};  // rows
  for (const RowTargets& row : rows) {
    if (row.count == 0) continue;
    ++rows_;
    ++counts[static_cast<size_t>(row.kind)];
    targets_[static_cast<size_t>(row.kind)] += row.count;
  }
  const std::array<double, kKinds> weights = {recipe.loss.generate, recipe.loss.understand,
                                              recipe.loss.text};
  for (size_t kind = 0; kind < kKinds; ++kind) {
    if (counts[kind] == 0) continue;
    kinds_[kind] = norm_ == LossNorm::token    ? static_cast<double>(targets_[kind])
                   : norm_ == LossNorm::sample ? static_cast<double>(counts[kind])
                                               : weights[kind];
  }
  const double all = std::accumulate(kinds_.begin(), kinds_.end(), 0.0);
  if (all <= 0) return;  // nothing that counts: every share is 0
  for (double& share : kinds_) share /= all;
}

double Shares::of(const RowTargets& row) const {
  if (norm_ == LossNorm::sample) {
    return 1 / (static_cast<double>(rows_) * static_cast<double>(row.count));
  }
  return of(row.kind) / static_cast<double>(targets(row.kind));
}

}  // namespace janus::train
