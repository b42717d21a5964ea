// Numbers that are none, and numbers that a type cannot hold, counted and said with their cure.
// SPDX-License-Identifier: MIT
#pragma once

#include <cmath>
#include <span>
#include <string>

#include "base/dtype.h"
#include "model/tensor_source.h"

namespace janus {

// The least magnitude that rounds to infinity in the type.
float limit_of(Dtype type);

// Whether all magnitudes are below the limit; NaN is not.
bool all_below(std::span<const float> values, float limit = INFINITY);

// Whether the numbers of these whole blocks are finite: as their scales are.
bool scales_finite(Dtype type, std::span<const std::byte> blocks);

// To be called once all_below() or scales_finite() has said no of some part of the tensor: reads
// all `count` of it. Throws Code::bad_checkpoint for infinite and undefined numbers, with how many
// there are, where the first is, and the cure by the type that the file has them in; else
// Code::bad_input for those that `target` cannot hold.
[[noreturn]] void refuse_values(const TensorSource& source, const std::string& tensor,
                                int64_t count, Dtype target = Dtype::f32);

}  // namespace janus
