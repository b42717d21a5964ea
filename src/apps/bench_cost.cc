// See bench_cost.h. Walks the loaded weights, so that sizes are those in use.
// SPDX-License-Identifier: MIT
#include "apps/bench_cost.h"

namespace janus {

namespace {

Cost linear(const Weight& weight, int64_t rows) {
  const int64_t elements = weight.outputs * weight.inputs;
  const int64_t operations = 2 * elements * rows, bytes = bytes_of(weight.dtype, elements);
  return multiplied_as_stored(weight.dtype) ? Cost{bytes, 0, operations}
                                            : Cost{bytes, operations, 0};
}

Cost conv(const Conv& conv, int64_t& side) {
  if (conv.weight.outputs == 0) return {};
  side = conv.output_size(side);
  return linear(conv.weight, side * side);
}

Cost blocks(const Model& model, int64_t rows) {
  Cost cost;
  for (const LlamaBlock& block : model.weights().blocks) {
    for (const Weight* weight : {&block.qkv, &block.out, &block.gate_up, &block.down}) {
      cost += linear(*weight, rows);
    }
  }
  return cost;
}

// Scores and sums over `seen` positions altogether, of all layers.
int64_t attention_operations(const LlamaConfig& llama, int64_t seen) {
  return int64_t{4} * llama.heads * llama.head_width * llama.layers * seen;
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
  cost.operations += 4 * block.proj.outputs * rows * rows;
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

Cost step_cost(const Model& model, Dtype cache, int64_t rows, int64_t context) {
  const LlamaConfig& llama = model.config().llama;
  Cost cost = blocks(model, rows);
  const int64_t seen = rows * (context + 1);
  cost.bytes += seen * KvCache::bytes(model.backend(), llama, cache, 1) / kKvBlock;
  cost.operations += attention_operations(llama, seen);
  return cost;
}

Cost prompt_cost(const Model& model, Dtype cache, int64_t tokens, int64_t kept) {
  const LlamaConfig& llama = model.config().llama;
  Cost cost = blocks(model, tokens - kept);
  cost.bytes += tokens * KvCache::bytes(model.backend(), llama, cache, 1) / kKvBlock;
  cost.operations += attention_operations(llama, (tokens * (tokens + 1) - kept * (kept + 1)) / 2);
  return cost;
}

Cost text_cost(const Model& model) { return linear(model.weights().text_head, 1); }

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
    cost.operations += 4 * vision.width * rows * rows;
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
  cost += {book * 4, 2 * book * side * side, 0};
  return cost;
}

}  // namespace janus
