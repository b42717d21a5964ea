// SPDX-License-Identifier: MIT
#include "model/storage.h"

#include "model/gguf_names.h"

namespace janus {
namespace {

constexpr std::string_view kTextHead = "lm_head.weight";

}  // namespace

Dtype matrix_type(std::string_view name, int64_t inputs, Dtype wanted, Dtype otherwise) {
  if (traits(wanted).block == 1) return wanted;
  const Dtype type = multiplied_as_stored(wanted) ? wanted : Dtype::q8_0;
  const std::string_view group = tensor_group(name);
  if (inputs % traits(type).block != 0) return otherwise;
  if (group == "language") return type;
  const bool eight = group == "vision" || group == "adaptors" || name == kTextHead;
  return eight ? Dtype::q8_0 : otherwise;
}

bool is_weight_type(Dtype type) {
  return type == Dtype::f32 || type == Dtype::bf16 || multiplied_as_stored(type);
}

Dtype plain_type(Dtype wanted) { return traits(wanted).block > 1 ? Dtype::bf16 : wanted; }

Dtype held_as(const FieldTensors& weight, int64_t inputs, Dtype wanted) {
  return matrix_type(weight.of(Layout::transformers).front().name, inputs, wanted,
                     plain_type(wanted));
}

}  // namespace janus
