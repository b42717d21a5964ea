// See pictures.h.
// SPDX-License-Identifier: MIT
#include "train/pictures.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "io/file.h"

namespace janus::train {

Image to_image(const torch::Tensor& values) {
  Image image;
  image.height = static_cast<int>(values.size(1));
  image.width = static_cast<int>(values.size(2));
  const torch::Tensor bytes =
      ((values.detach().to(torch::kFloat) + 1) / 2 * 255).clamp(0, 255).to(torch::kByte);
  const torch::Tensor rows = bytes.permute({1, 2, 0}).contiguous();  // [S, S, 3]
  const auto* data = rows.data_ptr<uint8_t>();
  image.rgb.assign(data, data + rows.numel());
  return image;
}

Shown write_grid(const std::filesystem::path& dir, const std::string& file,
                 const std::vector<Image>& pictures, int columns) {
  check(!pictures.empty() && columns > 0, Code::bug, "write_grid: nothing to show");
  const int width = pictures.front().width;
  const int height = pictures.front().height;
  const int rows = (static_cast<int>(pictures.size()) + columns - 1) / columns;
  Image sheet;
  sheet.width = columns * width;
  sheet.height = rows * height;
  sheet.rgb.assign(static_cast<size_t>(sheet.width) * sheet.height * 3, 255);
  for (size_t i = 0; i < pictures.size(); ++i) {
    const int left = static_cast<int>(i) % columns * width;
    const int top = static_cast<int>(i) / columns * height;
    for (int y = 0; y < height; ++y) {
      const auto begin = pictures[i].rgb.begin() + static_cast<ptrdiff_t>(y) * width * 3;
      std::copy_n(begin, width * 3,
                  sheet.rgb.begin() + (static_cast<ptrdiff_t>(top + y) * sheet.width + left) * 3);
    }
  }
  write_atomically(dir / file, encode_image(sheet));
  Shown shown;
  shown.picture = file;
  shown.columns = columns;
  shown.width = sheet.width;
  shown.height = sheet.height;
  return shown;
}

Agreement agree(const Detection& found, const Scene& scene, double reach) {
  Agreement agreement;
  for (const Object& object : scene.objects) {
    const auto distance = [&](const Found& f) {
      return std::hypot(f.cx - object.cx, f.cy - object.cy);
    };
    const auto nearest =
        std::min_element(found.objects.begin(), found.objects.end(),
                         [&](const Found& a, const Found& b) { return distance(a) < distance(b); });
    if (nearest == found.objects.end() || distance(*nearest) > reach * object.r) continue;
    agreement.classes += nearest->shape == object.shape;
    agreement.colours += nearest->colour == object.colour;
  }
  return agreement;
}

}  // namespace janus::train
