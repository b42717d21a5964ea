// f32 numbers as a storage type keeps them, and back, one at a time: what the fast kernels and the
// files have in common. A storage type is one row here and one in base/dtype.h.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/dtype.h"

namespace janus {

// `values`, whole blocks, into bytes_of(type, values.size()) bytes. Numbers beyond the type's range
// become infinite (f16, and the scales of blocks). Throws Code::bug for a type that is not floating
// point and for sizes that do not fit.
void encode(Dtype type, std::span<const float> values, std::span<std::byte> out);

// Elements [begin, begin + out.size()) of dense data, which may begin at any address.
// Throws Code::bug as encode() does, and for elements past the end of `data`.
void decode(Dtype type, std::span<const std::byte> data, int64_t begin, std::span<float> out);

}  // namespace janus
