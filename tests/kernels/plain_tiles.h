// The products under tile registers as any machine with AVX-512 and VNNI runs them: the registers
// are arrays, and their instructions loops. SPDX-License-Identifier: MIT
#pragma once

#include "kernels/cpu/table.h"

namespace janus::cpu {

extern const AmxKernels kPlainTiles;

}  // namespace janus::cpu
