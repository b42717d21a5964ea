// AVX-512 with VNNI: four products of bytes and their sum in one instruction, for weights in
// blocks. All else is as at the level below. SPDX-License-Identifier: MIT
#include <immintrin.h>

#include "kernels/cpu/table.h"

namespace janus::cpu {
namespace {

#include "kernels/cpu/vec_avx512.inl"

#include "kernels/cpu/vnni.inl"

constexpr int kRowsBeside = 8;

#include "kernels/cpu/vectors.inl"

#include "kernels/cpu/math.inl"

#include "kernels/cpu/finish.inl"

#include "kernels/cpu/blocks.inl"

}  // namespace

extern constinit const BlockKernels kAvx512VnniBlocks = make_blocks("avx512vnni");

}  // namespace janus::cpu
