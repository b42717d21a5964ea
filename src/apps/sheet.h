// A contact sheet: several pictures as one, in reading order.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <span>

#include "januspro/image.hpp"

namespace janus {

struct SheetSize {
  int columns = 0;
  int width = 0;
  int height = 0;
};

// The sheet of `count` pictures, the largest of them `width` x `height`.
SheetSize sheet_size(int64_t count, int width, int height);

// Rows of equal length, as square as can be, with a light margin around every picture; each cell is
// as large as the largest picture.
Image contact_sheet(std::span<const Image> pictures);

}  // namespace janus
