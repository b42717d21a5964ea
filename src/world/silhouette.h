// The bank of silhouettes the detector compares with: every class, at eleven rotations, in frames
// of equal area; and for each the cells that show the object's own colour.
// SPDX-License-Identifier: MIT
#pragma once

#include <vector>

#include "world/mask.h"

namespace janus {

struct Silhouette {
  int shape;
  double area;  // of the shape of radius 1
  Frame frame;
  Frame own_colour;  // cells whose top part has the object's colour, a cell's width from others
};

std::vector<Silhouette> silhouettes();

// Holes below this share of an object are light windows and eyes, not the shape; the ring's hole is
// 22 hundredths.
inline constexpr double kSmallHole = .06;

}  // namespace janus
