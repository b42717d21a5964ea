// Element types of tensors and storage types of weights, one traits row each.
// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace janus {

// Those of ggml that begin with q: blocks of numbers along a row (base/quant.h). q8 is of keys and
// values alone: whole numbers with a scale for each head of a position (kernels/backend.h). q4_k_m
// is of whole models alone: some matrices in q4_k, some in q6_k (model/storage.h).
enum class Dtype : uint8_t { f32, f16, bf16, i64, i32, u8, i8, q8, q8_0, q4_0, q4_k, q6_k, q4_k_m };

inline constexpr std::array<Dtype, 13> kDtypes = {
    Dtype::f32, Dtype::f16,  Dtype::bf16, Dtype::i64,  Dtype::i32,  Dtype::u8,    Dtype::i8,
    Dtype::q8,  Dtype::q8_0, Dtype::q4_0, Dtype::q4_k, Dtype::q6_k, Dtype::q4_k_m};

struct DtypeTraits {
  std::string_view name;              // as users and file names spell it
  std::string_view safetensors_name;  // as a safetensors header spells it; empty: it has no such
  int ggml;                           // its number in a .gguf; -1: it has no such
  int64_t block;                      // elements that are stored together; rows hold whole blocks
  int64_t bytes;                      // of one block
  bool is_float;                      // can be read as f32
};

constexpr DtypeTraits traits(Dtype type) {
  switch (type) {
    case Dtype::f32:
      return {"f32", "F32", 0, 1, 4, true};
    case Dtype::f16:
      return {"f16", "F16", 1, 1, 2, true};
    case Dtype::bf16:
      return {"bf16", "BF16", 30, 1, 2, true};
    case Dtype::i64:
      return {"i64", "I64", 27, 1, 8, false};
    case Dtype::i32:
      return {"i32", "I32", 26, 1, 4, false};
    case Dtype::u8:
      return {"u8", "U8", -1, 1, 1, false};
    case Dtype::i8:
      return {"i8", "", 24, 1, 1, false};
    case Dtype::q8:
      return {"q8", "", -1, 1, 1, false};
    case Dtype::q8_0:
      return {"q8_0", "", 8, 32, 34, true};
    case Dtype::q4_0:
      return {"q4_0", "", 2, 32, 18, true};
    case Dtype::q4_k:
      return {"q4_k", "", 12, 256, 144, true};
    case Dtype::q6_k:
      return {"q6_k", "", 14, 256, 210, true};
    case Dtype::q4_k_m:  // most of it is q4_k
      return {"q4_k_m", "", -1, 256, 144, false};
  }
  return {"?", "", -1, 1, 0, false};
}

// Bytes of that many elements, which are whole blocks.
constexpr int64_t bytes_of(Dtype type, int64_t elements) {
  return elements / traits(type).block * traits(type).bytes;
}

// Whether products are taken with blocks of that type as they are (kernels/backend.h).
constexpr bool multiplied_as_stored(Dtype type) {
  return type == Dtype::q8_0 || type == Dtype::q4_0 || type == Dtype::q4_k || type == Dtype::q6_k;
}

// The type that a user or a file spells so; nothing where there is none.
constexpr std::optional<Dtype> dtype_named(std::string_view name) {
  for (const Dtype type : kDtypes) {
    if (traits(type).name == name) return type;
  }
  return std::nullopt;
}

}  // namespace janus
