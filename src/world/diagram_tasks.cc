// A question's kind is chosen first and the diagram drawn for it, so that answers come about
// equally often. The verdict on answers is in world/diagram_verdict.cc.
// SPDX-License-Identifier: MIT
#include "world/diagram_tasks.h"

#include <algorithm>
#include <array>
#include <span>

#include "world/diagram_phrasings.h"
#include "world/letters.h"
#include "world/wording.h"

namespace janus {
namespace {

constexpr double kWholes = .5;       // of training rows
constexpr double kSeriesAsked = .4;  // of circuits without branches, so that yes and no are even
constexpr double kNoneAsked = .5;    // of questions that no lamp is the answer to

// What goes into a phrasing, and the answer; false where the diagram does not suit.
template <class Kind>
using Ask = bool (*)(const Kind& diagram, Philox& random, Gaps& gaps, std::string& answer);

template <class Kind>
struct Question {
  std::string_view kind;
  double weight;
  const DiagramPhrasings& phrasings;
  Ask<Kind> ask;
};

template <class Kind>
struct Quiz {
  std::string_view stream;
  Kind (*draw)(Philox&);
  std::string (*text)(const Kind&);
  const DiagramPhrasings& whole;
  std::span<const Question<Kind>> questions;
};

std::string word(char letter) { return std::string(1, letter); }

template <class List>
const auto& any(Philox& random, const List& list) {
  return list[static_cast<size_t>(random.below(static_cast<int>(list.size())))];
}

// An arrow of a decision, or of another node; none where there is none.
const FlowEdge* any_edge(const FlowChart& chart, Philox& random, bool of_decision) {
  std::vector<const FlowEdge*> edges;
  for (const FlowEdge& edge : chart.edges) {
    if ((edge.branch != Branch::only) == of_decision) edges.push_back(&edge);
  }
  return edges.empty() ? nullptr : any(random, edges);
}

bool next_step(const FlowChart& chart, Philox& random, Gaps& gaps, std::string& answer) {
  const FlowEdge* edge = any_edge(chart, random, false);
  if (!edge) return false;
  gaps = {{"node", word(chart.nodes[static_cast<size_t>(edge->from)].letter)}};
  answer = word(chart.nodes[static_cast<size_t>(edge->to)].letter);
  return true;
}

bool branch_step(const FlowChart& chart, Philox& random, Gaps& gaps, std::string& answer) {
  const FlowEdge* edge = any_edge(chart, random, true);
  if (!edge) return false;
  gaps = {{"node", word(chart.nodes[static_cast<size_t>(edge->from)].letter)},
          {"branch", edge->branch == Branch::yes ? "yes" : "no"}};
  answer = word(chart.nodes[static_cast<size_t>(edge->to)].letter);
  return true;
}

bool decisions(const FlowChart& chart, Philox&, Gaps&, std::string& answer) {
  const auto n = std::count_if(chart.nodes.begin(), chart.nodes.end(),
                               [](const FlowNode& node) { return node.box == Box::decision; });
  answer = std::to_string(n);
  return true;
}

bool start(const FlowChart& chart, Philox&, Gaps&, std::string& answer) {
  answer = word(chart.nodes[0].letter);
  return true;
}

constexpr Question<FlowChart> kFlowQuestions[] = {{"next", 2, kNext, next_step},
                                                  {"branch", 2, kBranch, branch_step},
                                                  {"decisions", 1, kDecisions, decisions},
                                                  {"start", 1, kStart, start}};

bool value(const BarChart& chart, Philox& random, Gaps& gaps, std::string& answer) {
  const Bar& bar = any(random, chart.bars);
  gaps = {{"bar", word(bar.letter)}};
  answer = std::to_string(bar.value);
  return true;
}

bool highest(const BarChart& chart, Philox&, Gaps&, std::string& answer) {
  const auto most = std::max_element(chart.bars.begin(), chart.bars.end(),
                                     [](const Bar& a, const Bar& b) { return a.value < b.value; });
  answer = word(most->letter);
  return std::count_if(chart.bars.begin(), chart.bars.end(),
                       [&](const Bar& bar) { return bar.value == most->value; }) == 1;
}

// Two bars in either order.
std::array<Bar, 2> two_bars(const BarChart& chart, Philox& random, Gaps& gaps) {
  std::vector<Bar> bars = chart.bars;
  shuffle(random, bars);
  gaps = {{"bar", word(bars[0].letter)}, {"other", word(bars[1].letter)}};
  return {bars[0], bars[1]};
}

bool sum(const BarChart& chart, Philox& random, Gaps& gaps, std::string& answer) {
  const auto [one, other] = two_bars(chart, random, gaps);
  answer = std::to_string(one.value + other.value);
  return true;
}

bool difference(const BarChart& chart, Philox& random, Gaps& gaps, std::string& answer) {
  const auto [one, other] = two_bars(chart, random, gaps);
  answer = std::to_string(std::max(one.value, other.value) - std::min(one.value, other.value));
  return true;
}

bool above(const BarChart& chart, Philox& random, Gaps& gaps, std::string& answer) {
  const int least = 1 + random.below(kMostValue - 1);
  gaps = {{"value", std::to_string(least)}};
  answer = std::to_string(std::count_if(chart.bars.begin(), chart.bars.end(),
                                        [&](const Bar& bar) { return bar.value > least; }));
  return true;
}

constexpr Question<BarChart> kChartQuestions[] = {{"value", 2, kValue, value},
                                                  {"highest", 1, kHighest, highest},
                                                  {"sum", 1, kSum, sum},
                                                  {"difference", 1, kDifference, difference},
                                                  {"above", 1, kAbove, above}};

bool lamps(const Circuit& circuit, Philox&, Gaps&, std::string& answer) {
  const std::vector<Element> all = elements_of(wiring_of(circuit));
  answer = std::to_string(std::count_if(
      all.begin(), all.end(), [](const Element& e) { return e.component == Component::lamp; }));
  return true;
}

// Yes and no about equally often.
bool parallel(const Circuit& circuit, Philox& random, Gaps& gaps, std::string& answer) {
  const Wiring wiring = wiring_of(circuit);
  const std::vector<Element> all = elements_of(wiring);
  std::array<std::vector<std::array<char, 2>>, 2> pairs;  // no, yes
  for (const Element& one : all) {
    for (const Element& other : all) {
      if (one.letter == other.letter) continue;
      pairs[in_parallel(wiring, one.letter, other.letter)].push_back({one.letter, other.letter});
    }
  }
  const bool asked = !pairs[1].empty() || random.chance(kSeriesAsked);
  if (!asked || all.size() < 2) return false;
  const bool yes = pairs[0].empty() || (!pairs[1].empty() && random.chance(.5));
  const auto& [one, other] = any(random, pairs[yes]);
  gaps = {{"one", word(one)}, {"other", word(other)}};
  answer = yes ? "yes" : "no";
  return true;
}

bool lights(const Circuit& circuit, Philox& random, Gaps& gaps, std::string& answer) {
  const Wiring wiring = wiring_of(circuit);
  std::vector<char> switches;
  bool lamp = false;
  for (const Element& e : elements_of(wiring)) {
    if (e.component == Component::switch_) switches.push_back(e.letter);
    lamp |= e.component == Component::lamp;
  }
  if (!lamp || switches.empty()) return false;
  const char asked = any(random, switches);
  const bool open = random.chance(.5);
  gaps = {{"switch", word(asked)}, {"state", open ? "open" : "closed"}};
  answer.clear();
  for (const char lit : lit_lamps(with_switch(wiring, asked, open))) {
    answer += (answer.empty() ? "" : " and ") + word(lit);
  }
  if (!answer.empty()) return true;
  answer = "none";
  return random.chance(kNoneAsked);
}

constexpr Question<Circuit> kCircuitQuestions[] = {{"lamps", 1, kLamps, lamps},
                                                   {"parallel", 1, kParallel, parallel},
                                                   {"lights", 2, kLights, lights}};

// The questions of one sample in the making.
template <class Kind>
class Asking {
 public:
  Asking(const Quiz<Kind>& quiz, Split split, uint64_t index)
      : quiz_(quiz), split_(split), random_(world_stream(split, quiz.stream, index)) {}

