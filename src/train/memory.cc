// See memory.h. Refusals are in memory_fit.cc.
//
// Letters: R positions of a pass, T of a sequence; D, Q, K, F widths of the decoder (model,
// queries, keys, MLP); W, M of the vision tower. What a layer keeps is counted in numbers a
// position. Not counted: what is a number a position or less, and the helper heads of `loss`.
// SPDX-License-Identifier: MIT
#include "train/memory.h"

#include <algorithm>

#include "base/free_memory.h"
#include "model/weight_names.h"
#include "train/buckets.h"
#include "train/stage.h"

namespace janus::train {
namespace {

constexpr int64_t kFloat = 4, kHalf = 2;  // bytes
// Measured with a small tokenizer, where it is most: libtorch takes some 40 MB more of some
// processors than of others.
constexpr int64_t kProgram = 180'000'000;
constexpr int64_t kThread = 8'000'000;  // … what its arena and its stack keep
constexpr std::string_view kCodec = "model.vqmodel.";
constexpr std::string_view kDecoder = "model.language_model.";
constexpr std::string_view kVision = "model.vision_model.";

bool is_linear(const TensorSpec& tensor) {
  return tensor.shape.size() == 2 && tensor.name.ends_with(".weight") &&
         tensor.name.find("embed") == std::string::npos;
}

// An adapter's targets name layers, whose weight it is.
bool has_addition(const Recipe& recipe, const TensorSpec& tensor) {
  const std::string layer = tensor.name.substr(0, tensor.name.rfind('.'));
  return is_linear(tensor) && any_matches(recipe.lora.targets, layer);
}

// The weights of a recipe by what becomes of them.
class Weights {
 public:
  explicit Weights(const Recipe& recipe) : recipe_(recipe) {
    const Parts parts = recipe.trains_codec() ? kCodecParts : Parts{};
    for (const TensorSpec& tensor :
         list_tensors(recipe.model.config, Layout::transformers, parts)) {
      add(tensor);
    }
  }

  int64_t all = 0, trained = 0;  // numbers; factors of an adapter are in both
  // Of linear layers, which compute in bf16 where told to: those of the decoder, the vision tower
  // and elsewhere.
  int64_t decoder = 0, vision = 0, other = 0;
  int64_t decoder_learns = 0, vision_learns = 0, encoder_learns = 0, before_decoder_learns = 0;

 private:
  int64_t learning_in(const TensorSpec& tensor) const {
    if (recipe_.lora.rank > 0) {
      if (!has_addition(recipe_, tensor)) return 0;
      return recipe_.lora.rank * (tensor.shape[0] + tensor.shape[1]);
    }
    if (!recipe_.trains_codec() && tensor.name.starts_with(kCodec)) return 0;
    return is_trained(recipe_, tensor.name) ? tensor.count() : 0;
  }

  void add(const TensorSpec& tensor) {
    const int64_t learning = learning_in(tensor);
    all += tensor.count() + (recipe_.lora.rank > 0 ? learning : 0);
    trained += learning;
    const std::string& name = tensor.name;
    const bool in_decoder = name.starts_with(kDecoder), in_vision = name.starts_with(kVision);
    if (is_linear(tensor)) (in_decoder ? decoder : in_vision ? vision : other) += tensor.count();
    if (in_vision) vision_learns += learning;
    if (in_decoder && is_linear(tensor)) decoder_learns += learning;
    if (name.starts_with("model.vqmodel.encoder.")) encoder_learns += learning;
    const bool head = name.starts_with("lm_head.") || name.starts_with("model.generation_head.");
    if (!in_decoder && !head) before_decoder_learns += learning;
    if (in_decoder && name.find("embed_tokens") != std::string::npos) {
      before_decoder_learns += learning;
    }
  }

  const Recipe& recipe_;
};

// Counted in bytes of one sample of max_len positions, or of one picture.
class Kept {
 public:
  Kept(const Recipe& recipe, const Weights& weights)
      : recipe_(recipe),
        config_(recipe.model.config),
        weights_(weights),
        half_(recipe.precision == "bf16" ? kHalf : kFloat) {}

