// Line charts as SVG, for a page that needs nothing else. SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace janus::train {

struct Curve {
  std::string name;
  std::vector<std::pair<double, double>>
      points;  // by rising x; those that are not finite leave gaps
};

// One chart with axes and a legend of the last values; every point tells its value when pointed at.
// Where all values are positive and span more than two powers of ten, its scale is logarithmic.
// Colours are the classes c0 .. c5 of the page's style sheet, in the order of the curves.
std::string chart_svg(const std::string& title, const std::vector<Curve>& curves);

// A number as a person would write it, about four digits.
std::string short_number(double value);

}  // namespace janus::train
