// The outlines of the twenty classes as unions of parts, each a signed distance function (negative
// inside) with a paint. Shared by the renderer and the detector's silhouettes.
// SPDX-License-Identifier: MIT
#pragma once

#include <span>

#include "world/vocabulary.h"

namespace janus {

enum class Paint {
  own,      // the object's colour
  darker,   // times `amount`
  lighter,  // mixed with white by `amount`
  fixed,    // `rgb`, whatever the object's colour
};

struct Part {
  float (*distance)(float x, float y);  // raw frame: about -1..1, y down
  Paint paint = Paint::own;
  float amount = 0;
  Rgb rgb = {};
};

// In painting order: later parts cover earlier ones.
std::span<const Part> shape_parts(int shape);

Rgb part_colour(const Part& part, const Rgb& own);

// From the raw frame to the object's own: the area centroid of the union, and the farthest distance
// of its points from there, so that a normalised shape fits a circle of radius 1 about (0, 0).
struct ShapeFrame {
  float cx, cy, radius;
};
ShapeFrame shape_frame(int shape);

// Signed distance to the union of the parts, in the raw frame.
float shape_distance(int shape, float x, float y);

}  // namespace janus
