// Column panels: how the kernels of `cpu` want matrices, at every level. Rows of a matrix go in
// some at a time and can be taken out again, so that a file may hold panels (model/packed_source)
// and a backend with a layout of its own still reads it.
//
// [O/16][K][16] in f32 and bf16, zeros behind the last output; blocks lie as kernels/cpu/table.h
// says. Who changes a byte of either raises kPanelVersion.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/dtype.h"

namespace janus {

inline constexpr std::string_view kPanelPacking = "panels16";
inline constexpr int64_t kPanelVersion = 1;
inline constexpr int64_t kPanelOutputs = 16;

// Panels of a matrix with that many outputs, and bytes of one; types as Backend::pack takes them.
int64_t count_panels(int64_t outputs);
int64_t bytes_of_panel(Dtype dtype, int64_t inputs);

// The rows of one panel, kPanelOutputs or fewer of bytes_of(dtype, inputs) bytes in the type's
// plain order (ggml's blocks), into it; what no row fills becomes zero.
void place_panel(Dtype dtype, int64_t inputs, std::span<const std::byte> rows, std::byte* panel);
// Row `index` of a matrix [O, K] out of its panels again.
void take_row(Dtype dtype, const std::byte* panels, int64_t index, std::span<std::byte> row);

}  // namespace janus
