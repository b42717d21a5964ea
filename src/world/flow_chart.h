// Flow charts: three to five nodes named by letters, arrows between them without crossings.
// What a chart says is its graph, whose text a model gives; where nodes lie is of the record alone.
// SPDX-License-Identifier: MIT
#pragma once

#include <compare>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "world/strokes.h"

namespace janus {

enum class Box { process, decision, terminal };  // terminal: the start, and where it ends
enum class Branch { only, yes, no };

struct FlowNode {
  char letter = 'A';
  Box box = Box::process;
  int cell = 0;  // of the grid, row by row
};
struct FlowEdge {
  int from = 0, to = 0;  // index into nodes
  Branch branch = Branch::only;
  int bend = 0;  // 0: straight; 1: across, then up or down; 2: the other way round
};
struct FlowChart {
  int columns = 3;              // of six cells: 3 or 2
  std::vector<FlowNode> nodes;  // the first is the start; none: bare paper
  std::vector<FlowEdge> edges;
  Hand hand;
};

FlowChart draw_flow_chart(Philox& random);

// "start A ; A to B ; B yes C ; B no D ; end C ; end D", edges by the letters they come from.
std::string flow_text(const FlowChart& chart);

struct FlowGraph {
  struct Edge {
    char from = 0;
    Branch branch = Branch::only;
    char to = 0;
    auto operator<=>(const Edge&) const = default;
  };
  std::set<char> starts, ends;
  std::set<Edge> edges;
  int unread = 0;  // statements that are none
  bool operator==(const FlowGraph&) const = default;
};
FlowGraph flow_graph(const FlowChart& chart);
// Of any text.
FlowGraph parse_flow(const std::string& text);
// 0 to 1 over edges; what could not be read counts as an edge that is not there.
double edge_f1(const FlowGraph& said, const FlowGraph& truth);

Strokes strokes_of(const FlowChart& chart);

// Where lines and the words beside them lie. Nothing where they would touch what they should not.
struct FlowLayout {
  std::vector<std::vector<Point>> lines;  // of each edge, from border to border
  std::vector<std::optional<Point>> labels;
};
std::optional<FlowLayout> lay_out(const FlowChart& chart);

}  // namespace janus