  DiagramSample sample(uint64_t index, int turns) {
    const bool training = split_ == Split::train;
    const bool whole_first = training ? random_.chance(kWholes) : index % 2 == 0;
    if (whole_first) {
      draw();
      add_whole();
    } else {
      const Question<Kind>& first = pick_question();
      do {
        draw();
      } while (!add(first));
      if (!training && turns > 1) add_whole();
    }
    if (!(training && whole_first)) add_more(turns);
    return {diagram_, std::move(questions_)};
  }

 private:
  // Questions of other kinds, each kind tried once.
  void add_more(int turns) {
    std::vector<double> weights;
    for (const Question<Kind>& question : quiz_.questions) {
      weights.push_back(asked(question.kind) ? 0 : question.weight);
    }
    for (size_t left = weights.size(); left > 0; --left) {
      if (static_cast<int>(questions_.size()) >= turns) return;
      const auto next = static_cast<size_t>(pick(random_, weights));
      if (weights[next] > 0) add(quiz_.questions[next]);
      weights[next] = 0;
    }
  }
  void draw() {
    do {
      diagram_ = quiz_.draw(random_);
      held_ = shows_held_out(Diagram(diagram_));
    } while (split_ == Split::train && held_);
  }
  const Question<Kind>& pick_question() {
    std::vector<double> weights;
    for (const Question<Kind>& question : quiz_.questions) weights.push_back(question.weight);
    return quiz_.questions[static_cast<size_t>(pick(random_, weights))];
  }
  bool asked(std::string_view kind) const {
    return std::any_of(questions_.begin(), questions_.end(),
                       [&](const DiagramQuestion& q) { return q.kind == kind; });
  }
  void put(std::string_view kind, const DiagramPhrasings& list, const Gaps& gaps,
           std::string answer) {
    const Phrasing phrasing = choose_phrasing(random_, split_, list);
    std::string text = fill(phrasing.text, gaps);
    if (split_ == Split::train) text = as_typed(random_, std::move(text));
    questions_.push_back(
        {std::string(kind), std::move(text), std::move(answer), held_ || phrasing.held});
  }
  void add_whole() { put(kWhole, quiz_.whole, {}, quiz_.text(diagram_)); }
  bool add(const Question<Kind>& question) {
    Gaps gaps;
    std::string answer;
    if (!question.ask(diagram_, random_, gaps, answer)) return false;
    put(question.kind, question.phrasings, gaps, std::move(answer));
    return true;
  }

