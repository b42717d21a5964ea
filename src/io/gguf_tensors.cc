// The tensors of a .gguf: types, places, bytes. See gguf.h. SPDX-License-Identifier: MIT
#include <algorithm>
#include <array>
#include <optional>

#include "base/error.h"
#include "io/gguf.h"

namespace janus {
namespace {

// ggml's types by number; empty: it has none of that number any more.
constexpr std::array<std::string_view, 42> kTypeNames = {
    "f32",     "f16",   "q4_0",   "q4_1",  "",      "",       "q5_0", "q5_1",    "q8_0",
    "q8_1",    "q2_K",  "q3_K",   "q4_K",  "q5_K",  "q6_K",   "q8_K", "iq2_xxs", "iq2_xs",
    "iq3_xxs", "iq1_s", "iq4_nl", "iq3_s", "iq2_s", "iq4_xs", "i8",   "i16",     "i32",
    "i64",     "f64",   "iq1_m",  "bf16",  "",      "",       "",     "tq1_0",   "tq2_0",
    "",        "",      "",       "mxfp4", "nvfp4", "q1_0"};

std::optional<Dtype> dtype_of(uint32_t type) {
  for (const Dtype dtype : kDtypes) {
    if (traits(dtype).ggml == static_cast<int64_t>(type)) return dtype;
  }
  return std::nullopt;
}

}  // namespace

std::string ggml_type_name(uint32_t type) {
  if (type < kTypeNames.size() && !kTypeNames[type].empty()) return std::string(kTypeNames[type]);
  return "type " + std::to_string(type);
}

StoredTensors GgufFile::tensors() const {
  const auto bytes = file_->bytes();
  const uint64_t room = bytes.size() - std::min<uint64_t>(data_begin_, bytes.size());
  StoredTensors tensors;
  std::vector<std::pair<uint64_t, const Entry*>> order;
  for (const Entry& entry : entries_) {
    const auto refuse_if = [&](bool wrong, const std::string& what) {
      check(!wrong, Code::bad_checkpoint, path(), ": tensor ", entry.name, " ",
            shape_text(entry.shape), " ", what);
    };
    const auto dtype = dtype_of(entry.type);
    check(dtype.has_value(), Code::not_supported, path(), ": tensor ", entry.name, " is of type ",
          ggml_type_name(entry.type),
          ", which this program does not read; take a file of f32, f16, bf16, q8_0, q4_0, q4_K or "
          "q6_K (Q4_K_M is such a mix), or convert the original checkpoint");
    const DtypeTraits type = traits(*dtype);
    int64_t elements = 1;
    for (const int64_t size : entry.shape) {
      refuse_if(__builtin_mul_overflow(elements, size, &elements) || elements > INT64_MAX / 64,
                "claims more elements than a file can hold");
    }
    refuse_if(type.block > 1 && (entry.shape.empty() || entry.shape.back() % type.block != 0),
              "has rows that are no whole blocks of " + std::to_string(type.block) + ", as type " +
                  std::string(type.name) + " needs; it is damaged");
    const auto size = static_cast<uint64_t>(bytes_of(*dtype, elements));
    refuse_if(entry.offset % alignment_ != 0, "begins at byte " + std::to_string(entry.offset) +
                                                  ", no multiple of the alignment " +
                                                  std::to_string(alignment_) + "; it is damaged");
    refuse_if(entry.offset > room || size > room - entry.offset,
              "lies past the end of the file, which has " + std::to_string(bytes.size()) +
                  " bytes: it was cut short, download or copy it again");
    StoredTensor tensor{.dtype = *dtype,
                        .shape = entry.shape,
                        .strides = dense_strides(entry.shape),
                        .data = bytes.subspan(data_begin_ + entry.offset, size),
                        .file = file_};
    order.emplace_back(entry.offset, &entry);
    tensors.emplace(entry.name, std::move(tensor));
  }
  std::sort(order.begin(), order.end());
  for (size_t i = 1; i < order.size(); ++i) {
    const Entry& before = *order[i - 1].second;
    const uint64_t end = before.offset + tensors.at(before.name).data.size();
    check(end <= order[i].first, Code::bad_checkpoint, path(), ": tensor ", order[i].second->name,
          " overlaps ", before.name, "; the file is damaged");
  }
  return tensors;
}

}  // namespace janus
