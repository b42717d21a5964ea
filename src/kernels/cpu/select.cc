// SPDX-License-Identifier: MIT
#include "kernels/cpu/select.h"

namespace janus {

const cpu::KernelTable& select_kernels(Isa level) {
  if (level >= Isa::avx512) return cpu::kAvx512Kernels;
  if (level >= Isa::avx2) return cpu::kAvx2Kernels;
  return cpu::kBaseKernels;
}

}  // namespace janus
