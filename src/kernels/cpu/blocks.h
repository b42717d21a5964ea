// The name that the kernels have for a type of blocks.
// SPDX-License-Identifier: MIT
#pragma once

#include "base/dtype.h"
#include "base/error.h"
#include "kernels/cpu/table.h"

namespace janus {

inline cpu::Blocks blocks_of(Dtype dtype) {
  switch (dtype) {
    case Dtype::q8_0:
      return cpu::Blocks::q8_0;
    case Dtype::q4_0:
      return cpu::Blocks::q4_0;
    case Dtype::q4_k:
      return cpu::Blocks::q4_k;
    case Dtype::q6_k:
      return cpu::Blocks::q6_k;
    default:
      fail(Code::bug, traits(dtype).name, " is no type of blocks that products take");
  }
}

}  // namespace janus
