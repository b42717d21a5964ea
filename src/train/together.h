// What the processes of a training must know of each other's share of a step: how many targets
// there are in all, which rows were broken, what to tell of the steps since the last line.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "train/broken.h"
#include "train/processes.h"
#include "train/shares.h"
#include "train/shown.h"

namespace janus::train {

// Of this process -> of all. `more` are sums too.
void add_up(Processes& processes, TargetCounts& counts, std::vector<double>& more);

// Notes the rows of all processes in every one, so that a source with too many of them ends the run
// in all at the same step.
void note_all(Processes& processes, BrokenRows& broken, const std::vector<BrokenRow>& rows);

// A figure since the last line: its sum, and the steps that had it.
struct FigureSum {
  double sum = 0;
  std::set<int64_t> steps;
};
using FigureSums = std::map<std::string, FigureSum>;

// Of all processes, in each.
FigureSums add_up(Processes& processes, const FigureSums& mine);

}  // namespace janus::train
