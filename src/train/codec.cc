// See codec.h.
// SPDX-License-Identifier: MIT
#include "train/codec.h"

#include <cmath>

#include "base/error.h"
#include "train/norm_rows.h"

namespace janus::train {
namespace {

namespace nn = torch::nn;
namespace fn = torch::nn::functional;

constexpr double kNormEps = 1e-6;

nn::Conv2d conv(int in, int out, int kernel) {
  return nn::Conv2d(nn::Conv2dOptions(in, out, kernel).padding(kernel / 2));
}

nn::GroupNorm group_norm(int channels, int groups) {
  return nn::GroupNorm(nn::GroupNormOptions(groups, channels).eps(kNormEps));
}

// GroupNorm then SiLU in one (norm_rows.h), with channels innermost in memory.
struct NormSilu : torch::autograd::Function<NormSilu> {
  static torch::Tensor forward(torch::autograd::AutogradContext* context,
                               const torch::Tensor& input, const torch::Tensor& weight,
                               const torch::Tensor& bias, int64_t groups) {
    const torch::Tensor x = input.contiguous(at::MemoryFormat::ChannelsLast);
    const torch::Tensor y = torch::empty_like(x);
    const torch::Tensor mean = torch::empty({x.size(0), groups});
    const torch::Tensor rstd = torch::empty({x.size(0), groups});
    const NormShape shape = shape_of(x, groups);
    const auto each = [&]<class Element>(Element) {
      for (int64_t i = 0; i < x.size(0); ++i) {
        norm_silu(shape, picture<Element>(x, i), weight.data_ptr<float>(), bias.data_ptr<float>(),
                  picture<Element>(y, i), mean[i].data_ptr<float>(), rstd[i].data_ptr<float>());
      }
    };
    x.scalar_type() == torch::kBFloat16 ? each(uint16_t{}) : each(float{});
    context->save_for_backward({x, weight, bias, mean, rstd});
    return y;
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 const torch::autograd::variable_list& grads) {
    const auto saved = context->get_saved_variables();
    const torch::Tensor &x = saved[0], &weight = saved[1], &bias = saved[2];
    const torch::Tensor dy =
        grads[0].to(x.scalar_type()).contiguous(at::MemoryFormat::ChannelsLast);
    const torch::Tensor dx = torch::empty_like(x);
    const torch::Tensor dweight = torch::zeros_like(weight);
    const torch::Tensor dbias = torch::zeros_like(bias);
    const NormShape shape = shape_of(x, saved[3].size(1));
    const auto each = [&]<class Element>(Element) {
      for (int64_t i = 0; i < x.size(0); ++i) {
        norm_silu_back(shape, picture<Element>(x, i), picture<Element>(dy, i),
                       weight.data_ptr<float>(), bias.data_ptr<float>(),
                       saved[3][i].data_ptr<float>(), saved[4][i].data_ptr<float>(),
                       picture<Element>(dx, i), dweight.data_ptr<float>(), dbias.data_ptr<float>());
      }
    };
    x.scalar_type() == torch::kBFloat16 ? each(uint16_t{}) : each(float{});
    return {dx, dweight, dbias, torch::Tensor()};
  }

  static NormShape shape_of(const torch::Tensor& x, int64_t groups) {
    check(x.size(1) <= kMaxNormChannels, Code::not_supported, "a codec with ", x.size(1),
          " channels at one resolution cannot be trained, at most ", kMaxNormChannels, " can");
    return {x.size(2) * x.size(3), x.size(1), groups, static_cast<float>(kNormEps)};
  }

