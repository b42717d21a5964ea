// SPDX-License-Identifier: MIT
#include "model/bridge.h"

namespace janus {

// Linear layers with GELU between.  x [R, K] -> out [R, D]
void Bridge::project(const std::vector<Weight>& layers, Tensor x, Workspace& space,
                     Tensor out) const {
  Workspace::Frame frame(space);
  for (size_t i = 0; i + 1 < layers.size(); ++i) {
    const Tensor h = frame.take({x.rows(), layers[i].outputs});
    be.linear(x, layers[i], h, Epilogue::gelu);
    x = h;
  }
  be.linear(x, layers.back(), out);
}

int64_t Bridge::project_scratch(int depth, int64_t rows, int64_t width) {
  Workspace::Count count;
  for (int i = 0; i + 1 < depth; ++i) count.take({rows, width});
  return count.bytes();
}

void Bridge::embed_text(std::span<const int32_t> ids, Tensor out) const {
  be.gather(weights.embed_text, ids, out);
}

void Bridge::embed_codes(std::span<const int32_t> codes, Workspace& space, Tensor out) const {
  Workspace::Frame frame(space);
  const Tensor vectors = frame.take({static_cast<int64_t>(codes.size()), weights.embed_code.width});
  be.gather(weights.embed_code, codes, vectors);
  project(weights.gen_aligner, vectors, space, out);
}

void Bridge::adapt_vision(Tensor vision, Workspace& space, Tensor out) const {
  project(weights.aligner, vision, space, out);
}

void Bridge::text_logits(Tensor hidden, Tensor out) const {
  be.linear(hidden, weights.text_head, out);
}

void Bridge::image_logits(Tensor hidden, Workspace& space, Tensor out) const {
  Workspace::Frame frame(space);
  const Tensor h = frame.take({hidden.rows(), weights.gen_hidden.outputs});
  be.linear(hidden, weights.gen_hidden, h, Epilogue::gelu);
  be.linear(h, weights.gen_logits, out);
}

}  // namespace janus
