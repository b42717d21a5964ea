// See curves.h. SPDX-License-Identifier: MIT
#include "train/curves.h"

#include <algorithm>
#include <cmath>
#include <iomanip>
#include <limits>
#include <sstream>

#include "train/html.h"

namespace janus::train {
namespace {

constexpr double kWidth = 460, kHeight = 220;
constexpr double kLeft = 52, kRight = 12, kTop = 12, kBottom = 26;  // margins
constexpr int kColours = 6;
constexpr size_t kDots = 60;  // a curve of more points has a dot at every so-manieth only

// From values to pixels.
class Scale {
 public:
  Scale(double low, double high, double from, double to, bool logarithmic)
      : log_(logarithmic), low_(place(low)), high_(place(high)), from_(from), to_(to) {
    if (high_ == low_) {  // one value: a little of what is around it
      const double room = low_ == 0 ? 1 : std::abs(low_) * .1;
      low_ -= room;
      high_ += room;
    }
  }
  double operator()(double value) const {
    return from_ + (place(value) - low_) / (high_ - low_) * (to_ - from_);
  }
  // About `count` round values: 1, 2 or 5 times a power of ten; powers of ten where logarithmic.
  std::vector<double> ticks(int count) const {
    std::vector<double> all;
    if (log_) {
      for (double power = std::ceil(low_); power <= high_; ++power)
        all.push_back(std::pow(10, power));
      return all;
    }
    const double rough = (high_ - low_) / count;
    const double power = std::pow(10, std::floor(std::log10(rough)));
    const double step = power * (rough / power < 1.5 ? 1 : rough / power < 3.5 ? 2 : 5);
    for (double k = std::ceil(low_ / step); k * step <= high_; ++k) all.push_back(k * step);
    return all;
  }

 private:
  double place(double value) const { return log_ ? std::log10(value) : value; }

  bool log_;
  double low_, high_, from_, to_;
};

struct Range {
  double low = std::numeric_limits<double>::infinity();
  double high = -std::numeric_limits<double>::infinity();
  void add(double value) {
    low = std::min(low, value);
    high = std::max(high, value);
  }
};

std::string fixed(double pixels) {
  std::ostringstream out;
  out << std::fixed << std::setprecision(1) << pixels;
  return out.str();
}

void draw_axes(std::ostringstream& out, const Scale& x, const Scale& y) {
  for (const double value : y.ticks(4)) {
    const std::string at = fixed(y(value));
    out << "<line class=grid x1=" << kLeft << " x2=" << kWidth - kRight << " y1=" << at
        << " y2=" << at << " /><text x=" << kLeft - 6 << " y=" << at << " text-anchor=end dy=.32em>"
        << short_number(value) << "</text>";
  }
  for (const double value : x.ticks(5)) {
    out << "<text x=" << fixed(x(value)) << " y=" << kHeight - 8 << " text-anchor=middle>"
        << short_number(value) << "</text>";
  }
}

void draw_curve(std::ostringstream& out, const Curve& curve, int colour, const Scale& x,
                const Scale& y) {
  out << "<path class=c" << colour << " d=\"";
  bool drawing = false;
  for (const auto& [at, value] : curve.points) {
    if (std::isfinite(value)) {
      out << (drawing ? 'L' : 'M') << fixed(x(at)) << ' ' << fixed(y(value));
    }
    drawing = std::isfinite(value);
  }
  out << "\" />";
  const size_t stride = curve.points.size() / kDots + 1;
  for (size_t i = 0; i < curve.points.size(); i += stride) {
    const auto& [at, value] = curve.points[i];
    if (!std::isfinite(value)) continue;
    out << "<circle class=c" << colour << " cx=" << fixed(x(at)) << " cy=" << fixed(y(value))
        << " r=2.5><title>" << escaped(curve.name) << ' ' << short_number(value) << ", step "
        << short_number(at) << "</title></circle>";
  }
}

}  // namespace

std::string short_number(double value) {
  std::ostringstream out;
  if (value == std::round(value) && std::abs(value) < 1e9) {
    out << static_cast<int64_t>(value);
  } else {
    out << std::setprecision(value != 0 && std::abs(value) < 0.01 ? 2 : 4) << value;
  }
  return out.str();
}

std::string chart_svg(const std::string& title, const std::vector<Curve>& curves) {
  Range across, up;
  for (const Curve& curve : curves) {
    for (const auto& [at, value] : curve.points) {
      across.add(at);
      if (std::isfinite(value)) up.add(value);
    }
  }
  std::ostringstream out;
  out << "<figure><figcaption>" << escaped(title) << "</figcaption>";
  if (up.low > up.high) {
    out << "<p>no finite value</p></figure>";
    return out.str();
  }
  const bool logarithmic = up.low > 0 && up.high > 100 * up.low;
  const Scale x(across.low, across.high, kLeft, kWidth - kRight, false);
  const Scale y(up.low, up.high, kHeight - kBottom, kTop, logarithmic);
  out << "<svg viewBox=\"0 0 " << kWidth << ' ' << kHeight << "\" role=img aria-label=\""
      << escaped(title) << "\">";
  draw_axes(out, x, y);
  int colour = 0;
  for (const Curve& curve : curves) draw_curve(out, curve, colour++ % kColours, x, y);
  out << "</svg><ul>";
  colour = 0;
  for (const Curve& curve : curves) {
    out << "<li class=c" << colour++ % kColours << ">" << escaped(curve.name);
    if (!curve.points.empty()) out << " <b>" << short_number(curve.points.back().second) << "</b>";
    out << "</li>";
  }
  out << "</ul></figure>";
  return out.str();
}

}  // namespace janus::train
