// SPDX-License-Identifier: MIT
#include "model/vq.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/error.h"
#include "model/unit_rows.h"

namespace janus {
namespace {

constexpr int64_t kPublishedPlane = int64_t{384} * 384 * 128;

}  // namespace

Tensor Canvas::view(Tensor plane, int64_t side_, int64_t channels_) const {
  check(n * side_ * side_ * channels_ <= plane.count(), Code::bug, "codec: plane of ",
        plane.count(), " values is too small");
  return Tensor(plane.data, Dtype::f32, {n, side_, side_, channels_});
}

// The largest of all the planes that pictures pass through, and of the fused q, k, v.
int64_t Vq::plane_values(const VqConfig& config, int64_t grid) {
  const auto levels = static_cast<int>(config.multipliers.size());
  int64_t most = grid * grid * std::max(config.latent, config.code_width);
  for (int i = 0; i < levels; ++i) {
    const auto at = static_cast<size_t>(i);
    const int64_t side = grid << (levels - 1 - i);
    int multiplier = std::max(config.multipliers[at], config.decoder_multipliers[at]);
    if (i == 0) multiplier = std::max(multiplier, 1);
    // The level below arrives here with its own channels, before its first residual.
    if (i + 1 < levels) multiplier = std::max(multiplier, config.decoder_multipliers[at + 1]);
    const int64_t factor = i == levels - 1 ? 3 : 1;
    most = std::max(most, factor * side * side * config.base * multiplier);
  }
  const int64_t side = grid * config.downsample();
  return std::max(most, side * side * 3);
}

int64_t Vq::pictures_at_once(int64_t grid) const {
  return std::max<int64_t>(1, kPublishedPlane / plane_values(cfg, grid));
}

int64_t Vq::scratch_bytes(const VqConfig& config, int64_t n, int64_t grid) {
  Workspace::Count count;
  const Canvas canvas(n, plane_values(config, grid), count);
  return count.bytes();
}

// The canvas' pauses come in its midst and at its end.
void Vq::convolve(Tensor x, const Conv& w, Tensor out, Epilogue epilogue, const Canvas& p) const {
  be.conv2d(x, w, out, epilogue, p.between);
  p.pause();
}

// x = conv(x)
void Vq::conv(const Conv& w, Canvas& p) const {
  const int64_t side = w.output_size(p.side), channels = w.weight.outputs;
  convolve(p.view(p.x), w, p.view(p.a, side, channels), Epilogue::store, p);
  std::swap(p.x, p.a);
  p.side = side;
  p.channels = channels;
}

void Vq::norm(const Norm& w, Tensor from, Tensor to, bool silu, const Canvas& p) const {
  be.group_norm(from, w.weight.view, w.bias.view, cfg.groups, cfg.eps, silu, to);
  p.pause();
}

// x = shortcut(x) + conv2(silu(norm2(conv1(silu(norm1(x))))))
void Vq::residual(const VqResidual& w, Canvas& p) const {
  const int64_t out = w.conv1.weight.outputs;
  const Tensor hidden = p.view(p.b, p.side, out);
  norm(w.norm1, p.view(p.x), p.view(p.a), true, p);
  convolve(p.view(p.a), w.conv1, hidden, Epilogue::store, p);
  norm(w.norm2, hidden, hidden, true, p);
  if (w.shortcut.weight.outputs > 0) {
    convolve(p.view(p.x), w.shortcut, p.view(p.a, p.side, out), Epilogue::store, p);
    std::swap(p.x, p.a);
    p.channels = out;
  }
  convolve(hidden, w.conv2, p.view(p.x), Epilogue::add, p);
}

// x += proj(softmax(q·kᵀ / √c)·v) over all places of one picture
void Vq::attention(const VqAttention& w, Canvas& p) const {
  const int64_t rows = p.n * p.side * p.side, c = p.channels;
  const Tensor h = p.view(p.a).as({rows, c});
  const Tensor qkv(p.b.data, Dtype::f32, {rows, 3 * c});
  norm(w.norm, p.view(p.x), p.view(p.a), false, p);
  be.linear(h, w.qkv, qkv);
  be.attend_full(qkv.columns(0, c), qkv.columns(c, c), qkv.columns(2 * c, c), p.side * p.side, 1,
                 1.0f / std::sqrt(static_cast<float>(c)), h);
  be.linear(h, w.proj, p.view(p.x).as({rows, c}), Epilogue::add);
  p.pause();
}

void Vq::middle(const VqMiddle& w, Canvas& p) const {
  residual(w.first, p);
  attention(w.attention, p);
  residual(w.second, p);
}

void Vq::level(const VqLevel& w, Canvas& p) const {
  for (size_t j = 0; j < w.residuals.size(); ++j) {
    residual(w.residuals[j], p);
    if (!w.attentions.empty()) attention(w.attentions[j], p);
  }
}

void Vq::upsample(const Conv& w, Canvas& p) const {
  be.upsample2x(p.view(p.x), p.view(p.a, 2 * p.side, p.channels));
  p.pause();
  std::swap(p.x, p.a);
  p.side *= 2;
  conv(w, p);
}

void Vq::finish(const VqTower& w, Canvas& p) const {
  norm(w.norm_out, p.view(p.x), p.view(p.x), true, p);
  conv(w.conv_out, p);
}

void Vq::decode(std::span<const int32_t> codes, int64_t grid, Workspace& space, Tensor pixels,
                Trace* trace, const std::function<void()>& between) const {
  const VqTower& w = weights.decoder;
  Workspace::Frame frame(space);
  Canvas p(pixels.shape[0], plane_values(cfg, grid), frame);
  p.side = grid;
  p.channels = cfg.code_width;
  p.between = between;
  for (size_t i = 0; i < codes.size(); ++i) {
    check(codes[i] >= 0 && codes[i] < cfg.codes, Code::bad_input, "image code ", codes[i],
          " at place ", i, "; the codebook has ", cfg.codes);
    be.copy(weights.codebook.view.slice(codes[i], 1),
            p.view(p.x).slice(static_cast<int64_t>(i), 1));
  }
  tap_channels_first(trace, "vq.codes", p.view(p.x));
  conv(weights.post_quant, p);
  conv(w.conv_in, p);
  middle(w.middle, p);
  for (const VqLevel& stage : w.levels) {
    level(stage, p);
    if (stage.resample.weight.outputs > 0) upsample(stage.resample, p);
  }
  finish(w, p);
  be.copy(p.view(p.x), pixels);
  tap_channels_first(trace, "vq.pixels", pixels);
}

void Vq::encode(Tensor pixels, int64_t grid, Workspace& space, std::span<int32_t> codes,
                Trace* trace, const std::function<void()>& between) const {
  const VqTower& w = weights.encoder;
  Workspace::Frame frame(space);
  Canvas p(pixels.shape[0], plane_values(cfg, grid), frame);
  p.side = pixels.shape[1];
  p.channels = 3;
  p.between = between;
  be.copy(pixels, p.view(p.x));
  conv(w.conv_in, p);
  for (const VqLevel& stage : w.levels) {
    level(stage, p);
    if (stage.resample.weight.outputs > 0) conv(stage.resample, p);
  }
  middle(w.middle, p);
  finish(w, p);
  conv(weights.quant, p);
  tap_channels_first(trace, "vq.latent", p.view(p.x));
  const Tensor vectors =
      p.view(p.x).as({static_cast<int64_t>(codes.size()), int64_t{cfg.code_width}});
  make_rows_unit(vectors);
  be.nearest_code(vectors, weights.codebook.view, codes);
}

}  // namespace janus
