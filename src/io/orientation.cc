// See orientation.h. SPDX-License-Identifier: MIT
#include "io/orientation.h"

#include <algorithm>
#include <cstddef>

namespace janus {

Image turned_upright(Image image, int orientation) {
  if (orientation < 2 || orientation > 8) return image;
  // Row and column of the stored picture change places, and either may run backwards.
  const bool lies = orientation >= 5;
  const bool flip_x = orientation == 2 || orientation == 3 || orientation >= 7;
  const bool flip_y = orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
  const auto width = static_cast<ptrdiff_t>(image.width);
  const auto height = static_cast<ptrdiff_t>(image.height);
  // Distance in the stored picture of one step right, and of one step down, in the upright one.
  const ptrdiff_t along_x = flip_x ? -3 : 3;
  const ptrdiff_t along_y = flip_y ? -3 * width : 3 * width;
  const ptrdiff_t first = (flip_x ? (width - 1) * 3 : 0) + (flip_y ? (height - 1) * width * 3 : 0);
  const ptrdiff_t right = lies ? along_y : along_x;
  const ptrdiff_t down = lies ? along_x : along_y;
  Image upright{.width = lies ? image.height : image.width,
                .height = lies ? image.width : image.height,
                .rgb = std::vector<uint8_t>(image.rgb.size())};
  uint8_t* to = upright.rgb.data();
  for (ptrdiff_t y = 0; y < upright.height; ++y) {
    for (ptrdiff_t x = 0; x < upright.width; ++x, to += 3) {
      std::copy_n(image.rgb.data() + first + y * down + x * right, 3, to);
    }
  }
  return upright;
}

}  // namespace janus
