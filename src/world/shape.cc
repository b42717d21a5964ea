// The twenty outlines. Primitives first, then one table of parts per class in the order of kShapes.
// Lengths are those of the raw frame; subtraction is max(a, -b), so that distances of subtractive
// and elliptic parts are bounds and not exact.
// SPDX-License-Identifier: MIT
#include "world/shape.h"

#include <algorithm>
#include <cmath>

namespace janus {
namespace {

struct Point {
  float x, y;
};

float length(float x, float y) { return std::sqrt(x * x + y * y); }

float circle(float x, float y, float cx, float cy, float r) { return length(x - cx, y - cy) - r; }

float ellipse(float x, float y, float cx, float cy, float a, float b) {
  return (length((x - cx) / a, (y - cy) / b) - 1) * std::min(a, b);
}

// Half width and half height include the rounded corner.
float rbox(float x, float y, float cx, float cy, float half_w, float half_h, float corner) {
  const float qx = std::abs(x - cx) - half_w + corner;
  const float qy = std::abs(y - cy) - half_h + corner;
  return length(std::max(qx, 0.f), std::max(qy, 0.f)) + std::min(std::max(qx, qy), 0.f) - corner;
}

// Distance to the segment a-b.
float segment(float x, float y, Point a, Point b) {
  const float ex = b.x - a.x, ey = b.y - a.y;
  const float along = ((x - a.x) * ex + (y - a.y) * ey) / (ex * ex + ey * ey);
  const float t = std::clamp(along, 0.f, 1.f);
  return length(x - a.x - t * ex, y - a.y - t * ey);
}

// Rounding grows the outline. Inside by the even-odd rule.
template <size_t N>
float polygon(float x, float y, const Point (&points)[N], float rounding) {
  float nearest = 1e9f;
  bool inside = false;
  for (size_t i = 0, j = N - 1; i < N; j = i++) {
    const Point a = points[i], b = points[j];
    nearest = std::min(nearest, segment(x, y, a, b));
    if ((a.y > y) != (b.y > y) && x < (b.x - a.x) * (y - a.y) / (b.y - a.y) + a.x) {
      inside = !inside;
    }
  }
  return (inside ? -nearest : nearest) - rounding;
}

constexpr Part kBall[] = {{[](float x, float y) { return circle(x, y, 0, 0, 1); }}};

constexpr Part kBox[] = {{[](float x, float y) { return rbox(x, y, 0, 0, .74f, .74f, .14f); }}};

// Circumradius .92, apex up.
constexpr Point kTrianglePoints[] = {{0, -.92f}, {.796743f, .46f}, {-.796743f, .46f}};
constexpr Part kTriangle[] = {
    {[](float x, float y) { return polygon(x, y, kTrianglePoints, .08f); }}};

// Radii .95 and .42 in turn, every 36 degrees, first point up.
constexpr Point kStarPoints[] = {{0, -.95f},
                                 {.246870f, -.339787f},
                                 {.903504f, -.293566f},
                                 {.399444f, .129787f},
                                 {.558396f, .768566f},
                                 {0, .42f},
                                 {-.558396f, .768566f},
                                 {-.399444f, .129787f},
                                 {-.903504f, -.293566f},
                                 {-.246870f, -.339787f}};
constexpr Part kStar[] = {{[](float x, float y) { return polygon(x, y, kStarPoints, .05f); }}};

float heart(float x, float y) {
  constexpr float kScale = .62f;
  const float px = kScale * std::abs(x), py = kScale * (.85f - y);
  if (px + py > 1) return (length(px - .25f, py - .75f) - std::sqrt(2.f) / 4) / kScale;
  const float m = std::max(px + py, 0.f) / 2;
  const float nearest = std::min(length(px, py - 1), length(px - m, py - m));
  return std::copysign(nearest, px - py) / kScale;
}
constexpr Part kHeart[] = {{heart}};

constexpr Point kDiamondPoints[] = {{0, -.94f}, {.66f, 0}, {0, .94f}, {-.66f, 0}};
constexpr Part kDiamond[] = {
    {[](float x, float y) { return polygon(x, y, kDiamondPoints, .06f); }}};

constexpr Point kArrowPoints[] = {{.92f, 0},     {.18f, -.66f}, {.18f, -.27f}, {-.88f, -.27f},
                                  {-.88f, .27f}, {.18f, .27f},  {.18f, .66f}};
constexpr Part kArrow[] = {{[](float x, float y) { return polygon(x, y, kArrowPoints, .06f); }}};

constexpr Part kCross[] = {{[](float x, float y) {
  return std::min(rbox(x, y, 0, 0, .95f, .31f, .08f), rbox(x, y, 0, 0, .31f, .95f, .08f));
}}};

constexpr Part kRing[] = {{[](float x, float y) { return std::abs(length(x, y) - .70f) - .28f; }}};

constexpr Part kMoon[] = {{[](float x, float y) {
  return std::max(circle(x, y, 0, 0, .95f), -circle(x, y, .44f, -.14f, .80f));
}}};

constexpr Point kDropPoints[] = {{0, -1}, {.585f, .10f}, {-.585f, .10f}};
constexpr Part kDrop[] = {{[](float x, float y) {
  return std::min(circle(x, y, 0, .30f, .62f), polygon(x, y, kDropPoints, 0));
}}};

// Six petals: the cosine of six times the angle, by the double-angle and triple-angle formulas.
float petals(float x, float y) {
  const float rho = length(x, y);
  const float c = rho > 1e-6f ? x / rho : 1.f;
  const float c2 = 2 * c * c - 1;
  const float c6 = (4 * c2 * c2 - 3) * c2;
  return .75f * (rho - (.72f + .22f * c6));
}
constexpr Part kFlower[] = {
    {petals}, {[](float x, float y) { return circle(x, y, 0, 0, .26f); }, Paint::lighter, .72f}};

constexpr Point kRoof[] = {{0, -.98f}, {.92f, -.14f}, {-.92f, -.14f}};
constexpr Part kHouse[] = {
    {[](float x, float y) { return rbox(x, y, 0, .32f, .66f, .56f, .06f); }},
    {[](float x, float y) { return polygon(x, y, kRoof, .06f); }, Paint::darker, .72f},
    {[](float x, float y) { return rbox(x, y, 0, .58f, .17f, .30f, .05f); }, Paint::lighter, .78f},
    {[](float x, float y) { return rbox(std::abs(x), y, .36f, .15f, .13f, .13f, .03f); },
     Paint::lighter, .78f}};

constexpr Point kLowBranch[] = {{0, -.05f}, {.78f, .56f}, {-.78f, .56f}};
constexpr Point kMidBranch[] = {{0, -.48f}, {.64f, .14f}, {-.64f, .14f}};
constexpr Point kTopBranch[] = {{0, -.94f}, {.48f, -.28f}, {-.48f, -.28f}};
constexpr Part kTree[] = {
    {[](float x, float y) { return rbox(x, y, 0, .78f, .13f, .30f, .04f); },
     Paint::fixed,
     0,
     {.45f, .29f, .17f}},
    {[](float x, float y) { return polygon(x, y, kLowBranch, .06f); }},
    {[](float x, float y) { return polygon(x, y, kMidBranch, .06f); }},
    {[](float x, float y) { return polygon(x, y, kTopBranch, .06f); }, Paint::lighter, .10f}};

constexpr Point kTail[] = {{.42f, 0}, {1, -.46f}, {.88f, 0}, {1, .46f}};
constexpr Point kFin[] = {{-.12f, -.30f}, {.25f, -.74f}, {.38f, -.22f}};
constexpr Part kFish[] = {
    {[](float x, float y) { return polygon(x, y, kTail, .05f); }, Paint::darker, .78f},
    {[](float x, float y) { return polygon(x, y, kFin, .04f); }, Paint::darker, .78f},
    {[](float x, float y) { return ellipse(x, y, -.14f, 0, .80f, .50f); }},
    {[](float x, float y) { return circle(x, y, -.52f, -.12f, .13f); },
     Paint::fixed,
     0,
     {.98f, .98f, .98f}},
    {[](float x, float y) { return circle(x, y, -.54f, -.12f, .065f); },
     Paint::fixed,
     0,
     {.08f, .08f, .10f}}};

float mushroom_spots(float x, float y) {
  return std::min({circle(x, y, -.42f, -.16f, .15f), circle(x, y, .12f, -.46f, .17f),
                   circle(x, y, .52f, -.08f, .13f)});
}
constexpr Part kMushroom[] = {
    {[](float x, float y) { return rbox(x, y, 0, .50f, .26f, .46f, .16f); }, Paint::darker, .80f},
    {[](float x, float y) {
      return std::max(ellipse(x, y, 0, .10f, .96f, .92f), -rbox(x, y, 0, .72f, 1.4f, .56f, 0));
    }},
    {mushroom_spots, Paint::lighter, .85f}};

constexpr Point kCupBody[] = {{-.80f, -.70f}, {.56f, -.70f}, {.40f, .74f}, {-.64f, .74f}};
constexpr Part kCup[] = {
    {[](float x, float y) { return std::abs(circle(x, y, .56f, .02f, .30f)) - .10f; },
     Paint::darker, .85f},
    {[](float x, float y) { return polygon(x, y, kCupBody, .10f); }},
    {[](float x, float y) { return ellipse(x, y, -.12f, -.70f, .62f, .10f); }, Paint::darker,
     .55f}};

constexpr Part kCloud[] = {{[](float x, float y) {
  return std::min({circle(x, y, -.52f, .16f, .40f), circle(x, y, 0, -.16f, .54f),
                   circle(x, y, .52f, .10f, .44f), rbox(x, y, 0, .32f, .90f, .26f, .25f)});
}}};

constexpr Point kKnot[] = {{0, .42f}, {.13f, .66f}, {-.13f, .66f}};
constexpr Part kBalloon[] = {
    {[](float x, float y) {
       return segment(x, y, {0, .55f}, {0, 1.02f}) - .03f;
     },
     Paint::fixed,
     0,
     {.55f, .55f, .58f}},
    {[](float x, float y) { return polygon(x, y, kKnot, .03f); }, Paint::darker, .75f},
    {[](float x, float y) { return ellipse(x, y, 0, -.24f, .66f, .78f); }}};

constexpr Point kCabin[] = {{-.52f, -.04f}, {-.36f, -.48f}, {.30f, -.48f}, {.56f, -.04f}};
constexpr Point kRearWindow[] = {{-.38f, -.06f}, {-.27f, -.38f}, {-.03f, -.38f}, {-.03f, -.06f}};
constexpr Point kFrontWindow[] = {{.06f, -.06f}, {.06f, -.38f}, {.25f, -.38f}, {.40f, -.06f}};
constexpr Part kCar[] = {
    {[](float x, float y) { return polygon(x, y, kCabin, .06f); }, Paint::darker, .86f},
    {[](float x, float y) { return rbox(x, y, 0, .16f, .98f, .29f, .16f); }},
    {[](float x, float y) {
       return std::min(polygon(x, y, kRearWindow, 0), polygon(x, y, kFrontWindow, 0));
     },
     Paint::fixed,
     0,
     {.80f, .90f, .97f}},
    {[](float x, float y) { return circle(std::abs(x), y, .50f, .44f, .22f); },
     Paint::fixed,
     0,
     {.14f, .14f, .16f}},
    {[](float x, float y) { return circle(std::abs(x), y, .50f, .44f, .09f); },
     Paint::fixed,
     0,
     {.78f, .78f, .80f}}};

struct Shape {
  std::span<const Part> parts;
  ShapeFrame frame;
};

// The frames are measured on a 561 x 561 grid over [-1.4, 1.4] squared; shape_test measures them
// again from the parts.
constexpr std::array<Shape, kShapes.size()> kTable = {{
    {kBall, {0, 0, 0.99986f}},
    {kBox, {0, 0, 0.98657f}},
    {kTriangle, {0, -0.00133f, 0.99978f}},
    {kStar, {0, 0, 0.99931f}},
    {kHeart, {0, -0.21010f, 1.05510f}},
    {kDiamond, {0, 0, 0.99520f}},
    {kArrow, {0.00704f, 0, 0.98567f}},
    {kCross, {0, 0, 0.97880f}},
    {kRing, {0, 0, 0.97990f}},
    {kMoon, {-0.38228f, 0.12168f, 1.21084f}},
    {kDrop, {0, 0.14555f, 1.14055f}},
    {kFlower, {0, 0, 0.93900f}},
    {kHouse, {0, 0.03207f, 1.06726f}},
    {kTree, {0, 0.06646f, 1.06164f}},
    {kFish, {0.04319f, -0.02634f, 1.12250f}},
    {kMushroom, {0, -0.08825f, 1.05195f}},
    {kCup, {-0.05536f, -0.01052f, 1.11402f}},
    {kCloud, {0.02398f, 0.04200f, 0.98253f}},
    {kBalloon, {0, -0.20618f, 1.25127f}},
    {kCar, {-0.00201f, 0.08159f, 1.00707f}},
}};

}  // namespace

std::span<const Part> shape_parts(int shape) { return kTable[static_cast<size_t>(shape)].parts; }

ShapeFrame shape_frame(int shape) { return kTable[static_cast<size_t>(shape)].frame; }

Rgb part_colour(const Part& part, const Rgb& own) {
  if (part.paint == Paint::fixed) return part.rgb;
  Rgb colour = own;
  for (float& c : colour) {
    if (part.paint == Paint::darker) c *= part.amount;
    if (part.paint == Paint::lighter) c += part.amount * (1 - c);
  }
  return colour;
}

float shape_distance(int shape, float x, float y) {
  float nearest = 1e9f;
  for (const Part& part : shape_parts(shape)) nearest = std::min(nearest, part.distance(x, y));
  return nearest;
}

}  // namespace janus
