// What one core of this machine can do at most in a second of its time, measured in the same minute
// as the operations: every figure is shown as a share of one of these. SPDX-License-Identifier: MIT
#pragma once

#include "base/cpu.h"

namespace janus {

struct Peaks {
  double flops = 0;  // f32 multiply-adds from registers, times two
  double bytes = 0;  // read from memory too large for any cache
};

// Takes about a second and 256 MiB.
Peaks measure_peaks(Isa level);

}  // namespace janus
