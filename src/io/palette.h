// What indices mean in PNG, GIF and BMP: colours of a palette.
// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace janus {

using Colour = std::array<uint8_t, 3>;
using Palette = std::array<Colour, 256>;

// Every index its own grey.
inline Palette greys() {
  Palette palette;
  for (size_t i = 0; i < palette.size(); ++i) palette[i].fill(static_cast<uint8_t>(i));
  return palette;
}

// The colours, of which there are at most 256, and black for indices past them.
inline Palette palette_of(std::span<const Colour> colours) {
  Palette palette{};
  std::copy(colours.begin(), colours.end(), palette.begin());
  return palette;
}

// Colours that begin the ramp of greys. Pillow takes a GIF or BMP of such for one without a
// palette, in which indices past the end are greys too.
inline bool is_ramp(std::span<const Colour> colours) {
  const Palette ramp = greys();
  return std::equal(colours.begin(), colours.end(), ramp.begin());
}

}  // namespace janus
