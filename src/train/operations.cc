// See operations.h. The walk follows net.cc and codec.cc, whose names say what learns.
// SPDX-License-Identifier: MIT
#include "train/operations.h"

#include <algorithm>
#include <string>
#include <utility>

#include "train/stage.h"

namespace janus::train {
namespace {

constexpr double kForward = 1, kBackward = 2;  // of attention

// Sums up operations. What is handed from product to product is whether a row asks for a gradient.
class Walk {
 public:
  // `learning`: whether there are gradients at all.
  Walk(const Recipe& recipe, bool learning) : recipe_(recipe), learning_(learning) {}

  double take() { return std::exchange(sum_, 0); }

  bool learns(const std::string& parameter) const {
    return learning_ && recipe_.lora.rank == 0 && is_trained(recipe_, parameter);
  }
  bool norm(const std::string& name, bool asks) const { return asks || learns(name + ".weight"); }

  bool linear(const std::string& layer, int64_t out, int64_t in, int64_t rows, bool asks) {
    const bool weight = learns(layer + ".weight");
    product(out, in, rows, weight, asks);
    const bool added =
        learning_ && recipe_.lora.rank > 0 && any_matches(recipe_.lora.targets, layer);
    if (added) {
      product(recipe_.lora.rank, in, rows, true, asks);
      product(out, recipe_.lora.rank, rows, true, true);
    }
    return asks || weight || added || learns(layer + ".bias");
  }
  bool conv(const std::string& layer, int64_t out, int64_t in, int64_t kernel, int64_t side,
            bool asks) {
    return linear(layer, out, in * kernel * kernel, side * side, asks);
  }
  // Scores, and what is mixed by them.
  void attention(int64_t width, int64_t pairs, bool asks) {
    sum_ += 4.0 * static_cast<double>(width * pairs) * (asks ? kForward + kBackward : kForward);
  }
  void product(int64_t out, int64_t in, int64_t rows, bool weight, bool asks) {
    sum_ += 2.0 * static_cast<double>(out * in * rows) * ((weight ? 1 : 0) + (asks ? 1 : 0) + 1);
  }

