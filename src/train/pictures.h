// Tensors to pictures, contact sheets, and how far a detection agrees with a scene.
// SPDX-License-Identifier: MIT
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "io/image.h"
#include "train/shown.h"
#include "train/torch.h"
#include "world/detect.h"

namespace janus::train {

// Values [3, S, S] in -1..1 to 8 bits, by truncation as the reference does.
Image to_image(const torch::Tensor& values);

// Pictures of one size side by side, `columns` a row, as the PNG dir / file.
Shown write_grid(const std::filesystem::path& dir, const std::string& file,
                 const std::vector<Image>& pictures, int columns);

// Of the scene's objects, those whose nearest found object has the right class or colour.
struct Agreement {
  int64_t classes = 0;
  int64_t colours = 0;
};
// `reach`: how far off, in radii of the object, the found one may be.
Agreement agree(const Detection& found, const Scene& scene, double reach = 1);

}  // namespace janus::train
