// All kernels of one level, over the Vec that the ISA file has defined (with kRegisters, the
// vectors the processor holds, and kTilePanels, the panels of its widest tile), and their table.
// Included inside the unnamed namespace of an ISA file, so that nothing but the table has a name
// outside.
// SPDX-License-Identifier: MIT

#include "kernels/cpu/vectors.inl"

#include "kernels/cpu/math.inl"

#include "kernels/cpu/rows.inl"

#include "kernels/cpu/image.inl"

#include "kernels/cpu/attend.inl"

#include "kernels/cpu/finish.inl"

#include "kernels/cpu/matmul.inl"

#include "kernels/cpu/blocks.inl"

#include "kernels/cpu/winograd.inl"

constexpr KernelTable make_table(const char* name) {
  return {
      .name = name,
      .blocks = make_blocks(name),
      .pack_few = pack_few,
      .matmul_few = matmul_few,
      .few_scratch = few_scratch,
      .matmul_many = matmul_many,
      .many_scratch = many_scratch,
      .winograd_filters = winograd_filters,
      .winograd_tiles = winograd_tiles,
      .winograd_scratch = winograd_scratch,
      .attend_block = attend_block,
      .transpose = transpose,
      .rms_norm = rms_norm,
      .layer_norm = layer_norm,
      .swiglu = swiglu,
      .rope = rope,
      .add = add,
      .scale = scale,
      .channel_sums = channel_sums,
      .normalise_pixels = normalise_pixels,
      .nearest_code = nearest_code,
  };
}
