// The VQ codec in torch::nn: encoder, quantiser and decoder of LlamaGen's VQ-16 as Janus uses it
// (janus/models/vq_model.py), with any channel multipliers and group count. Modules are named as in
// the transformers layout below `model.vqmodel.`, so that a checkpoint needs no adapter. Losses are
// in codec_loss.h; the engine's own codec is model/vq.
//
// Letters: B pictures, S picture side, G grid side, E code width, K codes, C channels.
// SPDX-License-Identifier: MIT
#pragma once

#include "model/config.h"
#include "train/torch.h"

namespace janus::train {

// silu(norm(x)), with channels innermost in memory.   x [B, C, h, w], f32 or bf16
torch::Tensor group_norm_silu(torch::nn::GroupNorm& norm, const torch::Tensor& x);

// Two 3x3 convolutions, each after GroupNorm and SiLU, added to the (possibly projected) input.
struct ResBlockImpl : torch::nn::Module {
  ResBlockImpl(int in, int out, int groups);
  torch::Tensor forward(const torch::Tensor& x);  // [B, in, h, w] -> [B, out, h, w]
  torch::nn::GroupNorm norm1{nullptr}, norm2{nullptr};
  torch::nn::Conv2d conv1{nullptr}, conv2{nullptr}, nin_shortcut{nullptr};
};
TORCH_MODULE(ResBlock);

// Single-head self-attention over all positions, added to the input.
struct AttentionBlockImpl : torch::nn::Module {
  AttentionBlockImpl(int channels, int groups);
  torch::Tensor forward(const torch::Tensor& x);  // [B, C, h, w]
  torch::nn::GroupNorm norm{nullptr};
  torch::nn::Conv2d q{nullptr}, k{nullptr}, v{nullptr}, proj_out{nullptr};
};
TORCH_MODULE(AttentionBlock);

struct MiddleImpl : torch::nn::Module {
  MiddleImpl(int channels, int groups);
  torch::Tensor forward(const torch::Tensor& x);
  ResBlock block_1{nullptr}, block_2{nullptr};
  AttentionBlock attn_1{nullptr};
};
TORCH_MODULE(Middle);

// The convolution after a change of resolution: half (zeros on the right and at the bottom, stride
// 2) or double (nearest neighbour first).
struct ResampleImpl : torch::nn::Module {
  ResampleImpl(int channels, bool up);
  torch::Tensor forward(torch::Tensor x);
  torch::nn::Conv2d conv{nullptr};
  bool up;
};
TORCH_MODULE(Resample);

// One resolution: residual blocks, attention after each where `with_attention`, then the change of
// resolution unless it is the last.
struct LevelImpl : torch::nn::Module {
  enum class Then { down, up, nothing };
  LevelImpl(int in, int out, int blocks, bool with_attention, Then then, int groups);
  torch::Tensor forward(torch::Tensor x);
  torch::nn::ModuleList block, attn;
  Resample resample{nullptr};
};
TORCH_MODULE(Level);

struct EncoderImpl : torch::nn::Module {
  explicit EncoderImpl(const VqConfig& sizes);
  torch::Tensor forward(torch::Tensor x);  // pixels [B, 3, S, S] -> [B, latent, G, G]
  torch::nn::Conv2d conv_in{nullptr}, conv_out{nullptr};
  torch::nn::GroupNorm norm_out{nullptr};
  torch::nn::ModuleList down;
  Middle mid{nullptr};
};
TORCH_MODULE(Encoder);

struct DecoderImpl : torch::nn::Module {
  explicit DecoderImpl(const VqConfig& sizes);
  torch::Tensor forward(torch::Tensor x);  // [B, latent, G, G] -> pixels [B, 3, S, S]
  torch::nn::Conv2d conv_in{nullptr}, conv_out{nullptr};
  torch::nn::GroupNorm norm_out{nullptr};
  torch::nn::ModuleList up;
  Middle mid{nullptr};
};
TORCH_MODULE(Decoder);

struct QuantizeImpl : torch::nn::Module {
  QuantizeImpl(int codes, int width);
  torch::nn::Embedding embedding{nullptr};
};
TORCH_MODULE(Quantize);

struct Quantized {
  torch::Tensor unit;   // encoder outputs of length one          [B*G*G, E]
  torch::Tensor codes;  // nearest codebook rows                  [B*G*G]
  torch::Tensor rows;   // those rows, of length one              [B*G*G, E]
};

struct CodecImpl : torch::nn::Module {
  explicit CodecImpl(const VqConfig& sizes);

  torch::Tensor latent(const torch::Tensor& pixels);  // [B, 3, S, S] -> [B, E, G, G]
  Quantized nearest(const torch::Tensor& latent);  // both sides of unit length: the official rule
  torch::Tensor look_up(const torch::Tensor& codes);  // [B, G*G] -> unit rows [B, E, G, G]
  torch::Tensor decode(const torch::Tensor& rows);    // [B, E, G, G] -> pixels [B, 3, S, S]
  torch::Tensor encode(const torch::Tensor& pixels);  // -> codes [B, G*G], no gradient

  VqConfig sizes;
  Encoder encoder{nullptr};
  Decoder decoder{nullptr};
  Quantize quantize{nullptr};
  torch::nn::Conv2d quant_conv{nullptr}, post_quant_conv{nullptr};
};
TORCH_MODULE(Codec);

}  // namespace janus::train
