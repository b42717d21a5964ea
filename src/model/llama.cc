// SPDX-License-Identifier: MIT
#include "model/llama.h"

#include <cmath>

#include "base/half.h"

namespace janus {

// As the reference computes them: frequencies and angles are rounded to f32 on the way.
// (transformers, models/llama/modeling_llama.py, LlamaRotaryEmbedding)
RopeTable make_rope_table(const LlamaConfig& config, bool round_to_bf16) {
  const int half = config.head_width / 2;
  RopeTable table{OwnedTensor(Dtype::f32, {config.context, half}),
                  OwnedTensor(Dtype::f32, {config.context, half})};
  for (int j = 0; j < half; ++j) {
    const float exponent = static_cast<float>(2 * j) / static_cast<float>(config.head_width);
    float frequency = 1.0f / std::pow(static_cast<float>(config.rope_theta), exponent);
    if (round_to_bf16) frequency = bf16_to_f32(f32_to_bf16(frequency));
    for (int position = 0; position < config.context; ++position) {
      const float angle = static_cast<float>(position) * frequency;
      table.cos.view.row(position)[j] = std::cos(angle);
      table.sin.view.row(position)[j] = std::sin(angle);
    }
  }
  return table;
}

// What one block needs besides the residual stream; shared by all blocks.
struct Llama::Scratch {
  Tensor h;        // [R, D]
  Tensor qkv;      // [R, (N + 2M)·H]
  Tensor q, k, v;  // views into qkv: [R, N·H], [R, M·H] twice
  Tensor a;        // [R, N·H]
  Tensor gate_up;  // [R, 2F]
  Tensor f;        // [R, F]

  template <class Frame>
  Scratch(const LlamaConfig& c, int64_t rows, Frame& frame) {
    const int64_t q_width = int64_t{c.heads} * c.head_width;
    const int64_t kv_width = int64_t{c.kv_heads} * c.head_width;
    h = frame.take({rows, c.width});
    qkv = frame.take({rows, q_width + 2 * kv_width});
    q = qkv.columns(0, q_width);
    k = qkv.columns(q_width, kv_width);
    v = qkv.columns(q_width + kv_width, kv_width);
    a = frame.take({rows, q_width});
    gate_up = frame.take({rows, 2 * int64_t{c.mlp_width}});
    f = frame.take({rows, c.mlp_width});
  }
};

int64_t Llama::scratch_bytes(const LlamaConfig& config, int64_t rows) {
  Workspace::Count count;
  const Scratch scratch(config, rows, count);
  return count.bytes();
}

// One decoder block; x is the residual stream, updated in place.   x [R, D]
void Llama::block(const LlamaBlock& w, const KvLayer& cache, const Rows& rows, const Scratch& s,
                  Tensor x) const {
  const float scale = 1.0f / std::sqrt(static_cast<float>(cfg.head_width));
  be.rms_norm(x, w.attention_norm.weight.view, cfg.rms_eps, s.h);
  be.linear(s.h, w.qkv, s.qkv);
  be.rope(s.q, cfg.heads, rows.position, rope);
  be.rope(s.k, cfg.kv_heads, rows.position, rope);
  be.kv_store(s.k, s.v, rows, cache);
  be.attend(s.q, rows, cache, cfg.heads, scale, s.a);
  be.linear(s.a, w.out, x, Epilogue::add);
  be.rms_norm(x, w.mlp_norm.weight.view, cfg.rms_eps, s.h);
  be.linear(s.h, w.gate_up, s.gate_up);
  be.swiglu(s.gate_up, s.f);
  be.linear(s.f, w.down, x, Epilogue::add);
}

void Llama::forward(Tensor x, const Rows& rows, const KvCache& cache, Workspace& space,
                    Trace* trace) const {
  Workspace::Frame frame(space);
  const Scratch scratch(cfg, x.rows(), frame);
  tap(trace, "lm.embed", x, {x.rows(), cfg.width});
  for (int i = 0; i < cfg.layers; ++i) {
    block(weights.blocks[static_cast<size_t>(i)], cache.layer(i), rows, scratch, x);
    if (trace) tap(trace, "lm.block." + std::to_string(i), x, {x.rows(), cfg.width});
  }
  be.rms_norm(x, weights.final_norm.weight.view, cfg.rms_eps, x);
  tap(trace, "lm.out", x, {x.rows(), cfg.width});
}

}  // namespace janus
