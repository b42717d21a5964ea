// The exact detector: reads the scene back from pixels alone, with no learning, so that a drawn
// picture gets a verdict. Backdrop by comparison with all of them, objects as connected components
// off the backdrop, class by silhouette, colour by the median of the part in the main colour.
// SPDX-License-Identifier: MIT
#pragma once

#include <memory>
#include <vector>

#include "io/image.h"
#include "world/mask.h"
#include "world/scene.h"

namespace janus {

struct Found {
  int shape;  // index into kShapes; -1: something, but no class matches
  int colour;
  double cx, cy, r;   // canvas units
  double confidence;  // overlap (IoU) with the class's silhouette
};

struct Detection {
  int palette;
  int backdrop;
  std::vector<Found> objects;
};

// Holds the backdrops and silhouettes for pictures of one size. detect() may be called from many
// threads at once.
class Detector {
 public:
  // 16 to 512 pixels along each side.
  explicit Detector(int size);
  ~Detector();

  // Throws Code::bad_input if the image is not size x size.
  Detection detect(const Image& image) const;

 private:
  struct Templates;
  Scene nearest_glow(const Image& image) const;
  // One component of the foreground.
  Found identify(const Image& image, Mask mask) const;
  int size_;
  std::unique_ptr<const Templates> templates_;
};

// Every class, colour and the count right, places aside.
bool scene_exact(const Detection& found, const Scene& truth);

}  // namespace janus
