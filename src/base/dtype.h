// Element types of tensors, one traits row each.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string_view>

namespace janus {

enum class Dtype : uint8_t { f32, f16, bf16, i64, i32, u8 };

struct DtypeTraits {
  std::string_view name;              // as users and file names spell it
  std::string_view safetensors_name;  // as a safetensors header spells it
  int64_t bytes;                      // of one element
  bool is_float;
};

constexpr DtypeTraits traits(Dtype type) {
  switch (type) {
    case Dtype::f32:
      return {"f32", "F32", 4, true};
    case Dtype::f16:
      return {"f16", "F16", 2, true};
    case Dtype::bf16:
      return {"bf16", "BF16", 2, true};
    case Dtype::i64:
      return {"i64", "I64", 8, false};
    case Dtype::i32:
      return {"i32", "I32", 4, false};
    case Dtype::u8:
      return {"u8", "U8", 1, false};
  }
  return {"?", "?", 0, false};
}

}  // namespace janus
