// A scene of Toyland: a backdrop and the objects on it, in canvas units (128 x 128 at every
// resolution, x to the right, y down). A scene is a pure function of (version, split, task, index);
// its record is the canonical text from which every score can be recomputed.
// Sampling is in world/layout.h and world/tasks.h, drawing in world/render.h.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/rng.h"
#include "world/vocabulary.h"

namespace janus {

inline constexpr int kWorldVersion = 1;
inline constexpr double kCanvas = 128;                                  // units along each side
inline constexpr double kGlowX = .5 * kCanvas, kGlowY = .42 * kCanvas;  // of a glow, mostly

struct Object {
  int shape = 0;          // index into kShapes
  int colour = 0;         // index into kColours
  double cx = 0, cy = 0;  // centroid
  double r = 0;           // the whole shape lies within r of its centroid
  double rot = 0;         // radians, positive = clockwise on screen
};

struct Scene {
  int palette = 0;              // index into kPalettes
  int backdrop = 0;             // index into kBackdrops
  std::vector<Object> objects;  // none touch
  // Where a glow is brightest, in units.
  double glow_x = kGlowX, glow_y = kGlowY;
};

enum class Split { train, val, test };
std::string_view split_name(Split split);

// The random numbers of one sample.
Philox world_stream(Split split, std::string_view task, uint64_t index);

// One JSON object on one line: keys in fixed order, numbers with four decimals.
std::string scene_record(const Scene& scene, Split split, std::string_view task, uint64_t index);

}  // namespace janus
