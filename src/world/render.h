// Draws a scene: glossy toys with soft shadows on a paper backdrop, anti-aliased. A pure function;
// the same pixels on every call and thread. World/detect.h is its inverse.
// SPDX-License-Identifier: MIT
#pragma once

#include <vector>

#include "io/image.h"
#include "world/scene.h"

namespace janus {

struct Rendering {
  Image image;                  // size x size
  std::vector<float> coverage;  // [size * size] 0..1: how much of the pixel an object covers
};

// `size` pixels along each side, 16 to 2048.
Rendering render(const Scene& scene, int size);

}  // namespace janus
