// The one place that says which checkpoint tensors make up each field of Weights, in each layout,
// and of which shape. Loading, naming what is missing, converting and random models all walk it.
// The lists are those of deepseek-ai/Janus (state dict of MultiModalityCausalLM) and transformers
// (JanusForConditionalGeneration); those of the .gguf layouts follow from the latter (gguf_names).
// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "model/config.h"
#include "model/parts.h"
#include "model/weights.h"

namespace janus {

// One tensor of a checkpoint. A field that joins several takes their rows one after another.
struct TensorSpec {
  std::string name;
  std::vector<int64_t> shape;  // outermost first; rows of the field are along the first

  int64_t count() const;  // elements
};

// The tensors of one field, by layout; none where a layout lacks the field.
struct FieldTensors {
  std::array<std::vector<TensorSpec>, kLayouts> by_layout;
  const std::vector<TensorSpec>& of(Layout layout) const {
    return by_layout[static_cast<size_t>(layout)];
  }
};

// Receives every field once, in one fixed order. Sizes are those of the field; empty bias: none.
class WeightVisitor {
 public:
  virtual ~WeightVisitor() = default;
  // [outputs, inputs], rows joined from the tensors of `weight`.
  virtual void matrix(Weight& field, int64_t outputs, int64_t inputs, const FieldTensors& weight,
                      const FieldTensors& bias) = 0;
  // [outputs, channels, kernel, kernel] as stored; field.kernel and padding are set.
  virtual void conv(Conv& field, int64_t outputs, int64_t channels, const FieldTensors& weight,
                    const FieldTensors& bias) = 0;
  virtual void table(Table& field, int64_t entries, int64_t width, const FieldTensors& weight) = 0;
  // Kept in f32 as it is.  [rows, cols], or [cols] where rows is 0.
  virtual void plain(OwnedTensor& field, int64_t rows, int64_t cols,
                     const FieldTensors& weight) = 0;
};

// Sizes the lists in `weights` from the config and visits every field of `parts`.
void visit_weights(const Config& config, Weights& weights, WeightVisitor& visitor,
                   const Parts& parts = {});

// Every field, in the order of visiting: weights, then their biases.
std::vector<FieldTensors> list_fields(const Config& config, const Parts& parts = {});
// Every tensor of a checkpoint of that layout, in the order of visiting.
std::vector<TensorSpec> list_tensors(const Config& config, Layout layout, const Parts& parts = {});

// Tensors that a checkpoint may hold besides: never used by the reference either.
bool is_ignored_tensor(const std::string& name);

}  // namespace janus
