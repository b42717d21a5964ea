// SPDX-License-Identifier: MIT
#include "apps/sheet.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"

namespace janus {

namespace {

constexpr int kMargin = 6;       // pixels
constexpr uint8_t kPaper = 245;  // grey around the pictures

void paste(const Image& picture, int left, int top, Image& sheet) {
  const size_t row = static_cast<size_t>(picture.width) * 3;
  for (int y = 0; y < picture.height; ++y) {
    const auto from = picture.rgb.begin() + static_cast<ptrdiff_t>(static_cast<size_t>(y) * row);
    const size_t to = (static_cast<size_t>(top + y) * static_cast<size_t>(sheet.width) +
                       static_cast<size_t>(left)) *
                      3;
    std::copy_n(from, row, sheet.rgb.begin() + static_cast<ptrdiff_t>(to));
  }
}

}  // namespace

SheetSize sheet_size(int64_t count, int width, int height) {
  const int columns = static_cast<int>(std::ceil(std::sqrt(static_cast<double>(count))));
  const int rows = static_cast<int>((count + columns - 1) / columns);
  return {columns, columns * (width + kMargin) + kMargin, rows * (height + kMargin) + kMargin};
}

Image contact_sheet(std::span<const Image> pictures) {
  check(!pictures.empty(), Code::bug, "a sheet of no pictures");
  int width = 0;
  int height = 0;
  for (const Image& picture : pictures) {
    width = std::max(width, picture.width);
    height = std::max(height, picture.height);
  }
  const auto count = static_cast<int64_t>(pictures.size());
  const SheetSize size = sheet_size(count, width, height);
  Image sheet;
  sheet.width = size.width;
  sheet.height = size.height;
  sheet.rgb.assign(static_cast<size_t>(sheet.width) * static_cast<size_t>(sheet.height) * 3,
                   kPaper);
  for (int64_t i = 0; i < count; ++i) {
    const int left = kMargin + static_cast<int>(i % size.columns) * (width + kMargin);
    const int top = kMargin + static_cast<int>(i / size.columns) * (height + kMargin);
    paste(pictures[static_cast<size_t>(i)], left, top, sheet);
  }
  return sheet;
}

}  // namespace janus
