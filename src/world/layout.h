// Puts objects on the canvas: radii and places such that none touch, none leave the canvas, and
// every colour stands out from the backdrop.
// SPDX-License-Identifier: MIT
#pragma once

#include <span>

#include "world/scene.h"

namespace janus {

inline constexpr int kMostObjects = 4;

// Whether held-out combinations may be drawn.
enum class Pairs { all, seen };

// Whether the scene shows what training never does: a held-out pair, or a held-out count of a
// class.
bool shows_held_out(const Scene& scene);

// How many objects a scene has, 1 to kMostObjects.
int draw_count(Philox& random);

// Class and colour, each equally likely among those allowed; place and size are set by lay_out().
Object draw_object(Philox& random, Pairs pairs);

// Palette and kind, each equally likely among those where all of the scene's colours stand out.
void draw_backdrop(Philox& random, Scene& scene);

// Radius, rotation and centre for each of the scene's objects (0 to kMostObjects).
void lay_out(Philox& random, Scene& scene);

// The same for one or two objects that words call small (0) or big (1), one word each.
void lay_out(Philox& random, Scene& scene, std::span<const int> sizes);

// Objects of one radius in a row from left to right, upright; `places` from 2 to 5, of which the
// scene's objects take the first.
void lay_out_row(Philox& random, Scene& scene, int places);

}  // namespace janus
