// See net.h.
// SPDX-License-Identifier: MIT
#include "train/net.h"

#include <cmath>
#include <optional>
#include <tuple>
#include <utility>

#include "train/recompute.h"

namespace janus::train {
namespace {

namespace nn = torch::nn;

Dense linear(int in, int out, bool bias) { return Dense(nn::LinearOptions(in, out).bias(bias)); }

nn::LayerNorm layer_norm(int width, double eps) {
  return nn::LayerNorm(nn::LayerNormOptions({width}).eps(eps));
}

// [B, T, heads * width] -> [B, heads, T, width]
torch::Tensor split_heads(const torch::Tensor& x, int heads) {
  return x.view({x.size(0), x.size(1), heads, -1}).transpose(1, 2);
}

// [B, heads, T, width] -> [B, T, heads * width]
torch::Tensor join_heads(const torch::Tensor& x) {
  return x.transpose(1, 2).reshape({x.size(0), x.size(2), -1});
}

// softmax(q k^T / sqrt(H)) v in f32 even under autocast: libtorch's backward of it in bf16 takes
// three times as long (docs/training.md).   [B, N, T, H]
torch::Tensor attend(const torch::Tensor& q, const torch::Tensor& k, const torch::Tensor& v,
                     bool causal, const torch::Tensor& mask = {}) {
  const c10::impl::ExcludeDispatchKeyGuard plain(c10::DispatchKey::AutocastCPU);
  return torch::scaled_dot_product_attention(q.to(torch::kFloat), k.to(torch::kFloat),
                                             v.to(torch::kFloat),
                                             mask.defined() ? std::optional(mask) : std::nullopt, 0,
                                             causal, std::nullopt, q.size(1) != k.size(1));
}

// Rotate-half form: pairs are (j, j + H/2).   x [B, N, T, H]; cosines, sines [T, H] or more
torch::Tensor rotate(const torch::Tensor& x, const torch::Tensor& cosines,
                     const torch::Tensor& sines) {
  const std::vector<torch::Tensor> halves = x.chunk(2, -1);
  return x * cosines + torch::cat({-halves[1], halves[0]}, -1) * sines;
}

// Angles of positions [.., T] in f32.   -> cosines, sines [.., T, H]
std::pair<torch::Tensor, torch::Tensor> rope(const LlamaConfig& config,
                                             const torch::Tensor& positions) {
  const torch::Tensor exponents =
      torch::arange(0, config.head_width, 2, torch::kFloat) / config.head_width;
  const torch::Tensor frequencies =
      1 / torch::pow(torch::tensor(config.rope_theta, torch::kFloat), exponents);
  const torch::Tensor angles = positions.unsqueeze(-1) * frequencies;
  const torch::Tensor both = torch::cat({angles, angles}, -1);
  return {both.cos(), both.sin()};
}

}  // namespace

RmsNormImpl::RmsNormImpl(int width, double epsilon) : eps(epsilon) {
  weight = register_parameter("weight", torch::ones({width}));
}

torch::Tensor RmsNormImpl::forward(const torch::Tensor& x) {
  return torch::rms_norm(x, {weight.size(0)}, weight, eps);
}

DecoderAttentionImpl::DecoderAttentionImpl(const LlamaConfig& config)
    : heads(config.heads), kv_heads(config.kv_heads), head_width(config.head_width) {
  const int width = config.width;
  q_proj = register_module("q_proj", linear(width, heads * head_width, false));
  k_proj = register_module("k_proj", linear(width, kv_heads * head_width, false));
  v_proj = register_module("v_proj", linear(width, kv_heads * head_width, false));
  o_proj = register_module("o_proj", linear(heads * head_width, width, false));
}

torch::Tensor DecoderAttentionImpl::forward(const torch::Tensor& x, const Seen& seen,
                                            LayerCache* cache) {
  const torch::Tensor q = rotate(split_heads(q_proj(x), heads), seen.cosines, seen.sines);
  torch::Tensor k = rotate(split_heads(k_proj(x), kv_heads), seen.cosines, seen.sines);
  torch::Tensor v = split_heads(v_proj(x), kv_heads);
  bool causal = !seen.mask.defined();
  if (cache) {
    causal = !cache->keys.defined();  // a single new position may see everything before it
    if (!causal) {
      k = torch::cat({cache->keys, k}, 2);
      v = torch::cat({cache->values, v}, 2);
    }
    cache->keys = k;
    cache->values = v;
  }
  return o_proj(join_heads(attend(q, k, v, causal, seen.mask)));
}

DecoderMlpImpl::DecoderMlpImpl(const LlamaConfig& config) {
  gate_proj = register_module("gate_proj", linear(config.width, config.mlp_width, false));
  up_proj = register_module("up_proj", linear(config.width, config.mlp_width, false));
  down_proj = register_module("down_proj", linear(config.mlp_width, config.width, false));
}

torch::Tensor DecoderMlpImpl::forward(const torch::Tensor& x) {
  return down_proj(torch::silu(gate_proj(x)) * up_proj(x));
}

DecoderLayerImpl::DecoderLayerImpl(const LlamaConfig& config) {
  input_layernorm = register_module("input_layernorm", RmsNorm(config.width, config.rms_eps));
  self_attn = register_module("self_attn", DecoderAttention(config));
  post_attention_layernorm =
      register_module("post_attention_layernorm", RmsNorm(config.width, config.rms_eps));
  mlp = register_module("mlp", DecoderMlp(config));
}

torch::Tensor DecoderLayerImpl::forward(torch::Tensor x, const Seen& seen, LayerCache* cache) {
  x = x + self_attn(input_layernorm(x), seen, cache);
  return x + mlp(post_attention_layernorm(x));
}

LanguageModelImpl::LanguageModelImpl(const LlamaConfig& given) : config(given) {
  embed_tokens = register_module("embed_tokens", nn::Embedding(config.vocabulary, config.width));
  register_module("layers", layers);
  for (int i = 0; i < config.layers; ++i) layers->push_back(DecoderLayer(config));
  norm = register_module("norm", RmsNorm(config.width, config.rms_eps));
}

torch::Tensor LanguageModelImpl::forward(torch::Tensor x, std::vector<LayerCache>* cache,
                                         const torch::Tensor& starts) {
  const bool begun = cache && cache->front().keys.defined();
  const int64_t before = begun ? cache->front().keys.size(2) : 0;
  const torch::Tensor places = torch::arange(before, before + x.size(1));
  Seen seen;
  if (starts.defined()) {
    std::tie(seen.cosines, seen.sines) =
        rope(config, (places - starts).unsqueeze(1).to(torch::kFloat));
    const torch::Tensor before_it = places.unsqueeze(0) <= places.unsqueeze(1);  // [T, T]
    const torch::Tensor hidden =
        (before_it & (places >= starts.unsqueeze(2))).unsqueeze(1).logical_not();
    // As numbers, or every layer would make and keep its own.
    seen.mask = torch::zeros(hidden.sizes()).masked_fill_(hidden, -INFINITY);
  } else {
    std::tie(seen.cosines, seen.sines) = rope(config, places.to(torch::kFloat));
  }
  for (size_t i = 0; i < layers->size(); ++i) {
    auto& layer = *layers->ptr<DecoderLayerImpl>(i);
    x = recompute && !cache ? recomputed(
                                  layer,
                                  [&layer, seen](const torch::Tensor& in) {
                                    return layer.forward(in, seen, nullptr);
                                  },
                                  x)
                            : layer.forward(x, seen, cache ? &cache->at(i) : nullptr);
  }
  return norm(x);
}

VisionEmbeddingsImpl::VisionEmbeddingsImpl(const VisionConfig& config) {
  patch_embedding = register_module(
      "patch_embedding",
      nn::Conv2d(nn::Conv2dOptions(3, config.width, config.patch).stride(config.patch)));
  position_embedding =
      register_module("position_embedding", nn::Embedding(config.tokens(), config.width));
}

torch::Tensor VisionEmbeddingsImpl::forward(const torch::Tensor& pixels) {
  return patch_embedding(pixels).flatten(2).transpose(1, 2) + position_embedding->weight;
}

VisionAttentionImpl::VisionAttentionImpl(const VisionConfig& config) : heads(config.heads) {
  const int width = config.width;
  q_proj = register_module("q_proj", linear(width, width, true));
  k_proj = register_module("k_proj", linear(width, width, true));
  v_proj = register_module("v_proj", linear(width, width, true));
  projection_layer = register_module("projection_layer", linear(width, width, true));
}

torch::Tensor VisionAttentionImpl::forward(const torch::Tensor& x) {
  return projection_layer(
      join_heads(attend(split_heads(q_proj(x), heads), split_heads(k_proj(x), heads),
                        split_heads(v_proj(x), heads), false)));
}

VisionMlpImpl::VisionMlpImpl(const VisionConfig& config) {
  fc1 = register_module("fc1", linear(config.width, config.mlp_width, true));
  fc2 = register_module("fc2", linear(config.mlp_width, config.width, true));
}

torch::Tensor VisionMlpImpl::forward(const torch::Tensor& x) { return fc2(torch::gelu(fc1(x))); }

VisionLayerImpl::VisionLayerImpl(const VisionConfig& config) {
  layer_norm1 = register_module("layer_norm1", layer_norm(config.width, config.eps));
  self_attn = register_module("self_attn", VisionAttention(config));
  layer_norm2 = register_module("layer_norm2", layer_norm(config.width, config.eps));
  mlp = register_module("mlp", VisionMlp(config));
}

torch::Tensor VisionLayerImpl::forward(torch::Tensor x) {
  x = x + self_attn(layer_norm1(x));
  return x + mlp(layer_norm2(x));
}

VisionEncoderImpl::VisionEncoderImpl(const VisionConfig& config) {
  register_module("layers", layers);
  for (int i = 0; i < config.layers; ++i) layers->push_back(VisionLayer(config));
}

VisionModelImpl::VisionModelImpl(const VisionConfig& config) {
  embeddings = register_module("embeddings", VisionEmbeddings(config));
  encoder = register_module("encoder", VisionEncoder(config));
  post_layernorm = register_module("post_layernorm", layer_norm(config.width, config.eps));
}

torch::Tensor VisionModelImpl::forward(const torch::Tensor& pixels) {
  torch::Tensor x = embeddings(pixels);
  for (const auto& item : *encoder->layers) {
    auto& layer = *item->as<VisionLayerImpl>();
    const auto run = [&layer](const torch::Tensor& in) { return layer.forward(in); };
    x = recompute ? recomputed(layer, run, x) : run(x);
  }
  return post_layernorm(x);
}

AlignerImpl::AlignerImpl(int in, int width, int depth) {
  fc1 = register_module("fc1", linear(in, width, true));
  register_module("hidden_layers", hidden_layers);
  for (int i = 1; i < depth; ++i) hidden_layers->push_back(linear(width, width, true));
}

torch::Tensor AlignerImpl::forward(torch::Tensor x) {
  x = fc1(x);
  for (const auto& layer : *hidden_layers) x = layer->as<DenseImpl>()->forward(torch::gelu(x));
  return x;
}

GenerationHeadImpl::GenerationHeadImpl(int width, int hidden, int codes) {
  proj_out = register_module("proj_out", linear(width, hidden, true));
  vision_head = register_module("vision_head", linear(hidden, codes, true));
}

torch::Tensor GenerationHeadImpl::forward(const torch::Tensor& x) {
  return vision_head(torch::gelu(proj_out(x)));
}

JanusModelImpl::JanusModelImpl(const Config& config) {
  const int width = config.llama.width;
  language_model = register_module("language_model", LanguageModel(config.llama));
  vision_model = register_module("vision_model", VisionModel(config.vision));
  aligner = register_module("aligner", Aligner(config.vision.width, width, config.aligner_depth));
  generation_embeddings = register_module("generation_embeddings",
                                          nn::Embedding(config.vq.codes, config.vq.code_width));
  generation_aligner = register_module(
      "generation_aligner", Aligner(config.vq.code_width, width, config.gen_aligner_depth));
  generation_head = register_module("generation_head",
                                    GenerationHead(width, config.gen_head_width, config.vq.codes));
  vqmodel = register_module("vqmodel", Codec(config.vq));
}

JanusImpl::JanusImpl(const Config& given) : config(given) {
  model = register_module("model", JanusModel(config));
  lm_head = register_module("lm_head", linear(config.llama.width, config.llama.vocabulary, false));
}

torch::Tensor JanusImpl::embed_text(const torch::Tensor& ids) {
  return model->language_model->embed_tokens(ids);
}

torch::Tensor JanusImpl::embed_codes(const torch::Tensor& codes) {
  return model->generation_aligner(model->generation_embeddings(codes));
}

torch::Tensor JanusImpl::embed_image(const torch::Tensor& pixels) {
  return model->aligner(model->vision_model(pixels));
}

// Rows of the text table and vectors, each in its place. The table itself is not copied, it may be
// the largest tensor there is.
torch::Tensor JanusImpl::embed(const std::vector<int64_t>& slots, const torch::Tensor& vectors) {
  const torch::Tensor& table = model->language_model->embed_tokens->weight;
  std::vector<int64_t> ids, places, given;  // places: in the ids, then in the vectors given
  for (const int64_t slot : slots) {
    if (slot < table.size(0)) ids.push_back(slot);
  }
  const int64_t texts = std::ssize(ids);
  int64_t text = 0;
  for (const int64_t slot : slots) {
    const bool is_text = slot < table.size(0);
    places.push_back(is_text ? text++ : texts + std::ssize(given));
    if (!is_text) given.push_back(slot - table.size(0));
  }
  torch::Tensor rows = table.index_select(0, torch::tensor(ids));
  if (!given.empty()) {
    rows = torch::cat({rows, vectors.to(torch::kFloat).index_select(0, torch::tensor(given))});
  }
  return rows.index_select(0, torch::tensor(places));
}

torch::Tensor JanusImpl::decode_at(const Inputs& inputs, const torch::Tensor& vectors) {
  const torch::Tensor x =
      embed(inputs.slots, vectors).view({inputs.rows, inputs.length, config.llama.width});
  torch::Tensor starts;
  if (!inputs.starts.empty()) {
    starts = torch::tensor(inputs.starts).view({inputs.rows, inputs.length});
  }
  const torch::Tensor hidden = model->language_model(x, nullptr, starts);
  return hidden.flatten(0, 1).index_select(0, torch::tensor(inputs.at));
}

torch::Tensor JanusImpl::code_logits(const torch::Tensor& hidden) {
  return model->generation_head(hidden);
}

torch::Tensor JanusImpl::text_logits(const torch::Tensor& hidden) { return lm_head(hidden); }

}  // namespace janus::train
