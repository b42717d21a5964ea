// Pictures drawn with a pen: lines, circles, filled rectangles and letters on paper with a light
// grain, anti-aliased, at any size. World/diagram.h draws with it. SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "base/rng.h"
#include "world/render.h"

namespace janus {

struct Point {  // units of the canvas
  double x = 0, y = 0;
};
inline Point operator+(Point a, Point b) { return {a.x + b.x, a.y + b.y}; }
inline Point operator-(Point a, Point b) { return {a.x - b.x, a.y - b.y}; }
inline Point operator*(Point a, double k) { return {a.x * k, a.y * k}; }
double length(Point a);

// How a picture is drawn, not what: all that its strokes do not say.
struct Hand {
  uint32_t seed = 0;   // of the grain and of where the pen shakes
  double shaking = 0;  // how far from the true line, at most; units
  int paper = 0, ink = 0;
};
Hand draw_hand(Philox& random);

inline constexpr double kInk = 1.6;       // width of a stroke
inline constexpr double kGlyphHigh = 12;  // of a letter, so that it is legible at 96 pixels
inline constexpr double kGlyphWide = kGlyphHigh * 4 / 6;

class Strokes {
 public:
  void line(Point from, Point to);
  void path(std::span<const Point> points);
  void circle(Point centre, double radius);
  // From angle to angle, radians, positive = clockwise on screen.
  void arc(Point centre, double radius, double from, double to);
  // Under all strokes.
  void fill(Point low, Point high, const Rgb& colour);
  // A to H, Y, N, 0 to 9, side by side about `centre`.
  void letters(Point centre, std::string_view text);
  // The head of an arrow whose last point is `tip`.
  void head(Point from, Point tip);

  // `coverage` is that of strokes and fills. `size`: 16 to 2048 pixels along each side.
  Rendering draw(const Hand& hand, int size) const;

 private:
  struct Segment {
    Point from, to;
  };
  struct Area {
    Point low, high;
    Rgb colour;
  };
  std::vector<Segment> segments_;
  std::vector<Area> areas_;
};

}  // namespace janus
