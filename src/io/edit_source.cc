// See edit_source.h. SPDX-License-Identifier: MIT
#include "io/edit_source.h"

#include "io/resize.h"

namespace janus {

Image edit_source(const Image& image, int side, EditLayout layout, const Preprocessing& rule) {
  if (layout == EditLayout::janus_4o) return fit_and_pad(image, side, rule.fill, rule.min_side);
  return cover_and_crop(image, side);
}

}  // namespace janus
