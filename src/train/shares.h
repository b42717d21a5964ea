// What each supervised target counts for in the loss of a step: the three ways of averaging over
// targets that a recipe chooses from (loss.norm). No libtorch here.
// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "train/data.h"
#include "train/recipe.h"

namespace janus::train {

// What a row's targets are: codes of a picture, replies about pictures, replies alone.
enum class Kind { generate, understand, text };
inline constexpr size_t kKinds = 3;

struct RowTargets {
  Kind kind = Kind::generate;
  int64_t count = 0;  // supervised tokens or codes
};
RowTargets targets_of(const DrawRow& row);
RowTargets targets_of(const AskRow& row);

// What the targets of a step are in all; those of several processes add up.
struct TargetCounts {
  int64_t rows = 0;                       // with targets
  std::array<int64_t, kKinds> kinds{};    // … by what their targets are
  std::array<int64_t, kKinds> targets{};  // by kind
};
TargetCounts count_targets(std::span<const RowTargets> rows);

// The shares of all targets of a step add up to one, over all its passes, so that a step does not
// depend on how its rows are cut into passes and shards:
//   token   every target the same
//   sample  every row the same, its targets among themselves too
//   task    every kind that the step has by its weight (loss.generate, loss.understand, loss.text),
//           the targets of a kind the same
class Shares {
 public:
  // `counts`, `rows`: of the whole step.
  Shares(const Recipe& recipe, const TargetCounts& counts);
  Shares(const Recipe& recipe, std::span<const RowTargets> rows)
      : Shares(recipe, count_targets(rows)) {}
  // Of one target of a row like that.
  double of(const RowTargets& row) const;
  // Of all targets of a kind together.
  double of(Kind kind) const { return kinds_[static_cast<size_t>(kind)]; }
  int64_t rows() const { return counts_.rows; }  // that have targets
  int64_t targets(Kind kind) const { return counts_.targets[static_cast<size_t>(kind)]; }

 private:
  LossNorm norm_;
  TargetCounts counts_;
  std::array<double, kKinds> kinds_{};
};

}  // namespace janus::train
