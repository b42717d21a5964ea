// See bench_cost.h. Walks the loaded weights, so that sizes are those in use.
// SPDX-License-Identifier: MIT
#include "apps/bench_cost.h"

#include <algorithm>

namespace janus {

namespace {

Cost linear(const Weight& weight, int64_t rows) {
  const int64_t elements = weight.outputs * weight.inputs;
  const int64_t operations = 2 * elements * rows, bytes = bytes_of(weight.dtype, elements);
  Cost cost = multiplied_as_stored(weight.dtype) ? Cost{{bytes, 0, operations}}
                                                 : Cost{{bytes, operations, 0}};
  for (const Weight& part : weight.behind) cost += linear(part, rows);
  return cost;
}

Cost conv(const Conv& conv, int64_t& side) {
  if (conv.weight.outputs == 0) return {};
  side = conv.output_size(side);
  return linear(conv.weight, side * side);
}

// A layer after the other: its four products, and attention as given.
Cost blocks(const Model& model, int64_t rows, const Phase& attention) {
  Cost cost;
  for (const LlamaBlock& block : model.weights().blocks) {
    cost += linear(block.qkv, rows);
    cost.push_back(attention);
    cost += linear(block.out, rows);
    cost += linear(block.gate_up, rows);
    cost += linear(block.down, rows);
  }
  return cost;
}

// Of one layer: `read` positions of keys and values; scores and sums over `seen` altogether.
Phase attend(const Model& model, Dtype cache, int64_t read, int64_t seen) {
  const LlamaConfig& llama = model.config().llama;
  const int64_t block = KvCache::bytes(model.backend(), llama, cache, 1) / llama.layers;
  return {read * block / kKvBlock, int64_t{4} * llama.heads * llama.head_width * seen};
}

Cost residual(const VqResidual& block, int64_t side) {
  Cost cost = conv(block.conv1, side);
  cost += conv(block.conv2, side);
  cost += conv(block.shortcut, side);
  return cost;
}

Cost attention(const VqAttention& block, int64_t side) {
  const int64_t rows = side * side;
  Cost cost = linear(block.qkv, rows);
  cost += linear(block.proj, rows);
  cost.push_back({0, 4 * block.proj.outputs * rows * rows});
  return cost;
}

Cost middle(const VqMiddle& block, int64_t side) {
  Cost cost = residual(block.first, side);
  cost += attention(block.attention, side);
  cost += residual(block.second, side);
  return cost;
}

Cost levels(const VqTower& tower, int64_t& side, bool up) {
  Cost cost;
  for (const VqLevel& level : tower.levels) {
    for (const VqResidual& block : level.residuals) cost += residual(block, side);
    for (const VqAttention& block : level.attentions) cost += attention(block, side);
    if (level.resample.weight.outputs == 0) continue;
    if (up) side *= 2;
    cost += conv(level.resample, side);
  }
  return cost;
}

}  // namespace

Cost& operator+=(Cost& cost, const Cost& other) {
  cost.insert(cost.end(), other.begin(), other.end());
  return cost;
}

Cost operator*(Cost cost, int64_t times) {
  for (Phase& phase : cost) phase.times *= times;
  return cost;
}

Phase total(const Cost& cost) {
  Phase sum;
  for (const Phase& phase : cost) {
    sum.bytes += phase.bytes * phase.times;
    sum.operations += phase.operations * phase.times;
    sum.byte_operations += phase.byte_operations * phase.times;
  }
  return sum;
}

const char* Bound::side() const {
  if (reading >= floats && reading >= of_bytes) return "read";
  return of_bytes > floats ? "int8" : "f32";
}

Bound bound_of(const Cost& cost, const Limits& limits) {
  const auto seconds = [](int64_t amount, double rate) {
    return amount == 0 ? 0 : static_cast<double>(amount) / rate;
  };
  Bound bound;
  for (const Phase& phase : cost) {
    const auto times = static_cast<double>(phase.times);
    const double reading = seconds(phase.bytes, limits.read_bytes);
    const double floats = seconds(phase.operations, limits.f32_operations);
    const double of_bytes = seconds(phase.byte_operations, limits.int8_operations);
    if (reading > floats + of_bytes) {
      bound.reading += times * reading;
    } else {
      bound.floats += times * floats;
      bound.of_bytes += times * of_bytes;
    }
  }
  return bound;
}

Cost step_cost(const Model& model, Dtype cache, int64_t rows, int64_t context, int64_t shared,
               int64_t together) {
  const int64_t read = rows * (context + 1 - shared) + rows / together * shared;
  return blocks(model, rows, attend(model, cache, read, rows * (context + 1)));
}

Cost prompt_cost(const Model& model, Dtype cache, int64_t tokens, int64_t kept) {
  const int64_t seen = (tokens * (tokens + 1) - kept * (kept + 1)) / 2;
  return blocks(model, tokens - kept, attend(model, cache, tokens, seen));
}

Cost text_cost(const Model& model, int64_t rows) { return linear(model.weights().text_head, rows); }

Cost code_cost(const Model& model, int64_t rows) {
  const Weights& weights = model.weights();
  Cost cost = linear(weights.gen_hidden, rows);
  cost += linear(weights.gen_logits, rows);
  for (const Weight& weight : weights.gen_aligner) cost += linear(weight, rows);
  return cost;
}

Cost vision_cost(const Model& model) {
  const Weights& weights = model.weights();
  const VisionConfig& vision = model.config().vision;
  const int64_t rows = vision.tokens();
  Cost cost = linear(weights.patch_embed.weight, rows);
  for (const VisionBlock& block : weights.vision_blocks) {
    for (const Weight* weight : {&block.qkv, &block.proj, &block.fc1, &block.fc2}) {
      cost += linear(*weight, rows);
    }
    cost.push_back({0, 4 * vision.width * rows * rows});
  }
  for (const Weight& weight : weights.aligner) cost += linear(weight, rows);
  return cost;
}

Cost decode_cost(const Model& model) {
  const VqTower& tower = model.weights().decoder;
  int64_t side = model.config().grid();
  Cost cost = conv(model.weights().post_quant, side);
  cost += conv(tower.conv_in, side);
  cost += middle(tower.middle, side);
  cost += levels(tower, side, true);
  cost += conv(tower.conv_out, side);
  return cost;
}

Cost encode_cost(const Model& model) {
  const VqTower& tower = model.weights().encoder;
  int64_t side = model.config().image;
  Cost cost = conv(tower.conv_in, side);
  cost += levels(tower, side, false);
  cost += middle(tower.middle, side);
  cost += conv(tower.conv_out, side);
  cost += conv(model.weights().quant, side);
  const VqConfig& vq = model.config().vq;
  const int64_t book = int64_t{vq.codes} * vq.code_width;
  cost.push_back({book * 4, 2 * book * side * side});
  return cost;
}

}  // namespace janus