  // Norms keep their input and, where their weight learns, the normalised one; attention keeps
  // queries, keys, values and its output; gated MLPs keep gate, its silu and up. Linear layers that
  // learn keep their inputs. f32 but for what leaves linear layers in bf16.
  int64_t decoder_layer() const {
    const LlamaConfig& c = config_.llama;
    const int64_t d = c.width, q = int64_t{c.heads} * c.head_width,
                  k = int64_t{c.kv_heads} * c.head_width, f = c.mlp_width;
    int64_t bytes = kFloat * (2 * d + 2 * q + 2 * k) + half_ * 3 * f;
    if (weights_.decoder_learns > 0) {
      const bool adapter = recipe_.lora.rank > 0;
      bytes += half_ * (2 * d + q + f) + (adapter ? 0 : kFloat * 2 * d);
      // What a target gives without its addition is gone soon, but between what is kept the heap
      // does not use its place again: measured, and gone where every tensor has pages of its own.
      if (adapter) bytes += kFloat * targets(0);
      // Every target drops inputs of its own: the mask, and what it leaves.
      if (adapter && recipe_.lora.dropout > 0) bytes += 2 * kFloat * targets(1);
    }
    return bytes * recipe_.batch.max_len;
  }
  // Gradients of one layer's inner values while it is gone back through.
  int64_t decoder_layer_back() const {
    const LlamaConfig& c = config_.llama;
    return kFloat * recipe_.batch.max_len *
           (2 * c.width + std::max(3 * c.mlp_width, 4 * c.heads * c.head_width));
  }
  int64_t decoder() const {
    if (weights_.decoder_learns == 0 && weights_.before_decoder_learns == 0) return 0;
    const int64_t length = recipe_.batch.max_len;
    // What stands before and behind the layers: vectors put in their places, the last norm.
    const int64_t ends = kFloat * 4 * config_.llama.width * length;
    // Where packed, the mask of a sequence, as truth and as numbers.
    const int64_t mask = recipe_.batch.pack ? (kFloat + 1) * length * length : 0;
    return ends + mask + decoder_layer_back() +
           layers(config_.llama.layers, decoder_layer(), kFloat * config_.llama.width * length);
  }

  int64_t vision() const {
    if (weights_.vision_learns == 0) return 0;
    const VisionConfig& c = config_.vision;
    const int64_t w = c.width, m = c.mlp_width;
    const int64_t layer = (kFloat * 6 * w + half_ * (3 * w + 2 * m)) * c.tokens();
    const int64_t back = kFloat * (2 * w + 2 * m) * c.tokens();
    return back + layers(c.layers, layer, kFloat * w * c.tokens());
  }

  // Logits, their softmax's logarithm, and the gradients of both, of which three live at a time.
  int64_t code_logits() const {
    const int64_t hidden = kFloat * 2 * config_.gen_head_width + half_ * config_.llama.width;
    return config_.image_tokens() * (3 * kFloat * config_.vq.codes + hidden);
  }
  int64_t text_logits() const {
    return recipe_.batch.max_len *
           (3 * kFloat * config_.llama.vocabulary + half_ * config_.llama.width);
  }

  // Pictures of a row as the loader holds them: one that is drawn, one that is read.
  int64_t picture() const { return kFloat * 3 * config_.image * config_.image; }
  int64_t seen() const { return kFloat * 3 * config_.vision.image * config_.vision.image; }

  // The codec's encoder without gradients: input, normalised input, output and what a convolution
  // lays out for itself, of the level that has most.
  int64_t encoding() const {
    int64_t most = 0;
    each_level(config_.vq.multipliers, config_.image,
               [&](int64_t, int64_t out, int64_t area) { most = std::max(most, out * area); });
    return 4 * kFloat * config_.vq.base * most;
  }

