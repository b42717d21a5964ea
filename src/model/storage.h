// Which type a matrix has where one of blocks is asked for, in memory and in a .gguf alike: by what
// the matrix does, since errors of some are worth more than their bytes.
// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/dtype.h"
#include "model/config.h"
#include "model/tensor_source.h"
#include "model/weight_names.h"

namespace janus {

// Of a matrix with rows of `inputs`, by its transformers name. `wanted` where it is no type of
// blocks. Else matrices of the language tower have it; those of the vision tower, both adaptors and
// the text head are q8_0; the image head, embeddings, the codec and rows that are no whole blocks
// are `otherwise`, though of q4_k and q6_k first q8_0. q4_k_m is q4_k, but q6_k for the text head
// and, in layers of even number (the first is 0), for v_proj and down_proj.
Dtype matrix_type(std::string_view name, int64_t inputs, Dtype wanted, Dtype otherwise);

// --- in memory -----------------------------------------------------------------------------------

// Whether a matrix can be held so: f32, bf16 and those of blocks.
bool is_matrix_type(Dtype type);
// Those that weights can be held in, the widest first: of matrices, and q4_k_m.
inline constexpr std::array<Dtype, 7> kWeightTypes = {
    Dtype::f32, Dtype::bf16, Dtype::q8_0, Dtype::q6_k, Dtype::q4_k_m, Dtype::q4_k, Dtype::q4_0};
bool is_weight_type(Dtype type);
std::string weight_type_names();  // for a message, a comma between
// Whether rows of the language tower are whole blocks of it; where not, weights that are wanted in
// it are held in another.
bool has_whole_rows(const Config& config, Dtype type);
// Of tables, convolutions and the matrices that a type of blocks leaves out: bf16 beside blocks.
Dtype plain_type(Dtype wanted);

// Rows of a field that are held in one type, and the tensors that they are joined from.
struct HeldRows {
  Dtype type;
  int64_t outputs;
  FieldTensors tensors;
};
// Those of the field's matrix with rows of `inputs`, one after another; mostly one. Where a mix is
// wanted, tensors of `source`, which are named as `layout` has them, stay as they are stored if
// that is q4_k or q6_k. Null: as if none were.
std::vector<HeldRows> held_as(const FieldTensors& weight, int64_t inputs, Dtype wanted,
                              const TensorSource* source, Layout layout);

}  // namespace janus
