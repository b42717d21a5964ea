// Yes-or-no pictures: connected components, holes, borders, and the 48 x 48 frame in which the
// detector compares silhouettes of any size and place.
// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace janus {

struct Mask {
  explicit Mask(int pixels)
      : size(pixels), on(static_cast<size_t>(pixels) * static_cast<size_t>(pixels)) {}
  size_t at(int x, int y) const {
    return static_cast<size_t>(y) * static_cast<size_t>(size) + static_cast<size_t>(x);
  }

  int size;
  std::vector<uint8_t> on;  // [size * size], 0 or 1
};

// The 8-connected components of at least `least_area` pixels. Those that lie in a hole of another
// are part of that one: soft pictures break a window or an eye off its object.
std::vector<Mask> components(const Mask& mask, double least_area);

// Fills holes smaller than `share` of the mask's area.
void fill_small_holes(Mask& mask, double share);

// Takes the outermost layer of pixels away.
Mask peel(const Mask& mask);

// Where a mask lies: centroid in pixels (of pixel centres, .5 for the first), and the area.
struct Pose {
  double cx = 0, cy = 0, area = 0;
};
Pose pose_of(const Mask& mask);

inline constexpr int kFrame = 48;          // cells along each side
inline constexpr double kFrameSpan = 1.6;  // the frame reaches this far, in sqrt(area / 2)

using Frame = std::array<uint64_t, kFrame>;  // bit x of row y

// Place of a frame's cell (0 .. kFrame - 1) in pixels, the frame turned by `rot` about the
// centroid.
struct Place {
  double x, y;
};
Place cell_place(const Pose& pose, double rot, int cell_x, int cell_y);

// The mask as seen in its frame, sampled bilinearly.
Frame frame_of(const Mask& mask, const Pose& pose, double rot);

// Shared cells over covered cells.
double overlap(const Frame& a, const Frame& b);

}  // namespace janus
