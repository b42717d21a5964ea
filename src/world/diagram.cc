// See diagram.h; the record is written as world/scene.cc writes that of scenes.
// SPDX-License-Identifier: MIT
#include "world/diagram.h"

namespace janus {
namespace {

std::string quoted(std::string_view word) { return '"' + std::string(word) + '"'; }
std::string quoted(char letter) { return quoted(std::string_view(&letter, 1)); }

// "[...]" of what `write` makes of each.
template <class List, class Write>
std::string listed(const List& list, Write write) {
  std::string text;
  for (const auto& item : list) text += (text.empty() ? "" : ",") + write(item);
  return '[' + text + ']';
}

std::string body(const FlowChart& chart) {
  constexpr std::array<std::string_view, 3> kBoxes = {"process", "decision", "terminal"};
  constexpr std::array<std::string_view, 3> kBranches = {"", "yes", "no"};
  return "\"kind\":\"flow\",\"columns\":" + std::to_string(chart.columns) + ",\"nodes\":" +
         listed(chart.nodes,
                [&](const FlowNode& n) {
                  return "{\"letter\":" + quoted(n.letter) +
                         ",\"box\":" + quoted(kBoxes[static_cast<size_t>(n.box)]) +
                         ",\"cell\":" + std::to_string(n.cell) + '}';
                }) +
         ",\"edges\":" + listed(chart.edges, [&](const FlowEdge& e) {
           return "{\"from\":" + std::to_string(e.from) + ",\"to\":" + std::to_string(e.to) +
                  ",\"branch\":" + quoted(kBranches[static_cast<size_t>(e.branch)]) +
                  ",\"bend\":" + std::to_string(e.bend) + '}';
         });
}

std::string body(const BarChart& chart) {
  return "\"kind\":\"chart\",\"bars\":" + listed(chart.bars, [](const Bar& b) {
           return "{\"letter\":" + quoted(b.letter) + ",\"value\":" + std::to_string(b.value) +
                  ",\"color\":" + quoted(colour_name(b.colour)) + '}';
         });
}

std::string body(const Circuit& circuit) {
  constexpr std::array<std::string_view, 3> kComponents = {"resistor", "lamp", "switch"};
  const auto elements = [&](const std::vector<Element>& list) {
    return listed(list, [&](const Element& e) {
      return "{\"letter\":" + quoted(e.letter) +
             ",\"component\":" + quoted(kComponents[static_cast<size_t>(e.component)]) +
             ",\"open\":" + (e.open ? "true" : "false") + ",\"slot\":" + std::to_string(e.slot) +
             '}';
    });
  };
  return "\"kind\":\"circuit\",\"series\":" + elements(circuit.series) +
         ",\"branches\":" + listed(circuit.branches, elements) +
         ",\"across\":" + (circuit.across ? "true" : "false") +
         ",\"turned\":" + std::to_string(circuit.turned);
}

std::string written(const Hand& hand) {
  const auto tenths = static_cast<int>(hand.shaking * 10 + .5);
  return "{\"seed\":" + std::to_string(hand.seed) + ",\"shaking\":" + std::to_string(tenths / 10) +
         '.' + std::to_string(tenths % 10) + ",\"paper\":" + std::to_string(hand.paper) +
         ",\"ink\":" + std::to_string(hand.ink) + '}';
}

}  // namespace

Rendering render_diagram(const Diagram& diagram, int size) {
  return std::visit([&](const auto& d) { return strokes_of(d).draw(d.hand, size); }, diagram);
}

Diagram bare(const Diagram& diagram) {
  return std::visit(
      [](auto d) -> Diagram {
        const Hand hand = d.hand;
        d = {};
        d.hand = hand;
        return d;
      },
      diagram);
}

std::string diagram_record(const Diagram& diagram, Split split, std::string_view task,
                           uint64_t index) {
  std::string text = "{\"v\":" + std::to_string(kWorldVersion);
  text += ",\"split\":" + quoted(split_name(split)) + ",\"task\":" + quoted(task);
  text += ",\"index\":" + std::to_string(index) + ',';
  text +=
      std::visit([](const auto& d) { return body(d) + ",\"hand\":" + written(d.hand); }, diagram);
  return text + '}';
}

}  // namespace janus
