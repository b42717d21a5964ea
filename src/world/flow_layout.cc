// Lines of a flow chart go from the border of a node to that of another, straight or with one bend.
// A chart whose lines come near each other, near other nodes or have no room for their Y and N is
// no chart. Only sums, products and roots here: what is rejected is the same on every machine.
// SPDX-License-Identifier: MIT
#include <algorithm>
#include <cmath>

#include "world/flow_chart.h"

namespace janus {
namespace {

constexpr double kStep = 3;  // between points where distances are looked at, units
constexpr double kFromNodes = 5, kFromLines = 7;
constexpr double kLeast = 10;  // of a line's last piece, so that the head has room
constexpr double kLabelHigh = kGlyphHigh / 2, kLabelWide = kGlyphWide / 2;
constexpr double kLabelRoom = 2.4;  // about a label
constexpr double kBesideHeads = 2;  // between a label and its line, besides that room
constexpr double kMistaken = 4;     // how much further from a label other lines are
constexpr double kEdge = 2;         // of the canvas
constexpr double kRound = 10;       // of the ends of a terminal

Point half_size(Box box) {
  if (box == Box::decision) return {16, 14};
  return box == Box::process ? Point{11.5, 10} : Point{14, kRound};
}

Point centre_of(const FlowChart& chart, const FlowNode& node) {
  const int column = node.cell % chart.columns, row = node.cell / chart.columns;
  const auto place = [](int i, int of) { return of == 3 ? 22 + 42. * i : 34 + 60. * i; };
  return {place(column, chart.columns), place(row, 6 / chart.columns)};
}

// Whether a place, seen from the centre, is inside the border moved out by `room`.
bool inside(Box box, Point at, double room) {
  const Point half = half_size(box);
  const double x = std::abs(at.x), y = std::abs(at.y);
  if (box == Box::process) return x < half.x + room && y < half.y + room;
  if (box == Box::decision) {
    const double slope = length({1 / half.x, 1 / half.y});
    return x / half.x + y / half.y < 1 + room * slope;
  }
  return length({std::max(0., x - (half.x - kRound)), y}) < kRound + room;
}

// Where the way from the centre of a node towards `to` leaves the node.
Point border(const FlowChart& chart, const FlowNode& node, Point to) {
  const Point centre = centre_of(chart, node);
  double in = 0, out = 1;
  for (int i = 0; i < 24; ++i) {
    const double middle = (in + out) / 2;
    (inside(node.box, (to - centre) * middle, kInk / 2) ? in : out) = middle;
  }
  return centre + (to - centre) * out;
}

std::vector<Point> route(const FlowChart& chart, const FlowEdge& edge) {
  const FlowNode &from = chart.nodes[static_cast<size_t>(edge.from)],
                 &to = chart.nodes[static_cast<size_t>(edge.to)];
  const Point a = centre_of(chart, from), b = centre_of(chart, to);
  if (edge.bend == 0) return {border(chart, from, b), border(chart, to, a)};
  const Point corner = edge.bend == 1 ? Point{b.x, a.y} : Point{a.x, b.y};
  return {border(chart, from, corner), corner, border(chart, to, corner)};
}

std::vector<Point> along(const std::vector<Point>& line) {
  std::vector<Point> points;
  for (size_t i = 1; i < line.size(); ++i) {
    const Point piece = line[i] - line[i - 1];
    const int steps = std::max(1, static_cast<int>(length(piece) / kStep));
    for (int k = i == 1 ? 0 : 1; k <= steps; ++k) {
      points.push_back(line[i - 1] + piece * (static_cast<double>(k) / steps));
    }
  }
  return points;
}

// A bend needs a corner; the last piece needs room for the head.
bool is_sound(const FlowChart& chart, const FlowEdge& edge, const std::vector<Point>& line) {
  const Point a = centre_of(chart, chart.nodes[static_cast<size_t>(edge.from)]);
  const Point b = centre_of(chart, chart.nodes[static_cast<size_t>(edge.to)]);
  if (edge.bend != 0 && (a.x == b.x || a.y == b.y)) return false;
  return length(line.back() - line[line.size() - 2]) >= kLeast;
}

bool clear_of_nodes(const FlowChart& chart, const FlowEdge& edge, const std::vector<Point>& way) {
  for (size_t i = 0; i < chart.nodes.size(); ++i) {
    const auto own = static_cast<int>(i) == edge.from || static_cast<int>(i) == edge.to;
    if (own) continue;
    const Point centre = centre_of(chart, chart.nodes[i]);
    for (const Point& at : way) {
      if (inside(chart.nodes[i].box, at - centre, kFromNodes)) return false;
    }
  }
  return true;
}

double squared(Point a) { return a.x * a.x + a.y * a.y; }

bool near(const std::vector<Point>& one, const std::vector<Point>& other) {
  for (const Point& a : one) {
    for (const Point& b : other) {
      if (squared(a - b) < kFromLines * kFromLines) return true;
    }
  }
  return false;
}

using Ways = std::vector<std::vector<Point>>;

// `own`: the way that the label belongs to. Others are further off, so that nobody mistakes it.
bool label_fits(const FlowChart& chart, Point at, const Ways& ways, const FlowLayout& layout,
                size_t own) {
  const double wide = kLabelWide + kLabelRoom, high = kLabelHigh + kLabelRoom;
  if (at.x < wide + kEdge || at.x > kCanvas - wide - kEdge) return false;
  if (at.y < high + kEdge || at.y > kCanvas - high - kEdge) return false;
  double nearest = kCanvas;
  for (const Point& p : ways[own]) nearest = std::min(nearest, length(p - at));
  for (size_t i = 0; i < ways.size(); ++i) {
    for (const Point& p : ways[i]) {
      if (std::abs(p.x - at.x) < wide && std::abs(p.y - at.y) < high) return false;
      if (i != own && length(p - at) < nearest + kMistaken) return false;
    }
  }
  for (const FlowNode& node : chart.nodes) {
    const Point seen = at - centre_of(chart, node);
    for (const double x : {-kLabelWide, 0., kLabelWide}) {
      for (const double y : {-kLabelHigh, 0., kLabelHigh}) {
        if (inside(node.box, seen + Point{x, y}, kLabelRoom)) return false;
      }
    }
  }
  return std::none_of(layout.labels.begin(), layout.labels.end(), [&](const auto& other) {
    return other && std::abs(other->x - at.x) < 2 * wide && std::abs(other->y - at.y) < 2 * high;
  });
}

// Beside the first piece of the line, as near to its beginning as there is room.
std::optional<Point> label_place(const FlowChart& chart, size_t own, const Ways& ways,
                                 const FlowLayout& layout) {
  const std::vector<Point>& line = layout.lines[own];
  const Point piece = line[1] - line[0];
  const double whole = length(piece);
  const Point ahead = piece * (1 / whole), aside = {-ahead.y, ahead.x};
  // Half the label's extent across the line, and room.
  const double away = std::abs(aside.x) * kLabelWide + std::abs(aside.y) * kLabelHigh + kLabelRoom;
  for (double on = 3; on <= std::min(whole, 18.); on += 1.5) {
    for (const double side : {-1., 1.}) {
      const Point at = line[0] + ahead * on + aside * (side * (away + kBesideHeads));
      if (label_fits(chart, at, ways, layout, own)) return at;
    }
  }
  return std::nullopt;
}

}  // namespace

std::optional<FlowLayout> lay_out(const FlowChart& chart) {
  FlowLayout layout;
  Ways ways;
  for (const FlowEdge& edge : chart.edges) {
    layout.lines.push_back(route(chart, edge));
    if (!is_sound(chart, edge, layout.lines.back())) return std::nullopt;
    ways.push_back(along(layout.lines.back()));
    if (!clear_of_nodes(chart, edge, ways.back())) return std::nullopt;
    for (size_t i = 0; i + 1 < ways.size(); ++i) {
      if (near(ways[i], ways.back())) return std::nullopt;
    }
  }
  for (size_t i = 0; i < chart.edges.size(); ++i) {
    std::optional<Point> label;
    if (chart.edges[i].branch != Branch::only) {
      label = label_place(chart, i, ways, layout);
      if (!label) return std::nullopt;
    }
    layout.labels.push_back(label);
  }
  return layout;
}

namespace {

void draw_node(const FlowChart& chart, const FlowNode& node, Strokes& strokes) {
  constexpr double kQuarter = 3.14159265358979323846 / 2;
  const Point centre = centre_of(chart, node), half = half_size(node.box);
  if (node.box == Box::terminal) {
    const double x = half.x - kRound;
    strokes.line(centre + Point{-x, -kRound}, centre + Point{x, -kRound});
    strokes.line(centre + Point{-x, kRound}, centre + Point{x, kRound});
    strokes.arc(centre + Point{x, 0}, kRound, -kQuarter, kQuarter);
    strokes.arc(centre + Point{-x, 0}, kRound, kQuarter, 3 * kQuarter);
  } else {
    const double k = node.box == Box::process ? 1 : 0;  // corners, or the middles of the sides
    const Point corners[] = {{-half.x, -half.y * k},
                             {half.x * k, -half.y},
                             {half.x, half.y * k},
                             {-half.x * k, half.y},
                             {-half.x, -half.y * k}};
    std::vector<Point> path;
    for (const Point& corner : corners) path.push_back(centre + corner);
    strokes.path(path);
  }
  strokes.letters(centre, {&node.letter, 1});
}

}  // namespace

Strokes strokes_of(const FlowChart& chart) {
  Strokes strokes;
  for (const FlowNode& node : chart.nodes) draw_node(chart, node, strokes);
  const auto layout = lay_out(chart);
  if (!layout) return strokes;
  for (size_t i = 0; i < chart.edges.size(); ++i) {
    const std::vector<Point>& line = layout->lines[i];
    strokes.path(line);
    strokes.head(line[line.size() - 2], line.back());
    if (layout->labels[i]) {
      strokes.letters(*layout->labels[i], chart.edges[i].branch == Branch::yes ? "Y" : "N");
    }
  }
  return strokes;
}

}  // namespace janus
