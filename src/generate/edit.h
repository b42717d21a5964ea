// Editing by keeping: a picture as codes, of which some stand and the others are drawn anew. It
// works with any weights that draw: a code that is chosen and one that is kept are fed alike.
// (What PlanGen does at sampling time: codes outside the region are forced to the source's.)
// S side of a picture drawn · G its codes a row · I = G·G. SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <vector>

#include "januspro/requests.hpp"
#include "model/config.h"

namespace janus {

// The picture to edit as the model sees it, and what of it is drawn anew.
struct Original {
  Image image;                  // S × S
  std::vector<uint8_t> redraw;  // [S·S], 1: this pixel is drawn anew
  std::vector<uint8_t> keeps;   // [I], 1: this code stands; a cell that a redrawn pixel touches
                                // does not

  int64_t kept() const;
};

// Throws Code::bad_input for a picture to edit that has no pixels.
void check_picture(const Image& image);

// The middle square of the picture at the model's size and what `request` leaves of it. Of
// `outpaint`: shifted by half the codes a row, and the new half its mirror image, which is redrawn,
// so that what the codec takes over the whole picture stays what it was. Throws Code::bad_input for
// a picture without pixels, a mask of another size or that redraws nothing, `keep` outside 0 to 1.
Original original_of(const Config& config, const EditRequest& request);

// The share of the drawn picture at each pixel: 1 where it is redrawn, falling with the distance
// to such a pixel to 0 at one cell, S / G pixels.  -> [S·S]
std::vector<float> drawn_share(const Original& original, int64_t grid);

// drawn = share · drawn + (1 - share) · the original, rounded: where nothing is drawn nearby the
// pixels of the original, and no seam.
void blend(const Original& original, int64_t grid, Image& drawn);

}  // namespace janus
