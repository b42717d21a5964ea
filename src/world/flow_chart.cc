// A chart's graph: drawing one at random, its text, and the reading of texts. The picture is in
// world/flow_layout.cc. SPDX-License-Identifier: MIT
#include "world/flow_chart.h"

#include <algorithm>
#include <array>
#include <numeric>
#include <sstream>

#include "world/letters.h"
#include "world/wording.h"

namespace janus {
namespace {

constexpr int kFewest = 3, kCells = 6;
constexpr std::array<double, 3> kNodes = {.2, .35, .45};         // 3, 4, 5 of them
constexpr std::array<double, 3> kDecisionsOfFour = {.4, .6, 0};  // none, one, two
constexpr std::array<double, 3> kDecisionsOfFive = {.2, .4, .4};
constexpr double kTwoEnds = .5;  // where a decision leads to them
constexpr int kLayouts = 20;     // tried for a graph before other arrows are drawn

// The kinds of nodes: start, decisions, processes, ends.
void draw_nodes(Philox& random, FlowChart& chart) {
  const int n = kFewest + pick(random, kNodes);
  const int decisions = n == 3 ? 0 : pick(random, n == 4 ? kDecisionsOfFour : kDecisionsOfFive);
  const bool room = n - 1 - decisions >= 2;
  const int ends = decisions > 0 && room && random.chance(kTwoEnds) ? 2 : 1;
  const std::string letters = draw_letters(random, n);
  for (int i = 0; i < n; ++i) {
    const Box box = i == 0 || i >= n - ends ? Box::terminal
                    : i <= decisions        ? Box::decision
                                            : Box::process;
    chart.nodes.push_back({letters[static_cast<size_t>(i)], box, 0});
  }
}

// An arrow to any node but the start and the one it comes from.
void draw_edges(Philox& random, FlowChart& chart) {
  const auto n = static_cast<int>(chart.nodes.size());
  const auto any_but = [&](int from, int other) {
    int to = from;
    while (to == from || to == other) to = 1 + random.below(n - 1);
    return to;
  };
  for (int i = 0; i < n; ++i) {
    const Box box = chart.nodes[static_cast<size_t>(i)].box;
    if (box == Box::decision) {
      const int yes = any_but(i, -1);
      chart.edges.push_back({i, yes, Branch::yes, 0});
      chart.edges.push_back({i, any_but(i, yes), Branch::no, 0});
    } else if (i == 0 || box == Box::process) {
      chart.edges.push_back({i, any_but(i, -1), Branch::only, 0});
    }
  }
}

// Which nodes `seeds` lead to, along the arrows or against them.
std::vector<bool> reached(const FlowChart& chart, std::vector<bool> seeds, bool along) {
  for (size_t round = 0; round < chart.nodes.size(); ++round) {
    for (const FlowEdge& edge : chart.edges) {
      const auto from = static_cast<size_t>(along ? edge.from : edge.to);
      const auto to = static_cast<size_t>(along ? edge.to : edge.from);
      if (seeds[from]) seeds[to] = true;
    }
  }
  return seeds;
}

// The start leads everywhere, and from everywhere an end is reached.
bool is_whole(const FlowChart& chart) {
  std::vector<bool> start(chart.nodes.size()), ends(chart.nodes.size());
  start[0] = true;
  for (size_t i = 1; i < ends.size(); ++i) ends[i] = chart.nodes[i].box == Box::terminal;
  const auto all = [](const std::vector<bool>& seen) {
    return std::find(seen.begin(), seen.end(), false) == seen.end();
  };
  return all(reached(chart, start, true)) && all(reached(chart, ends, false));
}

// Cells for the nodes, and a way for each of the arrows that leaves room for those before it; false
// where there is none.
bool draw_places(Philox& random, const std::vector<FlowEdge>& edges, FlowChart& chart) {
  chart.columns = random.chance(.5) ? 3 : 2;
  std::array<int, kCells> cells{};
  std::iota(cells.begin(), cells.end(), 0);
  shuffle(random, cells);
  for (size_t i = 0; i < chart.nodes.size(); ++i) chart.nodes[i].cell = cells[i];
  chart.edges.clear();
  for (const FlowEdge& edge : edges) {
    std::array<int, 3> bends = {0, 1, 2};
    shuffle(random, bends);
    chart.edges.push_back(edge);
    const bool fits = std::any_of(bends.begin(), bends.end(), [&](int bend) {
      chart.edges.back().bend = bend;
      return lay_out(chart).has_value();
    });
    if (!fits) return false;
  }
  return true;
}

// "A": a letter of a diagram, in either case; 0 for any other word.
char letter_of(const std::string& word) {
  if (word.size() != 1) return 0;
  const char c = static_cast<char>(word[0] >= 'a' ? word[0] - 32 : word[0]);
  return kLetters.find(c) == kLetters.npos ? '\0' : c;
}

void read_statement(const std::string& text, FlowGraph& graph) {
  std::istringstream stream(text);
  std::vector<std::string> words;
  for (std::string word; stream >> word;) words.push_back(word);
  if (words.empty()) return;
  if (words.size() == 2 && letter_of(words[1]) && (words[0] == "start" || words[0] == "end")) {
    (words[0] == "start" ? graph.starts : graph.ends).insert(letter_of(words[1]));
    return;
  }
  const bool edge = words.size() == 3 && letter_of(words[0]) && letter_of(words[2]);
  if (edge && (words[1] == "to" || words[1] == "yes" || words[1] == "no")) {
    const Branch branch = words[1] == "to"    ? Branch::only
                          : words[1] == "yes" ? Branch::yes
                                              : Branch::no;
    graph.edges.insert({letter_of(words[0]), branch, letter_of(words[2])});
    return;
  }
  ++graph.unread;
}

}  // namespace

FlowChart draw_flow_chart(Philox& random) {
  FlowChart chart;
  draw_nodes(random, chart);
  for (;;) {
    do {
      chart.edges.clear();
      draw_edges(random, chart);
    } while (!is_whole(chart));
    const std::vector<FlowEdge> edges = chart.edges;
    for (int tries = 0; tries < kLayouts; ++tries) {
      if (!draw_places(random, edges, chart)) continue;
      chart.hand = draw_hand(random);
      return chart;
    }
  }
}

FlowGraph flow_graph(const FlowChart& chart) {
  FlowGraph graph;
  const auto letter = [&](int node) { return chart.nodes[static_cast<size_t>(node)].letter; };
  for (size_t i = 0; i < chart.nodes.size(); ++i) {
    if (chart.nodes[i].box != Box::terminal) continue;
    (i == 0 ? graph.starts : graph.ends).insert(chart.nodes[i].letter);
  }
  for (const FlowEdge& edge : chart.edges) {
    graph.edges.insert({letter(edge.from), edge.branch, letter(edge.to)});
  }
  return graph;
}

std::string flow_text(const FlowChart& chart) {
  constexpr std::array<std::string_view, 3> kWords = {" to ", " yes ", " no "};
  const FlowGraph graph = flow_graph(chart);
  std::string text;
  const auto add = [&](const std::string& statement) {
    text += (text.empty() ? "" : " ; ") + statement;
  };
  for (const char start : graph.starts) add(std::string("start ") + start);
  for (const FlowGraph::Edge& edge : graph.edges) {
    add(edge.from + std::string(kWords[static_cast<size_t>(edge.branch)]) + edge.to);
  }
  for (const char end : graph.ends) add(std::string("end ") + end);
  return text;
}

FlowGraph parse_flow(const std::string& text) {
  FlowGraph graph;
  std::istringstream statements(text);
  for (std::string statement; std::getline(statements, statement, ';');) {
    read_statement(statement, graph);
  }
  return graph;
}

double edge_f1(const FlowGraph& said, const FlowGraph& truth) {
  const auto hits = static_cast<double>(
      std::count_if(said.edges.begin(), said.edges.end(),
                    [&](const FlowGraph::Edge& edge) { return truth.edges.contains(edge); }));
  const auto all = static_cast<double>(said.edges.size() + truth.edges.size()) + said.unread;
  return all > 0 ? 2 * hits / all : 0;
}

}  // namespace janus
