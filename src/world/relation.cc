// The rule of GenEval's position check (evaluate_images.py, relative_position) on bounding boxes of
// width and height 2r.
// SPDX-License-Identifier: MIT
#include "world/relation.h"

#include <algorithm>
#include <cmath>

namespace janus {
namespace {

constexpr double kSlack = 0.1;  // share of both widths that an offset must exceed
constexpr double kHolds = 0.5;  // share of the distance
constexpr double kFirstThird = 46, kLastThird = 82;
constexpr double kBigger = 1.25;

double shrunk(double offset, double by) {
  return std::copysign(std::max(std::abs(offset) - by, 0.0), offset);
}

int third(double at) { return at < kFirstThird ? 0 : at > kLastThird ? 2 : 1; }

}  // namespace

std::optional<Relation> relation(const Object& subject, const Object& reference) {
  const double dx = subject.cx - reference.cx, dy = subject.cy - reference.cy;
  const double slack = kSlack * 2 * (subject.r + reference.r);
  const double enough = kHolds * std::sqrt(dx * dx + dy * dy);
  const double x = shrunk(dx, slack), y = shrunk(dy, slack);
  const bool sideways = std::abs(x) > enough, upright = std::abs(y) > enough;
  if (sideways == upright) return std::nullopt;
  if (sideways) return x < 0 ? Relation::left_of : Relation::right_of;
  return y < 0 ? Relation::above : Relation::below;
}

int cell_of(const Object& object) { return 3 * third(object.cy) + third(object.cx); }

bool clearly_bigger(const Object& a, const Object& b) { return a.r >= kBigger * b.r; }

}  // namespace janus