  // Memory of picture i as [h*w, C].
  template <class Element>
  static Element* picture(const torch::Tensor& x, int64_t i) {
    return static_cast<Element*>(x.data_ptr()) + i * x[0].numel();
  }
};

torch::Tensor unit_rows(const torch::Tensor& rows) {
  return fn::normalize(rows, fn::NormalizeFuncOptions().dim(-1).eps(1e-12));
}

}  // namespace

torch::Tensor group_norm_silu(torch::nn::GroupNorm& norm, const torch::Tensor& x) {
  return NormSilu::apply(x, norm->weight, norm->bias, norm->options.num_groups());
}

ResBlockImpl::ResBlockImpl(int in, int out, int groups) {
  norm1 = register_module("norm1", group_norm(in, groups));
  conv1 = register_module("conv1", conv(in, out, 3));
  norm2 = register_module("norm2", group_norm(out, groups));
  conv2 = register_module("conv2", conv(out, out, 3));
  if (in != out) nin_shortcut = register_module("nin_shortcut", conv(in, out, 1));
}

torch::Tensor ResBlockImpl::forward(const torch::Tensor& x) {
  torch::Tensor h = conv1(group_norm_silu(norm1, x));
  h = conv2(group_norm_silu(norm2, h));
  return (nin_shortcut ? nin_shortcut(x) : x) + h;
}

AttentionBlockImpl::AttentionBlockImpl(int channels, int groups) {
  norm = register_module("norm", group_norm(channels, groups));
  q = register_module("q", conv(channels, channels, 1));
  k = register_module("k", conv(channels, channels, 1));
  v = register_module("v", conv(channels, channels, 1));
  proj_out = register_module("proj_out", conv(channels, channels, 1));
}

torch::Tensor AttentionBlockImpl::forward(const torch::Tensor& x) {
  const torch::Tensor n = norm(x);
  const double scale = 1 / std::sqrt(static_cast<double>(x.size(1)));
  const torch::Tensor scores = torch::bmm(q(n).flatten(2).transpose(1, 2) * scale,
                                          k(n).flatten(2));  // [B, h*w, h*w]
  const torch::Tensor mixed =
      torch::bmm(torch::softmax(scores, 2), v(n).flatten(2).transpose(1, 2));  // [B, h*w, C]
  return x + proj_out(mixed.transpose(1, 2).view(x.sizes()));
}

MiddleImpl::MiddleImpl(int channels, int groups) {
  block_1 = register_module("block_1", ResBlock(channels, channels, groups));
  attn_1 = register_module("attn_1", AttentionBlock(channels, groups));
  block_2 = register_module("block_2", ResBlock(channels, channels, groups));
}

torch::Tensor MiddleImpl::forward(const torch::Tensor& x) { return block_2(attn_1(block_1(x))); }

ResampleImpl::ResampleImpl(int channels, bool upwards) : up(upwards) {
  conv =
      register_module("conv", up ? train::conv(channels, channels, 3)
                                 : nn::Conv2d(nn::Conv2dOptions(channels, channels, 3).stride(2)));
}

torch::Tensor ResampleImpl::forward(torch::Tensor x) {
  if (up) {
    x = torch::upsample_nearest2d(x, at::IntArrayRef({x.size(2) * 2, x.size(3) * 2}));
  } else {
    x = torch::constant_pad_nd(x, {0, 1, 0, 1});
  }
  return conv(x);
}

LevelImpl::LevelImpl(int in, int out, int blocks, bool with_attention, Then then, int groups) {
  register_module("block", block);
  register_module("attn", attn);
  for (int i = 0; i < blocks; ++i) {
    block->push_back(ResBlock(i == 0 ? in : out, out, groups));
    if (with_attention) attn->push_back(AttentionBlock(out, groups));
  }
  if (then == Then::down) resample = register_module("downsample", Resample(out, false));
  if (then == Then::up) resample = register_module("upsample", Resample(out, true));
}

torch::Tensor LevelImpl::forward(torch::Tensor x) {
  for (size_t i = 0; i < block->size(); ++i) {
    x = block->ptr<ResBlockImpl>(i)->forward(x);
    if (!attn->is_empty()) x = attn->ptr<AttentionBlockImpl>(i)->forward(x);
  }
  return resample ? resample(x) : x;
}

EncoderImpl::EncoderImpl(const VqConfig& sizes) {
  const int groups = sizes.groups;
  conv_in = register_module("conv_in", conv(3, sizes.base, 3));
  register_module("down", down);
  int width = sizes.base;
  for (size_t i = 0; i < sizes.multipliers.size(); ++i) {
    const bool last = i + 1 == sizes.multipliers.size();
    const int out = sizes.base * sizes.multipliers[i];
    down->push_back(Level(width, out, sizes.blocks, last,
                          last ? LevelImpl::Then::nothing : LevelImpl::Then::down, groups));
    width = out;
  }
  mid = register_module("mid", Middle(width, groups));
  norm_out = register_module("norm_out", group_norm(width, groups));
  conv_out = register_module("conv_out", conv(width, sizes.latent, 3));
}

torch::Tensor EncoderImpl::forward(torch::Tensor x) {
  x = conv_in(x);
  for (const auto& level : *down) x = level->as<LevelImpl>()->forward(x);
  return conv_out(group_norm_silu(norm_out, mid(x)));
}

DecoderImpl::DecoderImpl(const VqConfig& sizes) {
  const int groups = sizes.groups;
  int width = sizes.base * sizes.decoder_multipliers.back();
  conv_in = register_module("conv_in", conv(sizes.latent, width, 3));
  mid = register_module("mid", Middle(width, groups));
  register_module("up", up);
  const std::vector<int>& multipliers = sizes.decoder_multipliers;
  for (size_t i = multipliers.size(); i-- > 0;) {  // up.0 is the lowest resolution
    const int out = sizes.base * multipliers[i];
    const bool lowest = i + 1 == multipliers.size();
    up->push_back(Level(width, out, sizes.blocks + 1, lowest,
                        i == 0 ? LevelImpl::Then::nothing : LevelImpl::Then::up, groups));
    width = out;
  }
  norm_out = register_module("norm_out", group_norm(width, groups));
  conv_out = register_module("conv_out", conv(width, 3, 3));
}

torch::Tensor DecoderImpl::forward(torch::Tensor x) {
  x = mid(conv_in(x));
  for (const auto& level : *up) x = level->as<LevelImpl>()->forward(x);
  return conv_out(group_norm_silu(norm_out, x));
}

QuantizeImpl::QuantizeImpl(int codes, int width) {
  embedding = register_module("embedding", nn::Embedding(codes, width));
  torch::NoGradGuard off;
  // Evenly over the sphere; LlamaGen starts uniform in a cube, then normalises.
  embedding->weight.copy_(unit_rows(torch::randn({codes, width})));
}

CodecImpl::CodecImpl(const VqConfig& given) : sizes(given) {
  encoder = register_module("encoder", Encoder(sizes));
  decoder = register_module("decoder", Decoder(sizes));
  quantize = register_module("quantize", Quantize(sizes.codes, sizes.code_width));
  quant_conv = register_module("quant_conv", conv(sizes.latent, sizes.code_width, 1));
  post_quant_conv = register_module("post_quant_conv", conv(sizes.code_width, sizes.latent, 1));
}

torch::Tensor CodecImpl::latent(const torch::Tensor& pixels) {
  return quant_conv(encoder(pixels.contiguous(at::MemoryFormat::ChannelsLast)));
}

Quantized CodecImpl::nearest(const torch::Tensor& latent) {
  Quantized q;
  q.unit = unit_rows(latent.permute({0, 2, 3, 1}).flatten(0, 2).to(torch::kFloat));
  const torch::Tensor book = unit_rows(quantize->embedding->weight);
  {
    torch::NoGradGuard off;
    // The distance as the reference writes it (vq_model.py, VectorQuantizer.forward): on unit
    // vectors it orders like the dot product, but ties and rounding are then the reference's.
    const torch::Tensor distance =
        q.unit.square().sum(1, true) + book.square().sum(1) - 2 * torch::matmul(q.unit, book.t());
    q.codes = distance.argmin(1);
  }
  q.rows = torch::embedding(book, q.codes);
  return q;
}

torch::Tensor CodecImpl::look_up(const torch::Tensor& codes) {
  const auto side = static_cast<int64_t>(std::llround(std::sqrt(codes.size(1))));
  check(side * side == codes.size(1), Code::bug, "look_up: ", codes.size(1),
        " codes make no square");
  return torch::embedding(unit_rows(quantize->embedding->weight), codes)
      .view({codes.size(0), side, side, -1})
      .permute({0, 3, 1, 2});
}

torch::Tensor CodecImpl::decode(const torch::Tensor& rows) {
  return decoder(post_quant_conv(rows));
}

torch::Tensor CodecImpl::encode(const torch::Tensor& pixels) {
  torch::NoGradGuard off;
  return nearest(latent(pixels)).codes.view({pixels.size(0), -1});
}

}  // namespace janus::train