  const Quiz<Kind>& quiz_;
  Split split_;
  Philox random_;
  Kind diagram_;
  bool held_ = false;
  std::vector<DiagramQuestion> questions_;
};

int number_of(char letter) { return letter - kLetters[0]; }

bool held_in(const FlowChart& chart) {
  const auto number = [&](int node) {
    return number_of(chart.nodes[static_cast<size_t>(node)].letter);
  };
  return std::any_of(chart.edges.begin(), chart.edges.end(), [&](const FlowEdge& edge) {
    return held_out_arrow(number(edge.from), number(edge.to));
  });
}

bool held_in(const BarChart& chart) {
  return std::any_of(chart.bars.begin(), chart.bars.end(), [](const Bar& bar) {
    return held_out_value(number_of(bar.letter), bar.value);
  });
}

bool held_in(const Circuit& circuit) {
  const std::vector<Element> all = elements_of(wiring_of(circuit));
  return std::any_of(all.begin(), all.end(), [](const Element& e) {
    return held_out_component(static_cast<int>(e.component), number_of(e.letter));
  });
}

}  // namespace

bool shows_held_out(const Diagram& diagram) {
  return std::visit([](const auto& d) { return held_in(d); }, diagram);
}

DiagramSample flow_sample(Split split, uint64_t index, int turns) {
  const Quiz<FlowChart> quiz = {"flows", draw_flow_chart, flow_text, kWholeFlow, kFlowQuestions};
  return Asking(quiz, split, index).sample(index, turns);
}

DiagramSample chart_sample(Split split, uint64_t index, int turns) {
  const Quiz<BarChart> quiz = {"charts", draw_bar_chart, chart_text, kWholeChart, kChartQuestions};
  return Asking(quiz, split, index).sample(index, turns);
}

DiagramSample circuit_sample(Split split, uint64_t index, int turns) {
  const auto text = [](const Circuit& circuit) { return circuit_text(wiring_of(circuit)); };
  const Quiz<Circuit> quiz = {"circuits", draw_circuit, text, kWholeCircuit, kCircuitQuestions};
  return Asking(quiz, split, index).sample(index, turns);
}

}  // namespace janus
