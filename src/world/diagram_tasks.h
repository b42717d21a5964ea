// What a model is asked about diagrams: the whole of one as text, or single questions. A sample is
// a pure function of (split, index); the train split never holds what held_out() names nor the
// last phrasing of a list. SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "world/diagram.h"

namespace janus {

inline constexpr std::string_view kWhole = "whole";

struct DiagramQuestion {
  std::string kind;  // kWhole, or what is asked for: "value", "lights", …
  std::string question;
  std::string answer;
  bool held = false;
};
struct DiagramSample {
  Diagram diagram;
  // In training the whole, or up to so many questions as were asked for. Else both where there is
  // room for two, the whole first for every other index.
  std::vector<DiagramQuestion> questions;
};

DiagramSample flow_sample(Split split, uint64_t index, int turns);
DiagramSample chart_sample(Split split, uint64_t index, int turns);
DiagramSample circuit_sample(Split split, uint64_t index, int turns);

// Held out of training: about an eighth each of arrows from letter to letter, of letters with a
// value, and of components with a letter.
constexpr bool held_out_arrow(int from, int to) { return (3 * from + 5 * to) % 7 == 0; }
constexpr bool held_out_value(int letter, int value) { return (3 * letter + value) % 8 == 0; }
constexpr bool held_out_component(int component, int letter) {
  return (3 * component + letter + 5) % 8 == 0;
}
bool shows_held_out(const Diagram& diagram);

// 0 to 1. Of wholes: F1 over the edges of a flow chart; share of the bars with their right value;
// whether a circuit's canonical form is right. Of questions: whether the answer's numbers, letters,
// yes or no are those of the truth.
double flow_grade(const std::string& kind, const std::string& truth, const std::string& answer);
double chart_grade(const std::string& kind, const std::string& truth, const std::string& answer);
double circuit_grade(const std::string& kind, const std::string& truth, const std::string& answer);

// Whether a text says a diagram exactly as another does, in whatever order.
bool same_flow(const std::string& one, const std::string& other);
bool same_chart(const std::string& one, const std::string& other);
bool same_circuit(const std::string& one, const std::string& other);

}  // namespace janus
