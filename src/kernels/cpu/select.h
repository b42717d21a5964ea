// From an instruction-set level to its table of kernels.
// SPDX-License-Identifier: MIT
#pragma once

#include "base/cpu.h"
#include "kernels/cpu/table.h"

namespace janus {

// The fastest table at or below `level`.
cpu::Level select_kernels(Isa level);

}  // namespace janus
