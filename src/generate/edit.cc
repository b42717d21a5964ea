// See edit.h. SPDX-License-Identifier: MIT
#include "generate/edit.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/error.h"
#include "io/resize.h"

namespace janus {

namespace {

using Pixels = std::vector<uint8_t>;

// The mask as cover_and_crop() brings its picture to side × side: a pixel that any redrawn one of
// the mask falls on is redrawn.
Pixels at_model_size(const EditMask& mask, int side) {
  const int shorter = std::min(mask.width, mask.height);
  const double scale = static_cast<double>(shorter) / side;
  const double left = (mask.width - shorter) / 2.0, top = (mask.height - shorter) / 2.0;
  const auto range = [&](int at, double begin, int limit) {
    const auto first = static_cast<int>(std::floor(begin + at * scale));
    const auto last = static_cast<int>(std::ceil(begin + (at + 1) * scale));
    return std::pair(std::clamp(first, 0, limit - 1), std::clamp(last, 1, limit));
  };
  Pixels result(static_cast<size_t>(side) * static_cast<size_t>(side));
  for (int y = 0; y < side; ++y) {
    const auto [y0, y1] = range(y, top, mask.height);
    for (int x = 0; x < side; ++x) {
      const auto [x0, x1] = range(x, left, mask.width);
      bool any = false;
      for (int row = y0; row < y1 && !any; ++row) {
        const auto* at = mask.redraw.data() + static_cast<size_t>(row) * mask.width;
        any = std::any_of(at + x0, at + x1, [](uint8_t v) { return v != 0; });
      }
      result[static_cast<size_t>(y) * side + x] = any ? 1 : 0;
    }
  }
  return result;
}

// Codes whose cell a redrawn pixel touches do not stand.
Pixels kept_cells(const Pixels& redraw, int side, int grid) {
  Pixels keeps(static_cast<size_t>(grid) * grid, 1);
  const int cell = side / grid;
  for (int y = 0; y < side; ++y) {
    for (int x = 0; x < side; ++x) {
      if (redraw[static_cast<size_t>(y) * side + x] == 0) continue;
      keeps[static_cast<size_t>(y / cell) * grid + x / cell] = 0;
    }
  }
  return keeps;
}

Pixels pixels_of_cells(const Pixels& keeps, int side, int grid) {
  Pixels redraw(static_cast<size_t>(side) * side);
  const int cell = side / grid;
  for (int y = 0; y < side; ++y) {
    for (int x = 0; x < side; ++x) {
      const size_t code = static_cast<size_t>(y / cell) * grid + x / cell;
      redraw[static_cast<size_t>(y) * side + x] = keeps[code] == 0 ? 1 : 0;
    }
  }
  return redraw;
}

// Where pixel `at` of the shifted picture comes from; the picture moved on by `by` pixels, what is
// before it mirrors it.
int source_of(int at, int by, int side) {
  const int from = at - by;
  if (by >= 0) return from >= 0 ? from : std::min(-from - 1, side - 1);
  return from < side ? from : std::max(2 * side - from - 1, 0);
}

// Moves the picture half a frame away from the side that grows; the new cells are redrawn.
void shift(Original& original, Outpaint outpaint, int grid) {
  const int side = original.image.width, by = grid / 2 * (side / grid);
  const bool across = outpaint == Outpaint::left || outpaint == Outpaint::right;
  const bool forward = outpaint == Outpaint::left || outpaint == Outpaint::top;
  const Image before = original.image;
  for (int y = 0; y < side; ++y) {
    for (int x = 0; x < side; ++x) {
      const int fx = across ? source_of(x, forward ? by : -by, side) : x;
      const int fy = across ? y : source_of(y, forward ? by : -by, side);
      const size_t to = static_cast<size_t>(y) * side + x;
      const size_t from = static_cast<size_t>(fy) * side + fx;
      std::copy_n(before.rgb.begin() + static_cast<int64_t>(3 * from), 3,
                  original.image.rgb.begin() + static_cast<int64_t>(3 * to));
      const int along = across ? x : y;
      original.redraw[to] = (forward ? along < by : along >= side - by) ? 1 : 0;
    }
  }
}

void check_edit(const EditRequest& request) {
  const Image& image = request.image;
  check_picture(image);
  check(request.keep >= 0 && request.keep <= 1, Code::bad_input, "keep is ", request.keep,
        "; it must be a share from 0 (draw all anew) to 1 (keep all)");
  if (!request.mask) return;
  const EditMask& mask = *request.mask;
  check(request.outpaint == Outpaint::none, Code::bad_input,
        "a mask and outpainting are two edits; do one after the other");
  check(mask.width == image.width && mask.height == image.height &&
            mask.redraw.size() == static_cast<size_t>(mask.width) * mask.height,
        Code::bad_input, "the mask has ", mask.width, " x ", mask.height,
        " pixels and the picture ", image.width, " x ", image.height,
        "; paint the mask over the picture itself, at its size");
}

}  // namespace

void check_picture(const Image& image) {
  check(image.width > 0 && image.height > 0 &&
            image.rgb.size() == static_cast<size_t>(image.width) * image.height * 3,
        Code::bad_input, "the picture to edit has no pixels, or not 3 bytes for each");
}

int64_t Original::kept() const { return std::accumulate(keeps.begin(), keeps.end(), int64_t{0}); }

Original original_of(const Config& config, const EditRequest& request) {
  check_edit(request);
  const int side = config.image, grid = static_cast<int>(config.grid());
  Original original;
  original.image = cover_and_crop(request.image, side);
  original.redraw.resize(static_cast<size_t>(side) * side);
  if (request.mask) {
    original.redraw = at_model_size(*request.mask, side);
    check(std::count(original.redraw.begin(), original.redraw.end(), 1) > 0, Code::bad_input,
          "the mask redraws nothing of the picture's middle square, which is what is edited; what "
          "is to be redrawn is transparent or, in a mask without transparency, white");
    original.keeps = kept_cells(original.redraw, side, grid);
  } else if (request.outpaint != Outpaint::none) {
    shift(original, request.outpaint, grid);
    original.keeps = kept_cells(original.redraw, side, grid);
  } else {
    original.keeps.resize(static_cast<size_t>(grid) * grid);
    const auto kept = std::llround(request.keep * static_cast<double>(original.keeps.size()));
    std::fill_n(original.keeps.begin(), kept, uint8_t{1});
    original.redraw = pixels_of_cells(original.keeps, side, grid);
  }
  return original;
}

// Euclid's distance as the least over rows of that along the row: a row's own distances are found
// by walking it twice.
std::vector<float> drawn_share(const Original& original, int64_t grid) {
  const int side = original.image.width, cell = side / static_cast<int>(grid);
  std::vector<int> along(original.redraw.size());
  for (int y = 0; y < side; ++y) {
    const size_t row = static_cast<size_t>(y) * side;
    for (int x = 0, last = -side; x < side; ++x) {
      if (original.redraw[row + x] != 0) last = x;
      along[row + x] = x - last;
    }
    for (int x = side - 1, last = 2 * side; x >= 0; --x) {
      if (original.redraw[row + x] != 0) last = x;
      along[row + x] = std::min(along[row + x], last - x);
    }
  }
  std::vector<float> share(original.redraw.size());
  for (int y = 0; y < side; ++y) {
    for (int x = 0; x < side; ++x) {
      int nearest = cell * cell;
      for (int other = std::max(0, y - cell); other <= std::min(side - 1, y + cell); ++other) {
        const int dx = along[static_cast<size_t>(other) * side + x], dy = other - y;
        nearest = std::min(nearest, dx * dx + dy * dy);
      }
      share[static_cast<size_t>(y) * side + x] =
          1 - std::sqrt(static_cast<float>(nearest)) / static_cast<float>(cell);
    }
  }
  return share;
}

void blend(const Original& original, int64_t grid, Image& drawn) {
  const std::vector<float> share = drawn_share(original, grid);
  for (size_t i = 0; i < drawn.rgb.size(); ++i) {
    const float weight = share[i / 3];
    const float value = weight * drawn.rgb[i] + (1 - weight) * original.image.rgb[i];
    drawn.rgb[i] = static_cast<uint8_t>(std::lround(value));
  }
}

}  // namespace janus
