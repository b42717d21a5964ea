// The small parts between the towers: token and code embeddings, the two adaptors and the image
// head. References: deepseek-ai/Janus, janus/models/{projector,modeling_vlm}.py.
// SPDX-License-Identifier: MIT
#pragma once

#include <span>
#include <vector>

#include "kernels/backend.h"
#include "model/weights.h"
#include "model/workspace.h"

namespace janus {

// A view of the parts; cheap to make.  R rows, D width of the language tower.
struct Bridge {
  const Backend& be;
  const Weights& weights;

  void embed_text(std::span<const int32_t> ids, Tensor out) const;  // [R] -> [R, D]
  // A code's raw vector through the drawing adaptor.  [R] -> [R, D]
  void embed_codes(std::span<const int32_t> codes, Workspace& space, Tensor out) const;
  // The vision tower's rows through the reading adaptor.  [R, D_vision] -> [R, D]
  void adapt_vision(Tensor vision, Workspace& space, Tensor out) const;
  // What an adaptor of that many layers takes of a workspace between them.
  static int64_t project_scratch(int depth, int64_t rows, int64_t width);
  void text_logits(Tensor hidden, Tensor out) const;                     // [R, D] -> [R, V]
  void image_logits(Tensor hidden, Workspace& space, Tensor out) const;  // [R, D] -> [R, C]

 private:
  void project(const std::vector<Weight>& layers, Tensor x, Workspace& space, Tensor out) const;
};

}  // namespace janus
