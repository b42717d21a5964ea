// Scenes as somebody would arrange them, for a model whose pictures ought to please: thirds, rows,
// pairs, one thing large beside others small; two colours and a backdrop that go together; a glow
// behind what it is about. All rules of world/layout.h hold. SPDX-License-Identifier: MIT
#pragma once

#include <span>
#include <vector>

#include "world/scene.h"

namespace janus {

// Of what a scene is about, of what stands by, and of the backdrop.
struct Harmony {
  int subject = 0, companion = 0;  // index into kColours
  int palette = 0;                 // index into kPalettes
};
// Each colour as often as any other in either place, and each palette.
std::span<const Harmony> harmonies();

// A scene of 1 to kMostObjects objects, all but their classes. Subjects come before companions.
Scene compose(Philox& random, int count);

// Small (0) or big (1) of each object where words may call all of one or two so, else nothing.
std::vector<int> sizes_told(const std::vector<Object>& objects);

}  // namespace janus
