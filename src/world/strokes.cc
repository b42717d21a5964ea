// A pen that shakes moves every line near a place alike, so lines that meet stay together: the
// canvas is bent, a little and smoothly, and the strokes are drawn on it straight.
// SPDX-License-Identifier: MIT
#include "world/strokes.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "base/error.h"
#include "world/glyphs.h"

namespace janus {
namespace {

constexpr std::array<Rgb, 3> kPapers = {
    {{.97f, .95f, .90f}, {.95f, .95f, .93f}, {.92f, .94f, .96f}}};
constexpr std::array<Rgb, 3> kInks = {{{.12f, .12f, .15f}, {.12f, .16f, .36f}, {.26f, .16f, .10f}}};
constexpr int kShakingSteps = 7;                       // 0, .1, … .6 units
constexpr double kShakeEvery = 10, kGrainEvery = 1.5;  // units
constexpr float kGrain = .03f, kBlotches = .02f;
constexpr float kPaperVignette = .16f;
constexpr double kPi = 3.14159265358979323846;
constexpr double kArcStep = kPi / 12;
constexpr double kHeadLong = 6, kHeadWide = 3.2;  // of an arrow
constexpr double kGlyphGap = 2;

// Smooth noise in -1..1, two values a place, from random numbers at the corners of a grid.
class Noise {
 public:
  Noise(uint32_t seed, uint32_t which, double every)
      : every_(every), side_(static_cast<int>(kCanvas / every) + 3) {
    for (int i = 0; i < side_ * side_; ++i) {
      const auto words = philox({seed, which}, {static_cast<uint32_t>(i), 0, 0, 0});
      for (size_t c = 0; c < 2; ++c) {
        values_.push_back(static_cast<float>(words[c] >> 8) * 0x1p-23f - 1);
      }
    }
  }
  std::array<float, 2> at(double x, double y) const {
    const double u = x / every_, v = y / every_;
    const int i = static_cast<int>(u), j = static_cast<int>(v);
    const float a = ease(u - i), b = ease(v - j);
    std::array<float, 2> mixed{};
    for (size_t c = 0; c < 2; ++c) {
      const float top = corner(i, j, c) + a * (corner(i + 1, j, c) - corner(i, j, c));
      const float low = corner(i, j + 1, c) + a * (corner(i + 1, j + 1, c) - corner(i, j + 1, c));
      mixed[c] = top + b * (low - top);
    }
    return mixed;
  }

 private:
  static float ease(double t) { return static_cast<float>(t * t * (3 - 2 * t)); }
  float corner(int i, int j, size_t c) const {
    return values_[2 * static_cast<size_t>(j * side_ + i) + c];
  }
  double every_;
  int side_;
  std::vector<float> values_;
};

// The picture in the making.
struct Sheet {
  Sheet(const Hand& hand, int pixels) : size(pixels), scale(pixels / kCanvas) {
    const Noise shake(hand.seed, 0, kShakeEvery);
    for (int y = 0; y < size; ++y) {
      for (int x = 0; x < size; ++x) {
        const Point at = {(x + .5) / scale, (y + .5) / scale};
        const auto moved = shake.at(at.x, at.y);
        bent.push_back({at.x + hand.shaking * static_cast<double>(moved[0]),
                        at.y + hand.shaking * static_cast<double>(moved[1])});
      }
    }
    ink.assign(bent.size(), 1e9f);
    coverage.assign(bent.size(), 0);
    rgb.resize(3 * bent.size());
  }

  // Calls `visit(index)` for the pixels within `reach` units of a box.
  template <class Visit>
  void near(Point low, Point high, double reach, Visit visit) const {
    const auto pixel = [&](double at) {
      return std::clamp(static_cast<int>(std::floor(at * scale)), 0, size);
    };
    for (int y = pixel(low.y - reach); y < pixel(high.y + reach + 1 / scale); ++y) {
      for (int x = pixel(low.x - reach); x < pixel(high.x + reach + 1 / scale); ++x) {
        visit(static_cast<size_t>(y) * static_cast<size_t>(size) + static_cast<size_t>(x));
      }
    }
  }
  void blend(size_t at, float cover, const Rgb& colour) {
    for (size_t c = 0; c < 3; ++c) rgb[3 * at + c] += cover * (colour[c] - rgb[3 * at + c]);
    coverage[at] += cover * (1 - coverage[at]);
  }
  // As for the parts of toys: from a distance in units, negative inside.
  float cover(double distance) const {
    return std::clamp(.5f - static_cast<float>(distance * scale) / 1.2f, 0.f, 1.f);
  }
  double reach() const { return kInk + 2 / scale; }

