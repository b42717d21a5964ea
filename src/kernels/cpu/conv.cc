// Convolutions on the processor: as products over windows, or by Winograd's tiles where these need
// fewer multiplications than they cost in transforms. Which, follows from the shapes of one image
// alone, so that no neighbour in a batch can change a bit.
// SPDX-License-Identifier: MIT
#include <algorithm>

#include "kernels/cpu/backend.h"

namespace janus {
namespace {

using cpu::kPanel;
using cpu::kTileSide;
using cpu::kTileSpots;

// Tiles in one image.
int64_t tiles_of_image(const cpu::Windows& x) {
  return split(x.out_width, kTileSide) * split(x.out_height, kTileSide);
}

bool by_tiles(const cpu::Windows& x) {
  // Below, transforming the filters of the call costs more than it saves.
  constexpr int64_t kFewestTiles = 64;
  constexpr int64_t kFewestChannels = 16;  // below, transforming the windows does
  return x.kernel == 3 && x.stride == 1 && x.channels >= kFewestChannels &&
         tiles_of_image(x) >= kFewestTiles;
}

// Tiles of one piece, so that their windows (kTileSpots numbers a channel) stay in the second-level
// cache.
int64_t tiles_of_piece(int64_t channels) {
  constexpr int64_t kFloats = 112 * 1024;
  constexpr int64_t kMultiple = 12;  // whole tiles of rows at every level
  return std::clamp<int64_t>(kFloats / (kTileSpots * channels) / kMultiple, 1, 8) * kMultiple;
}

// Pieces after which who waits may have its turn: some 20 ms of a slow machine, and still so many
// that its threads end at about the same time.
int64_t pieces_of_turn(int64_t tiles, int64_t channels, int64_t outputs) {
  constexpr int64_t kProducts = 1'000'000'000;
  return std::max<int64_t>(kProducts / (tiles * kTileSpots * channels * outputs), 32);
}

// Floats of one panel of filters: those of a tile, a channel and an output.
int64_t filter_floats(int64_t channels) { return kTileSpots * channels * kPanel; }

// Panels of filters after which who waits may have its turn: their memory, the first time, is what
// the system takes long to give.
int64_t turn_of_panels(int64_t floats) {
  constexpr int64_t kFloats = 1 << 20;
  return std::max<int64_t>(kFloats / floats, 1);
}

// Calls work(begin, end) over [0, n) in turns; who waits may have its own after each but the last.
template <class Work>
void in_turns(int64_t n, int64_t turn, const Backend::Pause& between, const Work& work) {
  if (!between) return work(int64_t{0}, n);
  for (int64_t begin = 0; begin < n; begin += turn) {
    if (begin > 0) between();
    work(begin, std::min(n, begin + turn));
  }
}

}  // namespace

// Whether the pictures are large enough for tiles is not known here.
int64_t CpuBackend::do_filter_bytes(int kernel, int64_t channels, int64_t outputs) const {
  return kernel == 3 ? bytes_of(Dtype::f32, split(outputs, kPanel) * filter_floats(channels)) : 0;
}

void CpuBackend::convolve_tiles(const cpu::MatmulArgs& args, int64_t images,
                                const Pause& between) const {
  const int64_t panels = split(args.outputs, kPanel);
  const int64_t panel_floats = filter_floats(args.x.channels);
  const std::lock_guard lock(filters_->in_use);
  const int64_t bytes = panels * panel_floats * int64_t{sizeof(float)};
  if (filters_->memory.bytes() < bytes) {
    filters_->memory = {};
    filters_->memory = Buffer::untouched(bytes);
  }
  auto* filters = reinterpret_cast<float*>(filters_->memory.data());
  in_turns(panels, turn_of_panels(panel_floats), between, [&](int64_t first, int64_t last) {
    workers_->run(last - first, 1, 0, [&](int64_t begin, int64_t end, float*) {
      for (int64_t p = first + begin; p < first + end; ++p) {
        table_.winograd_filters(args, p, filters + p * panel_floats);
      }
    });
  });
  if (between) between();
  const int64_t tiles = images * tiles_of_image(args.x);
  const int64_t piece = tiles_of_piece(args.x.channels);
  const int64_t turn = pieces_of_turn(piece, args.x.channels, args.outputs);
  in_turns(split(tiles, piece), turn, between, [&](int64_t first, int64_t last) {
    workers_->run(last - first, 1, table_.winograd_scratch(args, piece),
                  [&](int64_t begin, int64_t end, float* scratch) {
                    for (int64_t i = first + begin; i < first + end; ++i) {
                      table_.winograd_tiles(args, filters, i * piece,
                                            std::min(tiles, (i + 1) * piece), scratch);
                    }
                  });
  });
}

void CpuBackend::do_conv2d(Tensor x, const Conv& conv, Tensor out, Epilogue epilogue,
                           const Pause& between) const {
  if (out.rows() == 0) return;
  const cpu::Windows windows{.data = x.f32(),
                             .pixel_stride = x.shape[3],
                             .channels = x.shape[3],
                             .height = x.shape[1],
                             .width = x.shape[2],
                             .out_height = out.shape[1],
                             .out_width = out.shape[2],
                             .kernel = conv.kernel,
                             .stride = conv.stride,
                             .pad = conv.pad_before};
  const cpu::MatmulArgs args = product(windows, conv.weight, out, epilogue);
  if (by_tiles(windows)) {
    convolve_tiles(args, x.shape[0], between);
  } else {
    multiply(args, out.rows());
  }
}

}  // namespace janus
