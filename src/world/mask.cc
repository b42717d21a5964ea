// Flood fills with an explicit stack; sizes are those of small pictures, so plain loops do.
// SPDX-License-Identifier: MIT
#include "world/mask.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <utility>

namespace janus {
namespace {

struct Region {
  std::vector<size_t> pixels;
  bool at_border = false;  // reaches the edge of the picture
};

// The connected regions of pixels equal to `value`, with 4 or 8 neighbours.
std::vector<Region> regions(const Mask& mask, uint8_t value, int neighbours) {
  constexpr std::array<std::pair<int, int>, 8> kSteps = {
      {{1, 0}, {-1, 0}, {0, 1}, {0, -1}, {1, 1}, {1, -1}, {-1, 1}, {-1, -1}}};
  std::vector<Region> found;
  std::vector<uint8_t> seen(mask.on.size());
  const size_t width = static_cast<size_t>(mask.size);
  for (size_t start = 0; start < mask.on.size(); ++start) {
    if (seen[start] || mask.on[start] != value) continue;
    Region region;
    region.pixels.push_back(start);
    seen[start] = 1;
    // Pixels already collected serve as the queue.
    for (size_t next = 0; next < region.pixels.size(); ++next) {
      const int x = static_cast<int>(region.pixels[next] % width);
      const int y = static_cast<int>(region.pixels[next] / width);
      for (size_t step = 0; step < static_cast<size_t>(neighbours); ++step) {
        const int nx = x + kSteps[step].first, ny = y + kSteps[step].second;
        if (nx < 0 || ny < 0 || nx >= mask.size || ny >= mask.size) {
          region.at_border = true;
          continue;
        }
        const size_t at = mask.at(nx, ny);
        if (seen[at] || mask.on[at] != value) continue;
        seen[at] = 1;
        region.pixels.push_back(at);
      }
    }
    found.push_back(std::move(region));
  }
  return found;
}

std::vector<Region> holes(const Mask& mask) {
  std::vector<Region> found = regions(mask, 0, 4);
  std::erase_if(found, [](const Region& region) { return region.at_border; });
  return found;
}

// The index of the component one of whose holes holds `pixel`, or `none`.
size_t holder(const std::vector<std::vector<uint8_t>>& enclosed, size_t pixel, size_t none) {
  for (size_t i = 0; i < enclosed.size(); ++i) {
    if (enclosed[i][pixel]) return i;
  }
  return none;
}

}  // namespace

std::vector<Mask> components(const Mask& mask, double least_area) {
  std::vector<Mask> parts;
  std::vector<size_t> firsts;                  // one pixel of each part
  std::vector<std::vector<uint8_t>> enclosed;  // pixels in its holes
  for (const Region& region : regions(mask, 1, 8)) {
    if (static_cast<double>(region.pixels.size()) < least_area) continue;
    Mask part(mask.size);
    for (const size_t at : region.pixels) part.on[at] = 1;
    std::vector<uint8_t> inside(mask.on.size());
    for (const Region& hole : holes(part)) {
      for (const size_t at : hole.pixels) inside[at] = 1;
    }
    parts.push_back(std::move(part));
    firsts.push_back(region.pixels.front());
    enclosed.push_back(std::move(inside));
  }
  std::vector<Mask> merged;
  for (size_t i = 0; i < parts.size(); ++i) {
    if (holder(enclosed, firsts[i], parts.size()) != parts.size()) continue;
    for (size_t j = 0; j < parts.size(); ++j) {
      if (!enclosed[i][firsts[j]]) continue;
      for (size_t at = 0; at < mask.on.size(); ++at) parts[i].on[at] |= parts[j].on[at];
    }
    merged.push_back(parts[i]);
  }
  return merged;
}

void fill_small_holes(Mask& mask, double share) {
  const double limit = share * pose_of(mask).area;
  for (const Region& hole : holes(mask)) {
    if (static_cast<double>(hole.pixels.size()) >= limit) continue;
    for (const size_t at : hole.pixels) mask.on[at] = 1;
  }
}

Mask peel(const Mask& mask) {
  Mask inner(mask.size);
  for (int y = 1; y + 1 < mask.size; ++y) {
    for (int x = 1; x + 1 < mask.size; ++x) {
      inner.on[mask.at(x, y)] = mask.on[mask.at(x, y)] & mask.on[mask.at(x - 1, y)] &
                                mask.on[mask.at(x + 1, y)] & mask.on[mask.at(x, y - 1)] &
                                mask.on[mask.at(x, y + 1)];
    }
  }
  return inner;
}

Pose pose_of(const Mask& mask) {
  Pose pose;
  for (int y = 0; y < mask.size; ++y) {
    for (int x = 0; x < mask.size; ++x) {
      if (!mask.on[mask.at(x, y)]) continue;
      pose.cx += x + .5;
      pose.cy += y + .5;
      pose.area += 1;
    }
  }
  if (pose.area > 0) {
    pose.cx /= pose.area;
    pose.cy /= pose.area;
  }
  return pose;
}

Place cell_place(const Pose& pose, double rot, int cell_x, int cell_y) {
  const double scale = std::sqrt(pose.area / 2) * kFrameSpan;
  const double x = scale * ((cell_x + .5) * 2 / kFrame - 1);
  const double y = scale * ((cell_y + .5) * 2 / kFrame - 1);
  const double cosine = std::cos(rot), sine = std::sin(rot);
  return {pose.cx + x * cosine + y * sine, pose.cy + y * cosine - x * sine};
}

Frame frame_of(const Mask& mask, const Pose& pose, double rot) {
  const auto value = [&](int x, int y) -> double {
    if (x < 0 || y < 0 || x >= mask.size || y >= mask.size) return 0;
    return mask.on[mask.at(x, y)];
  };
  Frame frame{};
  for (int cell_y = 0; cell_y < kFrame; ++cell_y) {
    for (int cell_x = 0; cell_x < kFrame; ++cell_x) {
      const Place place = cell_place(pose, rot, cell_x, cell_y);
      const double left = std::floor(place.x - .5), top = std::floor(place.y - .5);
      const double fx = place.x - .5 - left, fy = place.y - .5 - top;
      const int x = static_cast<int>(left), y = static_cast<int>(top);
      const double mixed = (1 - fy) * ((1 - fx) * value(x, y) + fx * value(x + 1, y)) +
                           fy * ((1 - fx) * value(x, y + 1) + fx * value(x + 1, y + 1));
      if (mixed > .5) frame[static_cast<size_t>(cell_y)] |= uint64_t{1} << cell_x;
    }
  }
  return frame;
}

double overlap(const Frame& a, const Frame& b) {
  int shared = 0, covered = 0;
  for (size_t row = 0; row < a.size(); ++row) {
    shared += std::popcount(a[row] & b[row]);
    covered += std::popcount(a[row] | b[row]);
  }
  return covered == 0 ? 0 : static_cast<double>(shared) / covered;
}

}  // namespace janus
