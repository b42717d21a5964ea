// Puts objects on the canvas: radii and places such that none touch, none leave the canvas, and
// every colour stands out from the backdrop.
// SPDX-License-Identifier: MIT
#pragma once

#include "world/scene.h"

namespace janus {

inline constexpr int kMostObjects = 4;

// Whether held-out combinations may be drawn.
enum class Pairs { all, seen };

// Class and colour, each equally likely among those allowed; place and size are set by lay_out().
Object draw_object(Philox& random, Pairs pairs);

// Palette and kind, each equally likely among those where all of the scene's colours stand out.
void draw_backdrop(Philox& random, Scene& scene);

// Radius, rotation and centre for each of the scene's objects (0 to kMostObjects).
void lay_out(Philox& random, Scene& scene);

}  // namespace janus
