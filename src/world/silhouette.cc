// Silhouettes are made from rasterised shapes by the very functions that the detector applies to
// pictures (holes, pose, frame), so that both sides are treated alike.
// SPDX-License-Identifier: MIT
#include "world/silhouette.h"

#include "world/shape.h"

namespace janus {
namespace {

constexpr int kRaster = 160;    // pixels along each side
constexpr double kReach = 1.1;  // the raster spans -kReach .. kReach radii
constexpr int kSteps = 5;       // rotations to each side
constexpr double kStep = .06;   // radians

// Place in the raw frame of a raster position in pixels.
Place raw_place(int shape, double px, double py) {
  const ShapeFrame frame = shape_frame(shape);
  const auto radii = [](double pixel) { return (pixel / kRaster * 2 - 1) * kReach; };
  return {radii(px) * frame.radius + frame.cx, radii(py) * frame.radius + frame.cy};
}

Mask raster(int shape) {
  Mask mask(kRaster);
  for (int y = 0; y < kRaster; ++y) {
    for (int x = 0; x < kRaster; ++x) {
      const Place raw = raw_place(shape, x + .5, y + .5);
      const float d = shape_distance(shape, static_cast<float>(raw.x), static_cast<float>(raw.y));
      mask.on[mask.at(x, y)] = d < 0;
    }
  }
  fill_small_holes(mask, kSmallHole);
  return mask;
}

bool shows_own_colour(int shape, const Place& raw) {
  bool own = false;
  for (const Part& part : shape_parts(shape)) {
    if (part.distance(static_cast<float>(raw.x), static_cast<float>(raw.y)) < 0) {
      own = part.paint == Paint::own;
    }
  }
  return own;
}

// Cells all of whose eight neighbours are set, too.
Frame inner_cells(const Frame& frame) {
  Frame narrow{}, inner{};
  for (size_t y = 0; y < frame.size(); ++y) {
    narrow[y] = frame[y] & (frame[y] << 1) & (frame[y] >> 1);
  }
  for (size_t y = 1; y + 1 < frame.size(); ++y)
    inner[y] = narrow[y - 1] & narrow[y] & narrow[y + 1];
  return inner;
}

Frame own_colour_cells(int shape, const Pose& pose, double rot) {
  Frame cells{};
  for (int y = 0; y < kFrame; ++y) {
    for (int x = 0; x < kFrame; ++x) {
      const Place place = cell_place(pose, rot, x, y);
      if (shows_own_colour(shape, raw_place(shape, place.x, place.y))) {
        cells[static_cast<size_t>(y)] |= uint64_t{1} << x;
      }
    }
  }
  return inner_cells(cells);
}

}  // namespace

std::vector<Silhouette> silhouettes() {
  constexpr double kRadius = kRaster / (2 * kReach);  // of the shape, in raster pixels
  std::vector<Silhouette> bank;
  for (int shape = 0; shape < kShapeCount; ++shape) {
    const Mask mask = raster(shape);
    const Pose pose = pose_of(mask);
    for (int step = -kSteps; step <= kSteps; ++step) {
      const double rot = kStep * step;
      bank.push_back({shape, pose.area / (kRadius * kRadius), frame_of(mask, pose, rot),
                      own_colour_cells(shape, pose, rot)});
    }
  }
  return bank;
}

}  // namespace janus
