// Where a gradient that is no number comes from. SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>

#include "train/optimizer.h"
#include "train/task.h"

namespace janus::train {

// For people: the first samples of the step, each taken by itself, that make a loss or a gradient
// not finite; empty where none does. The weights must be those that gave the gradients, and the
// task still at that step.   `passes`, `rows`: of the step, and of a pass
std::string samples_not_finite(Task& task, int64_t step, int64_t passes, int64_t rows,
                               const NamedTensors& trained);

}  // namespace janus::train
