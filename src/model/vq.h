// The image codec: codes -> pixels and pixels -> codes, convolutions with a little attention at the
// lowest resolution. References: deepseek-ai/Janus, janus/models/vq_model.py (LlamaGen's VQ-16).
// Letters: S side of a picture, G side of its grid of codes, E code vector, c channels.
// SPDX-License-Identifier: MIT
#pragma once

#include <functional>
#include <span>

#include "kernels/backend.h"
#include "model/config.h"
#include "model/trace.h"
#include "model/weights.h"
#include "model/workspace.h"

namespace janus {

// Pictures on their way through the codec: the current values and two spare planes of equal size.
// Three planes of the largest size are all the memory the codec needs.
struct Canvas {
  int64_t n, side = 0, channels = 0;
  Tensor x, a, b;                      // flat; x holds [n, side, side, channels]
  std::function<void()> between = {};  // called after every layer, and in the midst of large ones

  void pause() const {
    if (between) between();
  }

  template <class Frame>
  Canvas(int64_t pictures, int64_t plane_values, Frame& frame)
      : n(pictures),
        x(frame.take({n * plane_values})),
        a(frame.take({n * plane_values})),
        b(frame.take({n * plane_values})) {}

  Tensor view(Tensor plane, int64_t side_, int64_t channels_) const;
  Tensor view(Tensor plane) const { return view(plane, side, channels); }
};

// A view of the parts; cheap to make.
struct Vq {
  const Backend& be;
  const VqConfig& cfg;
  const Weights& weights;

  // codes [n·G·G] -> pixels [n, S, S, 3] before clamping. `between`: see Canvas.
  void decode(std::span<const int32_t> codes, int64_t grid, Workspace& space, Tensor pixels,
              Trace* trace, const std::function<void()>& between) const;
  // pixels [n, S, S, 3] in -1..1 -> codes [n·G·G]
  void encode(Tensor pixels, int64_t grid, Workspace& space, std::span<int32_t> codes, Trace* trace,
              const std::function<void()>& between) const;

  // What either takes of `space` for n pictures.
  static int64_t scratch_bytes(const VqConfig& config, int64_t n, int64_t grid);

  // How many pictures go through at once: as many as take the memory of one published picture.
  int64_t pictures_at_once(int64_t grid) const;

 private:
  // Of the largest plane of one picture.
  static int64_t plane_values(const VqConfig& config, int64_t grid);
  void convolve(Tensor x, const Conv& w, Tensor out, Epilogue epilogue, const Canvas& p) const;
  void conv(const Conv& w, Canvas& p) const;
  void norm(const Norm& w, Tensor from, Tensor to, bool silu, const Canvas& p) const;
  void residual(const VqResidual& w, Canvas& p) const;
  void attention(const VqAttention& w, Canvas& p) const;
  void middle(const VqMiddle& w, Canvas& p) const;
  void level(const VqLevel& w, Canvas& p) const;
  void upsample(const Conv& w, Canvas& p) const;
  void finish(const VqTower& w, Canvas& p) const;
};

}  // namespace janus