 private:
  const Recipe& recipe_;
  bool learning_;
  double sum_ = 0;
};

std::string numbered(const std::string& name, size_t number) {
  return name + std::to_string(number) + ".";
}

// --- decoder and towers --------------------------------------------------------------------------

bool adaptor(Walk& walk, const std::string& name, int64_t in, int64_t width, int depth,
             int64_t rows, bool asks) {
  asks = walk.linear(name + "fc1", width, in, rows, asks);
  for (int i = 1; i < depth; ++i) {
    asks = walk.linear(name + "hidden_layers." + std::to_string(i - 1), width, width, rows, asks);
  }
  return asks;
}

bool decoder(Walk& walk, const LlamaConfig& c, int64_t rows, int64_t pairs, bool asks) {
  const int64_t d = c.width, q = int64_t{c.heads} * c.head_width,
                k = int64_t{c.kv_heads} * c.head_width, f = c.mlp_width;
  for (int i = 0; i < c.layers; ++i) {
    const std::string layer = numbered("model.language_model.layers.", static_cast<size_t>(i));
    const bool normed = walk.norm(layer + "input_layernorm", asks);
    bool mixed = walk.linear(layer + "self_attn.q_proj", q, d, rows, normed);
    mixed |= walk.linear(layer + "self_attn.k_proj", k, d, rows, normed);
    mixed |= walk.linear(layer + "self_attn.v_proj", k, d, rows, normed);
    walk.attention(q, pairs, mixed);
    asks |= walk.linear(layer + "self_attn.o_proj", d, q, rows, mixed);
    const bool again = walk.norm(layer + "post_attention_layernorm", asks);
    bool gated = walk.linear(layer + "mlp.gate_proj", f, d, rows, again);
    gated |= walk.linear(layer + "mlp.up_proj", f, d, rows, again);
    asks |= walk.linear(layer + "mlp.down_proj", d, f, rows, gated);
  }
  return walk.norm("model.language_model.norm", asks);
}

// One picture.
bool vision(Walk& walk, const VisionConfig& c) {
  const std::string tower = "model.vision_model.";
  const int64_t w = c.width, places = c.tokens();
  bool asks = walk.conv(tower + "embeddings.patch_embedding", w, 3, c.patch, c.grid(), false);
  asks = walk.norm(tower + "embeddings.position_embedding", asks);
  for (int i = 0; i < c.layers; ++i) {
    const std::string layer = numbered(tower + "encoder.layers.", static_cast<size_t>(i));
    const bool normed = walk.norm(layer + "layer_norm1", asks);
    bool mixed = walk.linear(layer + "self_attn.q_proj", w, w, places, normed);
    mixed |= walk.linear(layer + "self_attn.k_proj", w, w, places, normed);
    mixed |= walk.linear(layer + "self_attn.v_proj", w, w, places, normed);
    walk.attention(w, places * places, mixed);
    asks |= walk.linear(layer + "self_attn.projection_layer", w, w, places, mixed);
    const bool again = walk.norm(layer + "layer_norm2", asks);
    const bool inner = walk.linear(layer + "mlp.fc1", c.mlp_width, w, places, again);
    asks |= walk.linear(layer + "mlp.fc2", w, c.mlp_width, places, inner);
  }
  return walk.norm(tower + "post_layernorm", asks);
}

// --- codec ---------------------------------------------------------------------------------------

bool block(Walk& walk, const std::string& name, int64_t in, int64_t out, int64_t side, bool asks) {
  bool inner = walk.norm(name + "norm1", asks);
  inner = walk.conv(name + "conv1", out, in, 3, side, inner);
  inner = walk.norm(name + "norm2", inner);
  inner = walk.conv(name + "conv2", out, out, 3, side, inner);
  if (in != out) asks = walk.conv(name + "nin_shortcut", out, in, 1, side, asks);
  return asks || inner;
}

bool self_attention(Walk& walk, const std::string& name, int64_t width, int64_t side, bool asks) {
  const bool normed = walk.norm(name + "norm", asks);
  bool mixed = walk.conv(name + "q", width, width, 1, side, normed);
  mixed |= walk.conv(name + "k", width, width, 1, side, normed);
  mixed |= walk.conv(name + "v", width, width, 1, side, normed);
  walk.attention(width, side * side * side * side, mixed);
  return walk.conv(name + "proj_out", width, width, 1, side, mixed) || asks;
}

bool middle(Walk& walk, const std::string& name, int64_t width, int64_t side, bool asks) {
  asks = block(walk, name + "mid.block_1.", width, width, side, asks);
  asks = self_attention(walk, name + "mid.attn_1.", width, side, asks);
  return block(walk, name + "mid.block_2.", width, width, side, asks);
}

bool level(Walk& walk, const std::string& name, int64_t in, int64_t out, int blocks, bool lowest,
           int64_t side, bool asks) {
  for (size_t i = 0; i < static_cast<size_t>(blocks); ++i) {
    asks = block(walk, numbered(name + "block.", i), i == 0 ? in : out, out, side, asks);
    if (lowest) asks = self_attention(walk, numbered(name + "attn.", i), out, side, asks);
  }
  return asks;
}

// One picture to the nearest codes, which are found without gradients.
bool encoder(Walk& walk, const VqConfig& c, int64_t side) {
  const std::string name = "model.vqmodel.encoder.";
  int64_t width = c.base;
  bool asks = walk.conv(name + "conv_in", width, 3, 3, side, false);
  for (size_t i = 0; i < c.multipliers.size(); ++i) {
    const bool lowest = i + 1 == c.multipliers.size();
    const std::string here = numbered(name + "down.", i);
    const int64_t out = int64_t{c.base} * c.multipliers[i];
    asks = level(walk, here, width, out, c.blocks, lowest, side, asks);
    width = out;
    if (lowest) break;
    side /= 2;
    asks = walk.conv(here + "downsample.conv", width, width, 3, side, asks);
  }
  asks = walk.norm(name + "norm_out", middle(walk, name, width, side, asks));
  asks = walk.conv(name + "conv_out", c.latent, width, 3, side, asks);
  asks = walk.conv("model.vqmodel.quant_conv", c.code_width, c.latent, 1, side, asks);
  walk.product(c.codes, c.code_width, side * side, false, false);
  return asks;
}

// The rows of the table are given the encoder's gradient, so they ask as its outputs do.
void picture_decoder(Walk& walk, const VqConfig& c, int64_t side, bool asks) {
  const std::string name = "model.vqmodel.decoder.";
  side /= c.downsample();
  int64_t width = int64_t{c.base} * c.decoder_multipliers.back();
  asks = walk.conv("model.vqmodel.post_quant_conv", c.latent, c.code_width, 1, side, asks);
  asks = walk.conv(name + "conv_in", width, c.latent, 3, side, asks);
  asks = middle(walk, name, width, side, asks);
  const size_t levels = c.decoder_multipliers.size();
  for (size_t i = 0; i < levels; ++i) {
    const std::string here = numbered(name + "up.", i);
    const int64_t out = int64_t{c.base} * c.decoder_multipliers[levels - 1 - i];
    asks = level(walk, here, width, out, c.blocks + 1, i == 0, side, asks);
    width = out;
    if (i + 1 == levels) break;
    side *= 2;
    asks = walk.conv(here + "upsample.conv", width, width, 3, side, asks);
  }
  walk.conv(name + "conv_out", 3, width, 3, side, walk.norm(name + "norm_out", asks));
}

}  // namespace

Operations::Units Operations::units_of(const Recipe& recipe, bool learning) {
  const Config& c = recipe.model.config;
  Units units;
  Walk walk(recipe, learning);
  // Whether the decoder's inputs ask: where those of drawings do, those of replies are taken to.
  bool asks = adaptor(walk, "model.generation_aligner.", c.vq.code_width, c.llama.width,
                      c.gen_aligner_depth, 1, walk.learns("model.generation_embeddings.weight"));
  units.drawn = walk.take();
  asks |= adaptor(walk, "model.aligner.", c.vision.width, c.llama.width, c.aligner_depth,
                  c.vision.tokens(), vision(walk, c.vision));
  units.read = walk.take();
  asks |= walk.learns("model.language_model.embed_tokens.weight");
  decoder(walk, c.llama, 0, 1, asks);
  units.pair = walk.take();
  asks = decoder(walk, c.llama, 1, 0, asks);
  units.position = walk.take();
  walk.linear(
      "model.generation_head.vision_head", c.vq.codes, c.gen_head_width, 1,
      walk.linear("model.generation_head.proj_out", c.gen_head_width, c.llama.width, 1, asks));
  units.given = walk.take();
  walk.linear("lm_head", c.llama.vocabulary, c.llama.width, 1, asks);
  units.told = walk.take();
  return units;
}

Operations::Operations(const Recipe& recipe)
    : recipe_(recipe), learning_(units_of(recipe, true)), before_(units_of(recipe, false)) {
  Walk frozen(recipe, false);
  encoder(frozen, recipe.model.config.vq, recipe.model.config.image);
  encoded_ = frozen.take();
}

StepWork Operations::sample(int64_t length, const Units& units) {
  const auto places = static_cast<double>(length);
  return {length, places * units.position + places * (places + 1) / 2 * units.pair};
}

StepWork Operations::drawing(const DrawRow& row, const Units& units) const {
  const int64_t codes = recipe_.model.config.image_tokens();
  StepWork work = sample(std::ssize(row.prompt) + codes - 1, units);  // the last code is no input
  work.operations += static_cast<double>(codes) * (units.given + units.drawn);
  if (!row.source.empty()) work.operations += static_cast<double>(codes) * units.drawn + units.read;
  return work;
}

StepWork Operations::replies(const Dialogue& dialogue, const Units& units) const {
  StepWork work = sample(std::ssize(dialogue.ids) - 1, units);  // the last token is no input
  const auto taught = std::count(dialogue.taught.begin(), dialogue.taught.end(), true);
  work.operations += static_cast<double>(taught) * units.told;
  return work;
}

StepWork Operations::of(const DrawRow& row, const Units& units) const {
  StepWork work = drawing(row, units);
  if (recipe_.preference.beta > 0) work += drawing(row, units);
  return work;
}

StepWork Operations::of(const AskRow& row, const Units& units) const {
  StepWork work = replies(row.dialogue, units);
  if (recipe_.preference.beta > 0) work += replies(*row.rejected, units);
  const int64_t side = recipe_.model.config.vision.image;
  const int64_t pictures = std::ssize(row.pixels) / (3 * side * side);
  work.operations += static_cast<double>(pictures) * units.read;
  return work;
}

StepWork Operations::of(const LanguageBatch& batch) const {
  StepWork work;
  const bool pairs = recipe_.preference.beta > 0;
  const auto add = [&](const auto& row) {
    work += of(row, learning_);
    if (pairs) work.operations += of(row, before_).operations;  // the same places once more
  };
  for (const DrawRow& row : batch.draw) {
    add(row);
    int64_t pictures = row.codes.empty() ? 1 : 0;
    if (!row.source.empty() && row.source_codes.empty()) ++pictures;
    if (pairs && row.rejected_codes.empty()) ++pictures;
    work.operations += static_cast<double>(pictures) * encoded_;
  }
  for (const AskRow& row : batch.ask) add(row);
  return work;
}

StepWork Operations::of_pictures(int64_t count, int64_t side) const {
  const VqConfig& c = recipe_.model.config.vq;
  Walk walk(recipe_, true);
  picture_decoder(walk, c, side, encoder(walk, c, side));
  const int64_t grid = side / c.downsample();
  return {count * grid * grid, static_cast<double>(count) * walk.take()};
}

}  // namespace janus::train
