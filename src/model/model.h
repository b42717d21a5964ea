// Model = config + weights + backend: Janus-Pro's two towers, codec and the bridges between them.
// Immutable after load and safe to share; what a request changes lives in KvCache and Workspace.
// Shapes as in kernels/backend.h; S = side of a picture, P = tokens of one picture read, I = codes
// of one picture drawn.
// SPDX-License-Identifier: MIT
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "base/log.h"
#include "base/tensor.h"
#include "kernels/backend.h"
#include "model/checkpoint.h"
#include "model/config.h"
#include "model/kv_cache.h"
#include "model/low_rank.h"
#include "model/parts.h"
#include "model/trace.h"
#include "model/weights.h"
#include "model/workspace.h"

namespace janus {

struct LoadOptions {
  std::filesystem::path checkpoint;  // what Checkpoint opens
  std::shared_ptr<const Backend> backend;
  Dtype weights = Dtype::bf16;  // of matrices; which has which is model/storage.h's
  Parts parts;                  // what is wanted; more than the checkpoint holds is refused
  bool round_rope = false;      // round rotary frequencies to bf16, as the official bf16 scripts do
  std::vector<ScaledAdapter> adapters;  // beside the weights, checked
  std::function<void(double fraction)> on_progress;
  Log log;
};

class Model {
 public:
  using Between = std::function<void()>;

  // Throws Code::bad_checkpoint or Code::not_supported as Checkpoint and load_weights do.
  static Model load(const LoadOptions& options);
  // From a checkpoint that is open already; options.checkpoint is not read.
  static Model load(const Checkpoint& checkpoint, const LoadOptions& options);
  // The same with sizes and values from elsewhere.
  static Model from(const Config& config, const TensorSource& source, const LoadOptions& options);

  const Config& config() const;
  const Parts& parts() const;  // what was loaded; the calls below refuse to do without their part
  const Backend& backend() const;
  const Weights& weights() const;

  // --- reading ---------------------------------------------------------------------------------
  // pixels [n, S, S, 3] in -1..1 -> vision tower -> adaptor -> out [n·P, D]. `between` is called
  // after every block, so that a caller can stop, or do other work with another workspace.
  // Taps: vision.embed, vision.block.I, vision.out, aligner.out, [n, P, …] each.
  void read_images(Tensor pixels, Workspace& space, Tensor out, Trace* trace = nullptr,
                   const Between& between = {}) const;

  // --- language tower --------------------------------------------------------------------------
  void embed_text(std::span<const int32_t> ids, Tensor out) const;  // [R] -> [R, D]
  void embed_codes(std::span<const int32_t> codes, Workspace& space, Tensor out) const;
  // x [R, D]: embeddings in, hidden states after the final norm out. New keys and values go into
  // the cache at (sequence, position) of each row. Taps: lm.embed, lm.block.I, lm.out.
  void forward(Tensor x, const Rows& rows, KvCache& cache, Workspace& space,
               Trace* trace = nullptr) const;
  void text_logits(Tensor hidden, Tensor out) const;                     // [R, D] -> [R, V]
  void image_logits(Tensor hidden, Workspace& space, Tensor out) const;  // [R, D] -> [R, C]

  // --- image codec -----------------------------------------------------------------------------
  // codes [n·I] -> pixels [n, S, S, 3] before clamping. Code::bad_input for a code outside the
  // codebook. `between` is called after every convolution and in the midst of large ones. Taps:
  // vq.codes [E, G, G], vq.pixels [3, S, S]; several pictures: n in front.
  void decode_image(std::span<const int32_t> codes, Workspace& space, Tensor pixels,
                    Trace* trace = nullptr, const Between& between = {}) const;
  // pixels [n, S, S, 3] in -1..1 -> codes [n·I]; `between` as above. Taps: vq.latent [E, G, G],
  // vq.ids [I].
  void encode_image(Tensor pixels, Workspace& space, std::span<int32_t> codes,
                    Trace* trace = nullptr, const Between& between = {}) const;

 private:
  struct Loaded;
  std::shared_ptr<const Loaded> loaded_;
};

}  // namespace janus