  // The codec in training: encoder and decoder, block by block, and the loss on pixels.
  int64_t codec() const {
    const bool cropped = recipe_.codec.crop > 0 && recipe_.codec.crop_until >= 1;
    const int64_t side = cropped ? recipe_.codec.crop : config_.image;
    const VqConfig& c = config_.vq;
    int64_t numbers = 0, most = 0;
    if (weights_.encoder_learns > 0) {
      numbers += tower(c.multipliers, c.blocks, side, most) + (3 + 2 * c.base) * side * side;
    }
    numbers += tower(c.decoder_multipliers, c.blocks + 1, side, most) + 2 * c.base * side * side;
    constexpr int64_t kLossMaps = 24;  // three channels each: four scales of differences
    return half_ * (numbers + 4 * most) + kFloat * 3 * kLossMaps * side * side;
  }

 private:
  int64_t layers(int64_t count, int64_t whole, int64_t input) const {
    return recipe_.batch.checkpoint ? whole + count * input : count * whole;
  }

  // Outputs (side 0) or inputs (1) of all linear layers of one block that have an addition.
  int64_t targets(size_t side) const {
    int64_t numbers = 0;
    for (const TensorSpec& tensor : list_tensors(config_, Layout::transformers)) {
      if (tensor.name.starts_with("model.language_model.layers.0.") &&
          has_addition(recipe_, tensor)) {
        numbers += tensor.shape[side];
      }
    }
    return numbers;
  }

  template <class Use>
  static void each_level(const std::vector<int>& multipliers, int64_t side, const Use& use) {
    for (size_t i = 0; i < multipliers.size(); ++i, side /= 2) {
      use(multipliers[i > 0 ? i - 1 : 0], multipliers[i], side * side);
    }
  }

  // Numbers that one tower keeps: a block its input, that normalised, and both again behind its
  // first convolution; the change of size between levels one map.
  int64_t tower(const std::vector<int>& multipliers, int64_t blocks, int64_t side,
                int64_t& most) const {
    int64_t numbers = 0;
    const int64_t base = config_.vq.base;
    each_level(multipliers, side, [&](int64_t in, int64_t out, int64_t area) {
      numbers += base * area * (2 * in + 2 * out + (blocks - 1) * 4 * out + out);
      most = std::max(most, base * out * area);
    });
    const int64_t lowest = side >> (multipliers.size() - 1), area = lowest * lowest;
    const int64_t attentions = blocks + 1, width = base * multipliers.back();
    return numbers + attentions * (8 * width * area + 2 * area * area) + 2 * 4 * width * area;
  }