  int size;
  double scale;                 // pixels a unit
  std::vector<Point> bent;      // [size * size] where a pixel lies among the strokes
  std::vector<float> ink;       // [size * size] distance to the nearest stroke, units
  std::vector<float> coverage;  // [size * size]
  std::vector<float> rgb;       // [size * size, 3]
};

void lay_paper(const Hand& hand, Sheet& sheet) {
  const Noise fine(hand.seed, 1, kGrainEvery), coarse(hand.seed, 2, 4 * kGrainEvery);
  const Rgb& paper = kPapers[static_cast<size_t>(hand.paper)];
  size_t at = 0;
  for (int y = 0; y < sheet.size; ++y) {
    for (int x = 0; x < sheet.size; ++x, ++at) {
      const double px = (x + .5) / sheet.scale, py = (y + .5) / sheet.scale;
      const float grain = kGrain * fine.at(px, py)[0] + kBlotches * coarse.at(px, py)[0];
      for (size_t c = 0; c < 3; ++c) sheet.rgb[3 * at + c] = paper[c] * (1 + grain);
    }
  }
}

Image finish(const Sheet& sheet) {
  Image image{sheet.size, sheet.size, std::vector<uint8_t>(sheet.rgb.size())};
  const auto side = static_cast<size_t>(sheet.size);
  for (size_t at = 0; at < sheet.bent.size(); ++at) {
    const float u = (static_cast<float>(at % side) + .5f) / static_cast<float>(side) - .5f;
    const float v = (static_cast<float>(at / side) + .5f) / static_cast<float>(side) - .5f;
    const float vignette = 1 - kPaperVignette * (u * u + v * v);
    for (size_t c = 0; c < 3; ++c) {
      const float value = std::clamp(sheet.rgb[3 * at + c] * vignette, 0.f, 1.f);
      image.rgb[3 * at + c] = static_cast<uint8_t>(value * 255 + .5f);
    }
  }
  return image;
}

double distance_to_box(Point p, Point low, Point high) {
  const double x = std::max(low.x - p.x, p.x - high.x), y = std::max(low.y - p.y, p.y - high.y);
  return std::min(std::max(x, y), 0.) + length({std::max(x, 0.), std::max(y, 0.)});
}

double distance_to_segment(Point p, Point from, Point to) {
  const Point along = to - from, away = p - from;
  const double squared = along.x * along.x + along.y * along.y;
  const double t = squared > 0 ? (away.x * along.x + away.y * along.y) / squared : 0;
  return length(away - along * std::clamp(t, 0., 1.));
}

}  // namespace

double length(Point a) { return std::sqrt(a.x * a.x + a.y * a.y); }

Hand draw_hand(Philox& random) {
  Hand hand;
  hand.seed = random.next();
  hand.shaking = random.below(kShakingSteps) * .1;
  hand.paper = random.below(static_cast<int>(kPapers.size()));
  hand.ink = random.below(static_cast<int>(kInks.size()));
  return hand;
}

void Strokes::line(Point from, Point to) { segments_.push_back({from, to}); }

void Strokes::path(std::span<const Point> points) {
  for (size_t i = 1; i < points.size(); ++i) line(points[i - 1], points[i]);
}

void Strokes::arc(Point centre, double radius, double from, double to) {
  const int steps = std::max(1, static_cast<int>(std::ceil((to - from) / kArcStep - 1e-9)));
  const auto at = [&](int i) {
    const double angle = from + (to - from) * i / steps;
    return centre + Point{std::cos(angle), std::sin(angle)} * radius;
  };
  for (int i = 0; i < steps; ++i) line(at(i), at(i + 1));
}

void Strokes::circle(Point centre, double radius) { arc(centre, radius, 0, 2 * kPi); }

void Strokes::fill(Point low, Point high, const Rgb& colour) {
  areas_.push_back({low, high, colour});
}

void Strokes::letters(Point centre, std::string_view text) {
  const double step = kGlyphWide + kGlyphGap;
  double x = centre.x - (step * static_cast<double>(text.size()) - kGlyphGap) / 2;
  for (const char letter : text) {
    const auto glyph = std::find_if(kGlyphs.begin(), kGlyphs.end(),
                                    [&](const Glyph& g) { return g.letter == letter; });
    check(glyph != kGlyphs.end(), Code::bug, "no strokes for the letter ", letter);
    const auto point = [&](size_t i) {
      return Point{x + (glyph->strokes[i] - '0') * kGlyphWide / 4,
                   centre.y + ((glyph->strokes[i + 1] - '0') / 6. - .5) * kGlyphHigh};
    };
    for (size_t i = 3; i < glyph->strokes.size(); i += 3) {
      if (glyph->strokes[i - 1] == ' ') line(point(i - 3), point(i));
    }
    x += step;
  }
}

void Strokes::head(Point from, Point tip) {
  const Point along = (tip - from) * (1 / length(tip - from));
  const Point back = tip - along * kHeadLong, aside = Point{-along.y, along.x} * kHeadWide;
  line(back + aside, tip);
  line(back - aside, tip);
  line(back + aside, back - aside);
}

Rendering Strokes::draw(const Hand& hand, int size) const {
  check(size >= 16 && size <= 2048, Code::bad_input, "a diagram cannot be drawn at ", size,
        " pixels: 16 to 2048 are possible");
  Sheet sheet(hand, size);
  lay_paper(hand, sheet);
  for (const Area& area : areas_) {
    sheet.near(area.low, area.high, sheet.reach(), [&](size_t at) {
      const float cover = sheet.cover(distance_to_box(sheet.bent[at], area.low, area.high));
      sheet.blend(at, cover, area.colour);
    });
  }
  for (const Segment& s : segments_) {
    const Point low = {std::min(s.from.x, s.to.x), std::min(s.from.y, s.to.y)};
    const Point high = {std::max(s.from.x, s.to.x), std::max(s.from.y, s.to.y)};
    sheet.near(low, high, sheet.reach(), [&](size_t at) {
      const double distance = distance_to_segment(sheet.bent[at], s.from, s.to);
      sheet.ink[at] = std::min(sheet.ink[at], static_cast<float>(distance));
    });
  }
  for (size_t at = 0; at < sheet.ink.size(); ++at) {
    const float cover = sheet.cover(static_cast<double>(sheet.ink[at]) - kInk / 2);
    if (cover > 0) sheet.blend(at, cover, kInks[static_cast<size_t>(hand.ink)]);
  }
  return {finish(sheet), std::move(sheet.coverage)};
}

}  // namespace janus
