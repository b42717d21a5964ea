// A contact sheet: several pictures as one, in reading order.
// SPDX-License-Identifier: MIT
#pragma once

#include <span>

#include "januspro/image.hpp"

namespace janus {

// Rows of equal length, as square as can be, with a light margin around every picture; each cell is
// as large as the largest picture.
Image contact_sheet(std::span<const Image> pictures);

}  // namespace janus
