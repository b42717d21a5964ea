// SPDX-License-Identifier: MIT
#include "kernels/cpu/select.h"

namespace janus {

cpu::Level select_kernels(Isa level) {
  const cpu::KernelTable& table = level >= Isa::avx512 ? cpu::kAvx512Kernels
                                  : level >= Isa::avx2 ? cpu::kAvx2Kernels
                                                       : cpu::kBaseKernels;
  if (level >= Isa::amx) return {table, cpu::kAmxKernels.blocks, &cpu::kAmxKernels.tiles};
  return {table, level >= Isa::avx512vnni ? cpu::kAvx512VnniBlocks : table.blocks, nullptr};
}

}  // namespace janus
