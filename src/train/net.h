// The whole network in torch::nn: LLaMA decoder, vision tower, adaptors, image head and codec, with
// modules named exactly as in the transformers layout (model.language_model.layers.0.self_attn...),
// so that a checkpoint needs no adapter. The mathematics is that of the reference
// (transformers, models/janus and models/llama); the engine's own is model/llama and model/siglip.
//
// Letters: B sequences, T positions, D width, N heads, H head width, P patches, W vision width,
// V text ids, C image ids.
// SPDX-License-Identifier: MIT
#pragma once

#include <vector>

#include "model/config.h"
#include "train/codec.h"
#include "train/dense.h"
#include "train/inputs.h"
#include "train/torch.h"

namespace janus::train {

// Keys and values of one decoder layer, for sampling.   [B, N, T, H]
struct LayerCache {
  torch::Tensor keys, values;
};

struct RmsNormImpl : torch::nn::Module {
  RmsNormImpl(int width, double epsilon);
  torch::Tensor forward(const torch::Tensor& x);
  torch::Tensor weight;
  double eps;
};
TORCH_MODULE(RmsNorm);

// What attention is told about the places of a pass.
struct Seen {
  torch::Tensor cosines, sines;  // of their positions      [T, H], or [B, 1, T, H] where packed
  // Added to the scores: 0 where a place sees another, else -inf  [B, 1, T, T]; undefined: it sees
  // all before and itself.
  torch::Tensor mask;
};

struct DecoderAttentionImpl : torch::nn::Module {
  explicit DecoderAttentionImpl(const LlamaConfig& config);
  // x [B, T, D]. With a cache the T positions follow those in it.
  torch::Tensor forward(const torch::Tensor& x, const Seen& seen, LayerCache* cache);
  int heads, kv_heads, head_width;
  Dense q_proj{nullptr}, k_proj{nullptr}, v_proj{nullptr}, o_proj{nullptr};
};
TORCH_MODULE(DecoderAttention);

struct DecoderMlpImpl : torch::nn::Module {
  explicit DecoderMlpImpl(const LlamaConfig& config);
  torch::Tensor forward(const torch::Tensor& x);
  Dense gate_proj{nullptr}, up_proj{nullptr}, down_proj{nullptr};
};
TORCH_MODULE(DecoderMlp);

struct DecoderLayerImpl : torch::nn::Module {
  explicit DecoderLayerImpl(const LlamaConfig& config);
  torch::Tensor forward(torch::Tensor x, const Seen& seen, LayerCache* cache);  // [B, T, D]
  RmsNorm input_layernorm{nullptr}, post_attention_layernorm{nullptr};
  DecoderAttention self_attn{nullptr};
  DecoderMlp mlp{nullptr};
};
TORCH_MODULE(DecoderLayer);

struct LanguageModelImpl : torch::nn::Module {
  explicit LanguageModelImpl(const LlamaConfig& config);
  // Embeddings [B, T, D] -> after the final norm [B, T, D]. Causal; every row starts at position 0,
  // or after what `cache` (one per layer) holds, or is packed: `starts` [B, T] as in inputs.h.
  torch::Tensor forward(torch::Tensor x, std::vector<LayerCache>* cache = nullptr,
                        const torch::Tensor& starts = {});
  LlamaConfig config;
  torch::nn::Embedding embed_tokens{nullptr};
  torch::nn::ModuleList layers;
  RmsNorm norm{nullptr};
  bool recompute = false;  // layers keep their inputs alone: recompute.h
};
TORCH_MODULE(LanguageModel);

struct VisionEmbeddingsImpl : torch::nn::Module {
  explicit VisionEmbeddingsImpl(const VisionConfig& config);
  torch::Tensor forward(const torch::Tensor& pixels);  // [B, 3, S, S] -> [B, P, W]
  torch::nn::Conv2d patch_embedding{nullptr};
  torch::nn::Embedding position_embedding{nullptr};
};
TORCH_MODULE(VisionEmbeddings);

struct VisionAttentionImpl : torch::nn::Module {
  explicit VisionAttentionImpl(const VisionConfig& config);
  torch::Tensor forward(const torch::Tensor& x);  // [B, P, W]
  int heads;
  Dense q_proj{nullptr}, k_proj{nullptr}, v_proj{nullptr}, projection_layer{nullptr};
};
TORCH_MODULE(VisionAttention);

// Two linear layers around an exact GELU, named fc1 and fc2.
struct VisionMlpImpl : torch::nn::Module {
  explicit VisionMlpImpl(const VisionConfig& config);
  torch::Tensor forward(const torch::Tensor& x);
  Dense fc1{nullptr}, fc2{nullptr};
};
TORCH_MODULE(VisionMlp);

struct VisionLayerImpl : torch::nn::Module {
  explicit VisionLayerImpl(const VisionConfig& config);
  torch::Tensor forward(torch::Tensor x);
  torch::nn::LayerNorm layer_norm1{nullptr}, layer_norm2{nullptr};
  VisionAttention self_attn{nullptr};
  VisionMlp mlp{nullptr};
};
TORCH_MODULE(VisionLayer);

struct VisionEncoderImpl : torch::nn::Module {
  explicit VisionEncoderImpl(const VisionConfig& config);
  torch::nn::ModuleList layers;
};
TORCH_MODULE(VisionEncoder);

struct VisionModelImpl : torch::nn::Module {
  explicit VisionModelImpl(const VisionConfig& config);
  torch::Tensor forward(const torch::Tensor& pixels);  // [B, 3, S, S] -> [B, P, W]
  VisionEmbeddings embeddings{nullptr};
  VisionEncoder encoder{nullptr};
  torch::nn::LayerNorm post_layernorm{nullptr};
  bool recompute = false;
};
TORCH_MODULE(VisionModel);

// Adaptor into the decoder's width: fc1, then GELU and one hidden layer.
struct AlignerImpl : torch::nn::Module {
  AlignerImpl(int in, int width, int depth);
  torch::Tensor forward(torch::Tensor x);
  Dense fc1{nullptr};
  torch::nn::ModuleList hidden_layers;
};
TORCH_MODULE(Aligner);

struct GenerationHeadImpl : torch::nn::Module {
  GenerationHeadImpl(int width, int hidden, int codes);
  torch::Tensor forward(const torch::Tensor& x);
  Dense proj_out{nullptr}, vision_head{nullptr};
};
TORCH_MODULE(GenerationHead);

struct JanusModelImpl : torch::nn::Module {
  explicit JanusModelImpl(const Config& config);
  LanguageModel language_model{nullptr};
  VisionModel vision_model{nullptr};
  Aligner aligner{nullptr}, generation_aligner{nullptr};
  torch::nn::Embedding generation_embeddings{nullptr};
  GenerationHead generation_head{nullptr};
  Codec vqmodel{nullptr};
};
TORCH_MODULE(JanusModel);

struct JanusImpl : torch::nn::Module {
  explicit JanusImpl(const Config& config);

  torch::Tensor embed_text(const torch::Tensor& ids);      // [..] -> [.., D]
  torch::Tensor embed_codes(const torch::Tensor& codes);   // [..] -> [.., D]
  torch::Tensor embed_image(const torch::Tensor& pixels);  // [B, 3, S, S] -> [B, P, D]
  // Output of the decoder at inputs.at.   `vectors` [R, D], or undefined for none -> [M, D]
  torch::Tensor decode_at(const Inputs& inputs, const torch::Tensor& vectors);
  torch::Tensor code_logits(const torch::Tensor& hidden);  // [.., D] -> [.., C]
  torch::Tensor text_logits(const torch::Tensor& hidden);  // [.., D] -> [.., V]

  Config config;
  JanusModel model{nullptr};
  Dense lm_head{nullptr};

 private:
  torch::Tensor embed(const std::vector<int64_t>& slots, const torch::Tensor& vectors);
};
TORCH_MODULE(Janus);

}  // namespace janus::train