  const Recipe& recipe_;
  const Config& config_;
  const Weights& weights_;
  int64_t half_;
};

// What kinds of rows a recipe may have.
struct Kinds {
  bool draws = false, asks = false, edits = false;
};

Kinds kinds_of(const Recipe& recipe) {
  Kinds kinds;
  for (const Source& source : recipe.data) {
    const bool any = source.format == "jsonl" || source.format == "webdataset";
    kinds.edits = kinds.edits || source.task == Teaches::edit;
    kinds.draws =
        kinds.draws || any || source.task == Teaches::generate || source.task == Teaches::edit;
    kinds.asks =
        kinds.asks || any || source.format == "llava" || source.task == Teaches::understand;
  }
  return kinds;
}

// Rows that the loader and a step hold at a time: data.h, Ahead.
int64_t rows_held(const Recipe& recipe) {
  const auto& b = recipe.batch;
  return (std::max<int64_t>(4, 2 * b.workers) + b.accumulate) * b.micro;
}

void count_codec(const Recipe& recipe, const Kept& kept, TrainingMemory& memory) {
  memory.activations = recipe.batch.micro * kept.codec();
  memory.rows = rows_held(recipe) * kept.picture() * 4 / 3;  // with coverage
}

void count_language(const Recipe& recipe, const Weights& weights, const Kept& kept, int threads,
                    TrainingMemory& memory) {
  const Kinds kinds = kinds_of(recipe);
  const int64_t micro = recipe.batch.micro;
  int64_t row = 0, encoding = 0;
  if (kinds.draws) {
    row = kept.picture();
    encoding = kept.encoding();
  }
  if (kinds.edits) row += kept.picture() + kept.seen();
  if (kinds.asks) row = std::max(row, kept.seen());
  const bool pairs = recipe.preference.beta > 0;
  if (pairs && kinds.draws) row += kept.picture();
  memory.rows = rows_held(recipe) * row;
  // Of a pair both are kept until the loss is known; of conversations what is read once.
  const int64_t samples = micro * (pairs ? 2 : 1);
  const int64_t seen = kinds.edits ? samples : kinds.asks ? micro : 0;
  memory.activations = samples * kept.decoder() + seen * kept.vision();
  memory.logits =
      samples * std::max(kinds.draws ? kept.code_logits() : 0, kinds.asks ? kept.text_logits() : 0);
  // Codes are found before anything is kept for backward.
  memory.activations = std::max(memory.activations, micro * encoding - memory.logits);
  if (recipe.precision != "bf16") return;
  // Those of weights that learn are made once for all threads. Of others, and of layers that are
  // computed again, every use has its own.
  const bool shared = recipe.lora.rank == 0 && weights.decoder_learns > 0;
  const bool again = recipe.batch.checkpoint;
  const int64_t uses = threads * (kinds.draws && kinds.asks && !again ? 2 : 1);
  const int64_t layers =
      again ? weights.decoder / recipe.model.config.llama.layers : weights.decoder + weights.vision;
  memory.casts = kHalf * (weights.other + layers) * (shared && !again ? 1 : uses);
}

}  // namespace

int64_t TrainingMemory::total() const {
  return program + weights + before + casts + gradients + moments + average + activations + logits +
         rows;
}

// Every thread's, until they are added up; and what is kept of their sum.
int64_t gradients(const Recipe& recipe, int64_t trained, int threads, int processes) {
  const bool passes = recipe.batch.accumulate > 1;
  if (processes == 1) return trained * (threads + (passes ? 1 : 0));
  constexpr int64_t kOnTheWay = 3 * kFloat * kMostInBucket;  // goes out, comes in, is added up
  const int64_t part = trained / processes;
  const int64_t kept = recipe.parallel.sharing == Sharing::none              ? trained
                       : recipe.parallel.sharing == Sharing::state && passes ? trained + part
                                                                             : part;
  return trained * threads + kept + std::min(kOnTheWay, trained);
}

TrainingMemory training_memory(const Recipe& whole, int threads, int processes) {
  Recipe recipe = whole;
  recipe.batch.micro = std::max<int64_t>(1, recipe.batch.micro / processes);
  const Weights weights(recipe);
  const Kept kept(recipe, weights);
  const int64_t trained = kFloat * weights.trained;
  TrainingMemory memory;
  memory.program = kProgram + threads * kThread;
  memory.weights = kFloat * weights.all;
  // What a preference is measured from, and a copy of all weights for a moment (preference.cc).
  if (recipe.preference.beta > 0 && recipe.lora.rank == 0) memory.before = kFloat * weights.all;
  memory.gradients = gradients(recipe, trained, threads, processes);
  const int owners = recipe.parallel.sharing == Sharing::none ? 1 : processes;
  memory.moments = 2 * trained / owners;
  memory.average = recipe.optim.ema > 0 ? trained / owners : 0;
  recipe.trains_codec() ? count_codec(recipe, kept, memory)
                        : count_language(recipe, weights, kept, threads, memory);
  return memory;
}

std::string memory_text(const TrainingMemory& memory) {
  std::string text =
      "memory " + size_text(memory.total()) + ": weights " + size_text(memory.weights) + " (f32)";
  const auto add = [&](const char* name, int64_t bytes) {
    if (bytes > 0) text += std::string(", ") + name + " " + size_text(bytes);
  };
  add("the model before", memory.before);
  add("copies in bf16", memory.casts);
  add("gradients", memory.gradients);
  add("moments", memory.moments);
  add("average", memory.average);
  add("activations", memory.activations);
  add("logits", memory.logits);
  add("rows", memory.rows);
  add("the program", memory.program);
  return text;
}

}  // namespace janus::train
