// SPDX-License-Identifier: MIT
#include "model/storage.h"

#include <algorithm>
#include <charconv>

#include "base/error.h"
#include "model/gguf_names.h"

namespace janus {
namespace {

constexpr std::string_view kTextHead = "lm_head.weight";

// The number of the layer that a tensor belongs to; 0 where it is of none.
int layer_of(std::string_view name) {
  constexpr std::string_view kLayers = ".layers.";
  int layer = 0;
  if (const size_t at = name.find(kLayers); at != name.npos) {
    std::from_chars(name.data() + at + kLayers.size(), name.data() + name.size(), layer);
  }
  return layer;
}

// Of a matrix of the language tower where a mix is wanted.
Dtype type_in_mix(std::string_view name) {
  const bool wide = name.ends_with(".v_proj.weight") || name.ends_with(".down_proj.weight");
  return wide && layer_of(name) % 2 == 0 ? Dtype::q6_k : Dtype::q4_k;
}

bool has_runs(Dtype type) { return type == Dtype::q4_k || type == Dtype::q6_k; }

// The type of tensor `i` of a field, of `stored` type.
Dtype held_type(const TensorSpec& tensor, int64_t inputs, Dtype wanted,
                std::optional<Dtype> stored) {
  const bool stays = wanted == Dtype::q4_k_m && stored && has_runs(*stored);
  return stays ? *stored : matrix_type(tensor.name, inputs, wanted, plain_type(wanted));
}

FieldTensors part_of(const FieldTensors& field, size_t first, size_t count) {
  const size_t all = field.of(Layout::transformers).size();
  FieldTensors part;
  for (size_t i = 0; i < kLayouts; ++i) {
    const std::vector<TensorSpec>& tensors = field.by_layout[i];
    if (tensors.size() != all) continue;
    const auto begin = tensors.begin() + static_cast<int64_t>(first);
    part.by_layout[i].assign(begin, begin + static_cast<int64_t>(count));
  }
  return part;
}

}  // namespace

Dtype matrix_type(std::string_view name, int64_t inputs, Dtype wanted, Dtype otherwise) {
  if (traits(wanted).block == 1) return wanted;
  const std::string_view group = tensor_group(name);
  const bool mix = wanted == Dtype::q4_k_m;
  Dtype type = otherwise;
  if (group == "language") {
    type = mix ? type_in_mix(name) : wanted;
  } else if (name == kTextHead && mix) {
    type = Dtype::q6_k;
  } else if (group == "vision" || group == "adaptors" || name == kTextHead) {
    type = Dtype::q8_0;
  }
  if (has_runs(type) && inputs % traits(type).block != 0) type = Dtype::q8_0;
  return inputs % traits(type).block == 0 ? type : otherwise;
}

bool is_matrix_type(Dtype type) {
  return type == Dtype::f32 || type == Dtype::bf16 || multiplied_as_stored(type);
}

bool is_weight_type(Dtype type) {
  return std::find(kWeightTypes.begin(), kWeightTypes.end(), type) != kWeightTypes.end();
}

std::string weight_type_names() {
  std::string names;
  for (const Dtype type : kWeightTypes) {
    if (!names.empty()) names += ", ";
    names += traits(type).name;
  }
  return names;
}

bool has_whole_rows(const Config& config, Dtype type) {
  return config.llama.width % traits(type).block == 0;
}

Dtype plain_type(Dtype wanted) { return traits(wanted).block > 1 ? Dtype::bf16 : wanted; }

std::vector<HeldRows> held_as(const FieldTensors& weight, int64_t inputs, Dtype wanted,
                              const TensorSource* source, Layout layout) {
  const std::vector<TensorSpec>& names = weight.of(Layout::transformers);
  const std::vector<TensorSpec>& there = weight.of(layout);
  std::vector<Dtype> types;
  for (size_t i = 0; i < names.size(); ++i) {
    const bool told = source && there.size() == names.size();
    types.push_back(
        held_type(names[i], inputs, wanted, told ? source->stored(there[i].name) : std::nullopt));
  }
  std::vector<HeldRows> runs;
  for (size_t first = 0, end = 0; first < names.size(); first = end) {
    int64_t outputs = 0;
    for (; end < names.size() && types[end] == types[first]; ++end) {
      outputs += names[end].shape.front();
    }
    const bool all = end - first == names.size();
    runs.push_back({types[first], outputs, all ? weight : part_of(weight, first, end - first)});
  }
  return runs;
}

}  // namespace janus
