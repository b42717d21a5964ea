// Diagrams say what their texts say: text and picture come back from each other, nothing crosses,
// currents flow as in the graph of the wires, letters can be told apart.
// SPDX-License-Identifier: MIT
#include "world/diagram.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "world/glyphs.h"
#include "world/letters.h"

namespace janus {
namespace {

constexpr uint64_t kMany = 1000;

Philox random_of(uint64_t index) { return world_stream(Split::val, "diagrams", index); }
FlowChart flow(uint64_t index) {
  Philox random = random_of(index);
  return draw_flow_chart(random);
}
BarChart chart(uint64_t index) {
  Philox random = random_of(index);
  return draw_bar_chart(random);
}
Circuit circuit(uint64_t index) {
  Philox random = random_of(index);
  return draw_circuit(random);
}
Image picture(const Diagram& diagram) { return render_diagram(diagram, 96).image; }

TEST(Diagrams, PicturesArePureFunctions) {
  const std::vector<Diagram> all = {flow(1), chart(1), circuit(1), flow(2), chart(2), circuit(2)};
  for (size_t i = 0; i < all.size(); ++i) {
    const Rendering once = render_diagram(all[i], 96);
    EXPECT_EQ(once.image, render_diagram(all[i], 96).image);
    for (size_t j = 0; j < i; ++j) EXPECT_NE(once.image, picture(all[j]));
    EXPECT_GT(
        std::count_if(once.coverage.begin(), once.coverage.end(), [](float c) { return c > .5f; }),
        100);
    for (const int size : {16, 64, 192}) EXPECT_EQ(render_diagram(all[i], size).image.width, size);
    EXPECT_THROW(render_diagram(all[i], 15), Error);
    const Rendering paper = render_diagram(bare(all[i]), 96);
    EXPECT_TRUE(
        std::all_of(paper.coverage.begin(), paper.coverage.end(), [](float c) { return c == 0; }));
    EXPECT_EQ(paper.image.rgb[0], once.image.rgb[0]);  // the corner is paper
  }
}

TEST(Diagrams, RecordsAreJson) {
  using Json = nlohmann::json;
  const Json flows = Json::parse(diagram_record(flow(3), Split::val, "flows", 3));
  EXPECT_EQ(flows["kind"], "flow");
  EXPECT_EQ(flows["split"], "val");
  EXPECT_EQ(flows["nodes"].size(), flow(3).nodes.size());
  const Json charts = Json::parse(diagram_record(chart(3), Split::val, "charts", 3));
  EXPECT_EQ(charts["bars"][0]["value"], chart(3).bars[0].value);
  EXPECT_EQ(charts["hand"]["seed"], chart(3).hand.seed);
  EXPECT_NEAR(charts["hand"]["shaking"], chart(3).hand.shaking, 1e-9);
  const Json circuits = Json::parse(diagram_record(circuit(3), Split::val, "circuits", 3));
  EXPECT_EQ(circuits["branches"].size(), 2u);
}

// The nearest of all letters drawn true is the one that was drawn with the most shaking hand.
TEST(Diagrams, LettersCanBeToldApartAt96Pixels) {
  const auto drawn = [](char letter, double shaking, Point at, uint32_t seed) {
    Strokes strokes;
    strokes.letters(at, {&letter, 1});
    return strokes.draw({seed, shaking, 0, 0}, 96).image.rgb;
  };
  for (uint32_t seed = 0; seed < 4; ++seed) {
    const Point at = {40 + .4 * seed, 60 + .3 * seed};
    std::vector<std::vector<uint8_t>> truths;
    for (const Glyph& glyph : kGlyphs) {
      truths.push_back(drawn(glyph.letter, 0, at, seed));
      EXPECT_EQ(glyph.strokes.find_first_not_of("0123456 ,"), glyph.strokes.npos);
    }
    for (const Glyph& glyph : kGlyphs) {
      const auto seen = drawn(glyph.letter, .6, at, seed);
      std::map<double, char> near;
      for (size_t other = 0; other < truths.size(); ++other) {
        double apart = 0;
        for (size_t i = 0; i < seen.size(); ++i) apart += std::abs(truths[other][i] - seen[i]);
        near[apart] = kGlyphs[other].letter;
      }
      EXPECT_EQ(near.begin()->second, glyph.letter);
    }
  }
}

// The least distance between two lines, by points half a unit apart.
double apart(const std::vector<Point>& one, const std::vector<Point>& other) {
  const auto points = [](const std::vector<Point>& line) {
    std::vector<Point> all;
    for (size_t i = 1; i < line.size(); ++i) {
      for (double on = 0, whole = length(line[i] - line[i - 1]); on < whole; on += .5) {
        all.push_back(line[i - 1] + (line[i] - line[i - 1]) * (on / whole));
      }
    }
    all.push_back(line.back());
    return all;
  };
  double least = kCanvas;
  for (const Point& a : points(one)) {
    for (const Point& b : points(other)) least = std::min(least, length(a - b));
  }
  return least;
}

TEST(Diagrams, ArrowsOfFlowChartsNeverCross) {
  std::map<size_t, int> sizes;
  for (uint64_t index = 0; index < 500; ++index) {
    const FlowChart c = flow(index);
    ++sizes[c.nodes.size()];
    const auto layout = lay_out(c);
    ASSERT_TRUE(layout);
    for (size_t i = 0; i < layout->lines.size(); ++i) {
      ASSERT_EQ(layout->labels[i].has_value(), c.edges[i].branch != Branch::only);
      for (size_t j = 0; j < i; ++j) {
        ASSERT_GT(apart(layout->lines[i], layout->lines[j]), 6) << index;
      }
    }
  }
  ASSERT_EQ(sizes.size(), 3u);
  for (const auto& [size, count] : sizes) EXPECT_GT(count, 75) << size;
}

TEST(Diagrams, FlowChartsLeadFromTheStartToAnEnd) {
  for (uint64_t index = 0; index < kMany; ++index) {
    const FlowChart c = flow(index);
    for (size_t i = 0; i < c.nodes.size(); ++i) {
      int out = 0, in = 0;
      for (const FlowEdge& e : c.edges) {
        out += e.from == static_cast<int>(i);
        in += e.to == static_cast<int>(i);
        ASSERT_NE(e.from, e.to);
      }
      const Box box = c.nodes[i].box;
      const int wanted = box == Box::decision ? 2 : box == Box::terminal && i > 0 ? 0 : 1;
      ASSERT_EQ(out, wanted) << index;
      ASSERT_EQ(in == 0, i == 0) << index;
      for (size_t j = 0; j < i; ++j) {
        ASSERT_NE(c.nodes[i].cell, c.nodes[j].cell);
        ASSERT_NE(c.nodes[i].letter, c.nodes[j].letter);
      }
    }
  }
}

// All that the text does not say is where things lie: with that from the record, the same picture.
TEST(Diagrams, FlowChartsComeBackFromTheirTexts) {
  for (uint64_t index = 0; index < 300; ++index) {
    const FlowChart truth = flow(index);
    const FlowGraph graph = parse_flow(flow_text(truth));
    ASSERT_EQ(graph, flow_graph(truth)) << flow_text(truth);
    FlowChart again = truth;
    std::map<char, std::vector<FlowGraph::Edge>> out;
    for (const auto& e : graph.edges) out[e.from].push_back(e);
    for (FlowNode& node : again.nodes) {
      const bool ends = graph.starts.contains(node.letter) || graph.ends.contains(node.letter);
      node.box = ends ? Box::terminal : out[node.letter].size() == 2 ? Box::decision : Box::process;
    }
    for (FlowEdge& e : again.edges) {
      const char from = again.nodes[static_cast<size_t>(e.from)].letter;
      const char to = again.nodes[static_cast<size_t>(e.to)].letter;
      const auto said = std::find_if(out[from].begin(), out[from].end(),
                                     [&](const auto& edge) { return edge.to == to; });
      ASSERT_NE(said, out[from].end());
      e.branch = said->branch;
    }
    if (index < 30) {
      EXPECT_EQ(picture(again), picture(truth));
    }
  }
}

TEST(Diagrams, FlowTextsAreReadWhateverTheyHold) {
  const FlowGraph graph = parse_flow("start a; A to B ;B yes C; B no D; end D ; end C");
  EXPECT_EQ(graph, parse_flow("end C ; B no D ; start A ; A to B ; B yes C ; end D"));
  EXPECT_EQ(graph.unread, 0);
  EXPECT_EQ(edge_f1(graph, graph), 1);
  EXPECT_NEAR(edge_f1(parse_flow("A to B ; B yes D ; B no D"), graph), 2. / 3, 1e-9);
  EXPECT_NEAR(edge_f1(parse_flow("A to B ; the rest is hidden"), graph), 2. / 5, 1e-9);
  EXPECT_EQ(edge_f1(parse_flow(""), graph), 0);
  EXPECT_EQ(parse_flow("A goes B ; I to A ; start").unread, 3);
}

TEST(Diagrams, BarChartsComeBackFromTheirTexts) {
  std::map<int, int> values;
  for (uint64_t index = 0; index < kMany; ++index) {
    const BarChart truth = chart(index);
    const std::map<char, int> said = parse_chart(chart_text(truth));
    ASSERT_EQ(said.size(), truth.bars.size());
    ASSERT_TRUE(truth.bars.size() >= 2 && truth.bars.size() <= 5);
    std::set<int> colours;
    BarChart again = truth;
    for (Bar& bar : again.bars) {
      bar.value = said.at(bar.letter);
      colours.insert(bar.colour);
      ++values[bar.value];
    }
    ASSERT_EQ(colours.size(), truth.bars.size());
    ASSERT_EQ(chart_text(again), chart_text(truth));
    if (index < 30) {
      EXPECT_EQ(picture(again), picture(truth));
    }
  }
  EXPECT_EQ(values.size(), 10u);
  EXPECT_EQ(parse_chart("a 3, B 7 , C x , D 4 4"), (std::map<char, int>{{'A', 3}, {'B', 7}}));
  EXPECT_NEAR(value_accuracy({{'A', 3}, {'B', 6}}, {{'A', 3}, {'B', 7}}), .5, 1e-9);
  EXPECT_NEAR(value_accuracy({{'A', 3}, {'B', 7}, {'C', 1}}, {{'A', 3}, {'B', 7}}), 2. / 3, 1e-9);
  EXPECT_EQ(value_accuracy(parse_chart("A 3 , A 4"), {{'A', 3}}), 0);
}

// The rows of the bar's colour, counted in a true picture, are in proportion to its value.
TEST(Diagrams, BarsAreAsHighAsTheirValues) {
  for (int value = 0; value <= kMostValue; ++value) {
    BarChart c;
    c.bars = {{'A', value, 4}, {'B', 5, 0}};
    const Image image = render_diagram(c, 128).image;
    const int x = 28 + 24;  // the middle of the first of two bars
    int blue = 0;
    for (int y = 0; y < 128; ++y) {
      const uint8_t* rgb = &image.rgb[3 * static_cast<size_t>(128 * y + x)];
      blue += rgb[2] > 150 && rgb[0] < 100;
    }
    EXPECT_NEAR(blue, std::max(0, 9 * value - 2), 2) << value;
  }
}

TEST(Diagrams, CircuitsComeBackFromTheirTexts) {
  for (uint64_t index = 0; index < kMany; ++index) {
    const Circuit truth = circuit(index);
    const std::string text = circuit_text(wiring_of(truth));
    const auto wiring = parse_circuit(text);
    ASSERT_TRUE(wiring) << text;
    ASSERT_EQ(circuit_text(*wiring), text);
    const std::vector<Element> all = elements_of(*wiring);
    ASSERT_TRUE(all.size() >= 1 && all.size() <= 4) << text;
    Circuit again = truth;
    const auto restore = [&](std::vector<Element>& list) {
      for (Element& e : list) {
        const auto said = std::find_if(all.begin(), all.end(),
                                       [&](const Element& a) { return a.letter == e.letter; });
        ASSERT_NE(said, all.end());
        e.component = said->component, e.open = said->open;
      }
    };
    restore(again.series);
    for (auto& branch : again.branches) restore(branch);
    if (index < 60) {
      EXPECT_EQ(picture(again), picture(truth)) << text;
    }
  }
}

TEST(Diagrams, CircuitsHaveOneCanonicalForm) {
  const std::string text = "source , series ( R A , parallel ( L B , S C open ) )";
  for (const char* same : {"source , series ( parallel ( S C open , L B ) , R A )",
                           "source,series(series(R A),parallel(series(S C open),parallel(L B)))",
                           "source , series ( R A , series ( parallel ( L B , S C open ) ) )"}) {
    const auto wiring = parse_circuit(same);
    ASSERT_TRUE(wiring) << same;
    EXPECT_EQ(circuit_text(*wiring), text);
  }
  EXPECT_NE(circuit_text(*parse_circuit("source , series ( R A , L B , S C open )")), text);
  for (const char* none :
       {"", "source", "source ,", "source , R", "source , R A , R B", "source , series ( )",
        "source , series ( R A", "source , series ( R A ) )", "source , S A", "source , X A",
        "source , R I", "series ( R A )", "source , series ( R A , )",
        "source , series(series(series(series(series(series(series(series(series(R A)))))))))"}) {
    EXPECT_FALSE(parse_circuit(none)) << none;
  }
}

// The wires of a circuit as a graph: an element joins two points.
struct Wires {
  struct Joint {
    int from, to;
    Element element;
  };
  explicit Wires(const Wiring& wiring) { add(wiring, 0, 1); }
  void add(const Wiring& part, int from, int to) {
    if (part.kind == Wiring::Kind::element) joints.push_back({from, to, part.element});
    if (part.kind == Wiring::Kind::parallel) {
      for (const Wiring& branch : part.parts) add(branch, from, to);
    }
    if (part.kind != Wiring::Kind::series) return;
    for (size_t i = 0; i < part.parts.size(); ++i) {
      const int next = i + 1 == part.parts.size() ? to : points++;
      add(part.parts[i], from, next);
      from = next;
    }
  }
  // Calls `visit` with the elements of each way through closed elements that meets no point twice.
  template <class Visit>
  void ways(int at, std::set<int> met, std::vector<Element> way, Visit visit) const {
    if (at == 1) return visit(way);
    met.insert(at);
    for (const Joint& joint : joints) {
      for (const auto& [near, far] : {std::pair(joint.from, joint.to), {joint.to, joint.from}}) {
        if (near != at || met.contains(far) || joint.element.open) continue;
        way.push_back(joint.element);
        ways(far, met, way, visit);
        way.pop_back();
      }
    }
  }
  std::vector<Joint> joints;
  int points = 2;  // 0 and 1 are the source's
};

TEST(Diagrams, LampsLightOnWaysFromTheSourceToTheSource) {
  int lit = 0, dark = 0, parallel = 0;
  for (uint64_t index = 0; index < kMany; ++index) {
    const Wiring wiring = wiring_of(circuit(index));
    std::set<char> lamps;
    Wires(wiring).ways(0, {}, {}, [&](const std::vector<Element>& way) {
      bool load = false;
      for (const Element& e : way) {
        if (e.component == Component::lamp) lamps.insert(e.letter);
        load |= e.component != Component::switch_;
      }
      EXPECT_TRUE(load) << "a short circuit: " << circuit_text(wiring);
    });
    ASSERT_EQ(lit_lamps(wiring), lamps) << circuit_text(wiring);
    lit += !lamps.empty(), dark += lamps.empty();
    // In parallel: no way holds both, all switches closed.
    Wiring closed = wiring;
    const std::vector<Element> all = elements_of(wiring);
    for (const Element& e : all) closed = with_switch(closed, e.letter, false);
    for (const Element& one : all) {
      for (const Element& other : all) {
        if (one.letter >= other.letter) continue;
        bool together = false;
        Wires(closed).ways(0, {}, {}, [&](const std::vector<Element>& way) {
          const auto on = [&](char letter) {
            return std::any_of(way.begin(), way.end(),
                               [&](const Element& e) { return e.letter == letter; });
          };
          together |= on(one.letter) && on(other.letter);
        });
        ASSERT_EQ(in_parallel(wiring, one.letter, other.letter), !together);
        parallel += !together;
      }
    }
  }
  EXPECT_GT(lit, 250);
  EXPECT_GT(dark, 250);
  EXPECT_GT(parallel, 250);
}

}  // namespace
}  // namespace janus
