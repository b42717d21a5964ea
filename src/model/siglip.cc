// SPDX-License-Identifier: MIT
#include "model/siglip.h"

#include <cmath>

namespace janus {

// What one block needs besides the residual stream; shared by all blocks.
struct Siglip::Scratch {
  Tensor h;        // [n·P, D]
  Tensor qkv;      // [n·P, 3D]
  Tensor q, k, v;  // views into qkv, [n·P, D] each
  Tensor a;        // [n·P, D]
  Tensor f;        // [n·P, F]

  template <class Frame>
  Scratch(const VisionConfig& c, int64_t rows, Frame& frame) {
    h = frame.take({rows, c.width});
    qkv = frame.take({rows, 3 * int64_t{c.width}});
    q = qkv.columns(0, c.width);
    k = qkv.columns(c.width, c.width);
    v = qkv.columns(2 * int64_t{c.width}, c.width);
    a = frame.take({rows, c.width});
    f = frame.take({rows, c.mlp_width});
  }
};

int64_t Siglip::scratch_bytes(const VisionConfig& config, int64_t rows) {
  Workspace::Count count;
  const Scratch scratch(config, rows, count);
  return count.bytes();
}

// One encoder block; x is the residual stream, updated in place.   x [n·P, D]
void Siglip::block(const VisionBlock& w, const Scratch& s, Tensor x,
                   const std::function<void()>& between) const {
  const float scale = 1.0f / std::sqrt(static_cast<float>(cfg.width / cfg.heads));
  be.layer_norm(x, w.norm1.weight.view, w.norm1.bias.view, cfg.eps, s.h);
  be.linear(s.h, w.qkv, s.qkv);
  be.attend_full(s.q, s.k, s.v, cfg.tokens(), cfg.heads, scale, s.a);
  be.linear(s.a, w.proj, x, Epilogue::add);
  if (between) between();
  be.layer_norm(x, w.norm2.weight.view, w.norm2.bias.view, cfg.eps, s.h);
  be.linear(s.h, w.fc1, s.f, Epilogue::gelu);
  if (between) between();
  be.linear(s.f, w.fc2, x, Epilogue::add);
  if (between) between();
}

void Siglip::encode(Tensor pixels, Workspace& space, Tensor x, Trace* trace,
                    const std::function<void()>& between) const {
  const int64_t n = pixels.shape[0];
  const std::vector<int64_t> shape = {n, cfg.tokens(), cfg.width};
  Workspace::Frame frame(space);
  const Scratch scratch(cfg, n * cfg.tokens(), frame);
  be.conv2d(pixels, weights.patch_embed, x.as({n, cfg.grid(), cfg.grid(), cfg.width}));
  be.add(x, weights.position_embed.view);
  tap(trace, "vision.embed", x, shape);
  for (int i = 0; i < cfg.layers; ++i) {
    block(weights.vision_blocks[static_cast<size_t>(i)], scratch, x, between);
    if (trace) tap(trace, "vision.block." + std::to_string(i), x, shape);
  }
  be.layer_norm(x, weights.vision_norm.weight.view, weights.vision_norm.bias.view, cfg.eps, x);
  tap(trace, "vision.out", x, shape);
}

}  // namespace janus
