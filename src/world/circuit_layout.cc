// A circuit is a loop with the source on its left side. Elements lie along the loop; branches stand
// between the loop's upper and lower side, or lie below its upper one. SPDX-License-Identifier: MIT
#include <algorithm>
#include <array>

#include "world/circuit.h"

namespace janus {
namespace {

constexpr double kLow = 24, kHigh = 104;                   // sides of the loop, units
constexpr double kInner = 65;                              // the branch within
constexpr double kCrossing = 42;                           // where branches that lie begin
constexpr double kHalf = 10;                               // of an element, along the wire
constexpr double kLamp = 7.5, kZigzag = 4.5;               // radius; half the height
constexpr double kContact = 2, kLever = 8;                 // of a switch: radius; half the gap
constexpr double kPlate = 8, kShortPlate = 4, kGap = 2.6;  // of the source
constexpr double kLabel = 15.5;                            // from the wire to a letter's middle
constexpr double kDiagonal = .70710678118654752;

// Draws on the canvas turned or mirrored; letters stay upright.
class Wirer {
 public:
  Wirer(Strokes& strokes, int turned) : strokes_(strokes), turned_(turned) {}

  // A wire from end to end with elements at these distances from its beginning. `outside`: the side
  // on which letters stand.
  void run(Point from, Point to, const std::vector<Element>& elements,
           const std::vector<double>& at, Point outside) {
    const Point along = (to - from) * (1 / length(to - from));
    Point wire = from;
    for (size_t i = 0; i < elements.size(); ++i) {
      const Point middle = from + along * at[i];
      const double half = elements[i].component == Component::lamp      ? kLamp
                          : elements[i].component == Component::switch_ ? kLever
                                                                        : kHalf;
      line(wire, middle - along * half);
      element(elements[i], middle, along, outside);
      wire = middle + along * half;
    }
    line(wire, to);
  }

  void source(Point from, Point to) {
    const Point middle = (from + to) * .5, along = (to - from) * (1 / length(to - from));
    const Point aside = {-along.y, along.x};
    line(from, middle - along * kGap);
    line(middle + along * kGap, to);
    line(middle - along * kGap - aside * kPlate, middle - along * kGap + aside * kPlate);
    line(middle + along * kGap - aside * kShortPlate, middle + along * kGap + aside * kShortPlate);
  }

  void line(Point from, Point to) { strokes_.line(seen(from), seen(to)); }

 private:
  void element(const Element& e, Point middle, Point along, Point outside) {
    const auto at = [&](double x, double y) { return middle + along * x + outside * y; };
    if (e.component == Component::lamp) {
      strokes_.circle(seen(middle), kLamp);
      const double k = kLamp * kDiagonal;
      line(at(-k, -k), at(k, k));
      line(at(-k, k), at(k, -k));
    } else if (e.component == Component::resistor) {
      const std::array<Point, 8> zigzag = {{at(-10, 0), at(-8, kZigzag), at(-4.8, -kZigzag),
                                            at(-1.6, kZigzag), at(1.6, -kZigzag), at(4.8, kZigzag),
                                            at(8, -kZigzag), at(10, 0)}};
      for (size_t i = 1; i < zigzag.size(); ++i) line(zigzag[i - 1], zigzag[i]);
    } else {
      strokes_.circle(seen(at(-kLever, 0)), kContact);
      strokes_.circle(seen(at(kLever, 0)), kContact);
      line(at(-kLever, 0), e.open ? at(4.5, -9.5) : at(kLever, 0));
    }
    strokes_.letters(seen(at(0, kLabel)), {&e.letter, 1});
  }

  Point seen(Point p) const {
    if (turned_ & 1) p.x = kCanvas - p.x;
    if (turned_ & 2) p.y = kCanvas - p.y;
    return turned_ & 4 ? Point{p.y, p.x} : p;
  }

  Strokes& strokes_;
  int turned_;
};

constexpr Point kUp = {0, -1}, kDown = {0, 1}, kOut = {1, 0};

// Elements of a slot: none or one.
std::vector<Element> in_slots(const Circuit& circuit, int first, int last) {
  std::vector<Element> found;
  for (const Element& e : circuit.series) {
    if (e.slot >= first && e.slot <= last) found.push_back(e);
  }
  return found;
}

std::vector<double> spread(size_t count, double whole) {
  std::vector<double> at;
  for (size_t i = 0; i < count; ++i) {
    const double share = count == 1 ? .5 : i == 0 ? .27 : .73;
    at.push_back(share * whole);
  }
  return at;
}

void run(Wirer& wirer, Point from, Point to, const std::vector<Element>& elements, Point outside) {
  wirer.run(from, to, elements, spread(elements.size(), length(to - from)), outside);
}

// Two slots above, one on the right, two below.
void draw_loop(const Circuit& circuit, Wirer& wirer) {
  run(wirer, {kLow, kLow}, {kHigh, kLow}, in_slots(circuit, 0, 1), kUp);
  run(wirer, {kHigh, kLow}, {kHigh, kHigh}, in_slots(circuit, 2, 2), kOut);
  run(wirer, {kHigh, kHigh}, {kLow, kHigh}, in_slots(circuit, 3, 4), kDown);
}

// One slot above, one below, to the left of branches that stand.
void draw_standing(const Circuit& circuit, Wirer& wirer) {
  run(wirer, {kLow, kLow}, {kInner, kLow}, in_slots(circuit, 0, 0), kUp);
  run(wirer, {kInner, kHigh}, {kLow, kHigh}, in_slots(circuit, 1, 1), kDown);
  wirer.line({kInner, kLow}, {kHigh, kLow});
  wirer.line({kInner, kHigh}, {kHigh, kHigh});
  run(wirer, {kInner, kLow}, {kInner, kHigh}, circuit.branches[0], kOut);
  run(wirer, {kHigh, kLow}, {kHigh, kHigh}, circuit.branches[1], kOut);
}

// One slot on the right, one below, under branches that lie.
void draw_lying(const Circuit& circuit, Wirer& wirer) {
  wirer.line({kLow, kLow}, {kCrossing, kLow});
  wirer.line({kCrossing, kLow}, {kCrossing, kInner});
  run(wirer, {kCrossing, kLow}, {kHigh, kLow}, circuit.branches[0], kUp);
  run(wirer, {kCrossing, kInner}, {kHigh, kInner}, circuit.branches[1], kUp);
  wirer.line({kHigh, kLow}, {kHigh, kInner});
  run(wirer, {kHigh, kInner}, {kHigh, kHigh}, in_slots(circuit, 0, 0), kOut);
  run(wirer, {kHigh, kHigh}, {kLow, kHigh}, in_slots(circuit, 1, 1), kDown);
}

}  // namespace

Strokes strokes_of(const Circuit& circuit) {
  Strokes strokes;
  if (circuit.empty()) return strokes;
  Wirer wirer(strokes, circuit.turned);
  wirer.source({kLow, kLow}, {kLow, kHigh});
  (circuit.branches[0].empty() ? draw_loop
   : circuit.across            ? draw_lying
                               : draw_standing)(circuit, wirer);
  return strokes;
}

}  // namespace janus
