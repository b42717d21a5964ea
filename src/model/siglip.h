// The vision tower that reads pictures: SigLIP's transformer over patches, all rows of the last
// block after the final norm, no pooling. Its adaptor to the language tower is bridge.
// References: deepseek-ai/Janus, janus/models/siglip_vit.py.
// SPDX-License-Identifier: MIT
#pragma once

#include <functional>

#include "kernels/backend.h"
#include "model/config.h"
#include "model/trace.h"
#include "model/weights.h"
#include "model/workspace.h"

namespace janus {

// A view of the parts; cheap to make.  P patches of a picture, D width of the tower.
struct Siglip {
  const Backend& be;
  const VisionConfig& cfg;
  const Weights& weights;

  // pixels [n, S, S, 3] in -1..1 -> x [n·P, D]. `between` is called three times a block.
  void encode(Tensor pixels, Workspace& space, Tensor x, Trace* trace,
              const std::function<void()>& between) const;
  // What that takes of `space`.  rows n·P
  static int64_t scratch_bytes(const VisionConfig& config, int64_t rows);

 private:
  struct Scratch;
  void block(const VisionBlock& w, const Scratch& s, Tensor x,
             const std::function<void()>& between) const;
};

}  // namespace janus
