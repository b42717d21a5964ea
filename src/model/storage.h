// Which type a matrix has where one of blocks is asked for, in memory and in a .gguf alike: by what
// the matrix does, since errors of some are worth more than their bytes.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string_view>

#include "base/dtype.h"
#include "model/weight_names.h"

namespace janus {

// Of a matrix with rows of `inputs`, by its transformers name. `wanted` where it is no type of
// blocks. Else matrices of the language tower have it, those of the vision tower, both adaptors and
// the text head too, though never fewer bits than q8_0; the image head, embeddings, the codec and
// rows that are no whole blocks are `otherwise`. q4_k and q6_k, which are only read, become q8_0.
Dtype matrix_type(std::string_view name, int64_t inputs, Dtype wanted, Dtype otherwise);

// --- in memory -----------------------------------------------------------------------------------

// Whether weights can be held so: f32, bf16, q8_0, q4_0.
bool is_weight_type(Dtype type);
// Of tables, convolutions and the matrices that a type of blocks leaves out: bf16 beside blocks.
Dtype plain_type(Dtype wanted);
// Of the field's matrix with rows of `inputs`.
Dtype held_as(const FieldTensors& weight, int64_t inputs, Dtype wanted);

}  // namespace janus
