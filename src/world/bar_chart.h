// Bar charts: two to five bars named by letters, values 0 to 9. SPDX-License-Identifier: MIT
#pragma once

#include <map>
#include <string>
#include <vector>

#include "world/strokes.h"

namespace janus {

inline constexpr int kMostValue = 9;

struct Bar {
  char letter = 'A';
  int value = 0;
  int colour = 0;  // index into kColours; no two alike
};
struct BarChart {
  std::vector<Bar> bars;  // from left to right; none: bare paper
  Hand hand;
};

BarChart draw_bar_chart(Philox& random);

// "A 3 , B 7 , C 5", from left to right.
std::string chart_text(const BarChart& chart);

// Values by letter, of any text; a letter that has two has none.
std::map<char, int> parse_chart(const std::string& text);
// 0 to 1: bars whose value is right, of those that are there or are said to be.
double value_accuracy(const std::map<char, int>& said, const std::map<char, int>& truth);

Strokes strokes_of(const BarChart& chart);

}  // namespace janus
