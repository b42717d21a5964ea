// See choice_parts.h. Parts of a diagram stand among the options with what they are, "bar C": their
// letters are those of options too. SPDX-License-Identifier: MIT
#include <algorithm>
#include <array>

#include "world/choice_parts.h"
#include "world/diagram_tasks.h"
#include "world/layout.h"

namespace janus {
namespace {

constexpr std::array<std::string_view, 4> kPictureKinds = {"a scene of toys", "a flow chart",
                                                           "a bar chart", "a circuit"};
constexpr double kStepsOfDecisions = .5;

std::string part(std::string_view what, char letter) {
  return std::string(what) + ' ' + std::string(1, letter);
}

// One that training may show where it is for training, and that `suits`.
template <class Draw, class Suits>
auto drawn(Philox& random, Split split, ChoiceSample& sample, Draw draw, Suits suits) {
  decltype(draw(random)) diagram;
  do {
    diagram = draw(random);
    sample.held = shows_held_out(Diagram(diagram));
  } while ((split == Split::train && sample.held) || !suits(diagram));
  sample.diagram = diagram;
  return diagram;
}

constexpr auto kAny = [](const auto&) { return true; };

bool ask_chart(Philox& random, Split split, ChoiceSample& sample) {
  const auto highest = [](const BarChart& chart) {
    return *std::max_element(chart.bars.begin(), chart.bars.end(),
                             [](const Bar& a, const Bar& b) { return a.value < b.value; });
  };
  const BarChart chart = drawn(random, split, sample, draw_bar_chart, [&](const BarChart& any) {
    return std::count_if(any.bars.begin(), any.bars.end(),
                         [&](const Bar& bar) { return bar.value == highest(any).value; }) == 1;
  });
  std::vector<std::string> options;
  for (const Bar& bar : chart.bars) options.push_back(part("bar", bar.letter));
  const std::string right = part("bar", highest(chart).letter);
  std::erase(options, right);
  return put_options(random, sample, "which bar is the highest?", right, options);
}

bool ask_flow(Philox& random, Split split, ChoiceSample& sample) {
  const bool decision = random.chance(kStepsOfDecisions);
  const auto asked = [&](const FlowEdge& edge) {
    return (edge.branch != Branch::only) == decision;
  };
  const FlowChart chart =
      drawn(random, split, sample, draw_flow_chart, [&](const FlowChart& candidate) {
        return std::any_of(candidate.edges.begin(), candidate.edges.end(), asked);
      });
  std::vector<FlowEdge> edges;
  std::copy_if(chart.edges.begin(), chart.edges.end(), std::back_inserter(edges), asked);
  const FlowEdge& edge = edges[static_cast<size_t>(random.below(static_cast<int>(edges.size())))];
  std::vector<std::string> others;
  for (int i = 0; i < static_cast<int>(chart.nodes.size()); ++i) {
    if (i == edge.from || i == edge.to) continue;
    others.push_back(part("step", chart.nodes[static_cast<size_t>(i)].letter));
  }
  std::string question =
      "what comes after " + part("step", chart.nodes[static_cast<size_t>(edge.from)].letter);
  if (decision) {
    question += edge.branch == Branch::yes ? " if the answer is yes" : " if the answer is no";
  }
  return put_options(random, sample, question + '?',
                     part("step", chart.nodes[static_cast<size_t>(edge.to)].letter), others);
}

std::vector<char> lamps_of(const Circuit& circuit) {
  std::vector<char> lamps;
  for (const Element& e : elements_of(wiring_of(circuit))) {
    if (e.component == Component::lamp) lamps.push_back(e.letter);
  }
  return lamps;
}

// Of at least two lamps one lights for half of the questions, all of them or none for a quarter.
bool ask_circuit(Philox& random, Split split, ChoiceSample& sample) {
  const int wanted = random.below(4);
  const auto suits = [&](const Circuit& circuit) {
    const size_t lamps = lamps_of(circuit).size(), lit = lit_lamps(wiring_of(circuit)).size();
    return lamps >= 2 && lit == (wanted == 0 ? lamps : wanted == 1 ? 0 : 1);
  };
  const Circuit circuit = drawn(random, split, sample, draw_circuit, suits);
  const std::set<char> lit = lit_lamps(wiring_of(circuit));
  std::vector<std::string> options = {"all of them", "none of them"};
  for (const char lamp : lamps_of(circuit)) options.push_back(part("lamp", lamp));
  const std::string right =
      wanted < 2 ? options[static_cast<size_t>(wanted)] : part("lamp", *lit.begin());
  std::erase(options, right);
  return put_options(random, sample, "which lamp lights?", right, options);
}

bool set_any_scene(Philox& random, Split split, ChoiceSample& sample) {
  const Pairs pairs = split == Split::train ? Pairs::seen : Pairs::all;
  sample.scene.objects.clear();
  for (int n = draw_count(random); n > 0; --n) {
    sample.scene.objects.push_back(draw_object(random, pairs));
  }
  sample.held = shows_held_out(sample.scene);
  draw_backdrop(random, sample.scene);
  lay_out(random, sample.scene);
  return split != Split::train || !sample.held;
}

}  // namespace

bool ask_picture_kind(Philox& random, Split split, ChoiceSample& sample) {
  const int which = random.below(static_cast<int>(kPictureKinds.size()));
  if (which == 0) {
    while (!set_any_scene(random, split, sample)) {
    }
  } else if (which == 1) {
    drawn(random, split, sample, draw_flow_chart, kAny);
  } else if (which == 2) {
    drawn(random, split, sample, draw_bar_chart, kAny);
  } else {
    drawn(random, split, sample, draw_circuit, kAny);
  }
  std::vector<std::string> options(kPictureKinds.begin(), kPictureKinds.end());
  const std::string right = options[static_cast<size_t>(which)];
  std::erase(options, right);
  return put_options(random, sample, "what kind of picture is this?", right, options);
}

bool ask_structure(Philox& random, Split split, ChoiceSample& sample) {
  constexpr std::array kKinds = {ask_chart, ask_flow, ask_circuit};
  return kKinds[static_cast<size_t>(random.below(static_cast<int>(kKinds.size())))](random, split,
                                                                                    sample);
}

}  // namespace janus
