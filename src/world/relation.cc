// The rule of GenEval's position check (evaluate_images.py, relative_position) on bounding boxes of
// width and height 2r.
// SPDX-License-Identifier: MIT
#include "world/relation.h"

#include <algorithm>
#include <cmath>
#include <tuple>

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

bool is_related(Relation relation, const Object& subject, const Object& reference) {
  const double dx = subject.cx - reference.cx, dy = subject.cy - reference.cy;
  const double slack = kSlack * 2 * (subject.r + reference.r);
  const double enough = kHolds * std::sqrt(dx * dx + dy * dy);
  const double x = shrunk(dx, slack), y = shrunk(dy, slack);
  switch (relation) {
    case Relation::left_of:
      return x < -enough;
    case Relation::right_of:
      return x > enough;
    case Relation::above:
      return y < -enough;
    case Relation::below:
      break;
  }
  return y > enough;
}

std::optional<Relation> relation(const Object& subject, const Object& reference) {
  std::optional<Relation> one;
  for (int i = 0; i < static_cast<int>(kRelations.size()); ++i) {
    if (!is_related(static_cast<Relation>(i), subject, reference)) continue;
    if (one) return std::nullopt;
    one = static_cast<Relation>(i);
  }
  return one;
}

std::vector<Object> in_reading_order(std::vector<Object> objects) {
  std::sort(objects.begin(), objects.end(), [](const Object& a, const Object& b) {
    return std::make_tuple(cell_of(a), a.cy, a.cx) < std::make_tuple(cell_of(b), b.cy, b.cx);
  });
  return objects;
}

int cell_of(const Object& object) { return 3 * third(object.cy) + third(object.cx); }

bool clearly_bigger(const Object& a, const Object& b) { return a.r >= kBigger * b.r; }

}  // namespace janus
