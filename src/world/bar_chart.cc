// An axis with ticks at 0, 5 and 10, and bars on it. SPDX-License-Identifier: MIT
#include "world/bar_chart.h"

#include <algorithm>
#include <cctype>
#include <sstream>

#include "world/letters.h"

namespace janus {
namespace {

constexpr int kFewest = 2, kMost = 5;
constexpr std::string_view kPaperlike = "white";
constexpr double kLeft = 28, kRight = 124;  // the axis of the letters, units
constexpr double kFoot = 106, kAValue = 9;  // where 0 is, and what one more is
constexpr double kTick = 3, kLetterDrop = 10;
constexpr double kWidest = 18, kShare = .62;  // of a bar; of the room that it has

double height_of(int value) { return kFoot - kAValue * value; }

void draw_axes(Strokes& strokes) {
  strokes.line({kLeft, height_of(10) - 2}, {kLeft, kFoot});
  strokes.line({kLeft, kFoot}, {kRight, kFoot});
  for (const int value : {0, 5, 10}) {
    const double y = height_of(value);
    const std::string text = std::to_string(value);
    const double half = (text.size() > 1 ? 2 * kGlyphWide + 2 : kGlyphWide) / 2;
    strokes.line({kLeft - kTick, y}, {kLeft, y});
    strokes.letters({kLeft - kTick - 2 - half, y}, text);
  }
}

}  // namespace

BarChart draw_bar_chart(Philox& random) {
  BarChart chart;
  const int n = kFewest + random.below(kMost - kFewest + 1);
  const std::string letters = draw_letters(random, n);
  std::vector<int> colours;
  for (int i = 0; i < kColourCount; ++i) {
    if (colour_name(i) != kPaperlike) colours.push_back(i);
  }
  shuffle(random, colours);
  for (size_t i = 0; i < letters.size(); ++i) {
    chart.bars.push_back({letters[i], random.below(kMostValue + 1), colours[i]});
  }
  chart.hand = draw_hand(random);
  return chart;
}

std::string chart_text(const BarChart& chart) {
  std::string text;
  for (const Bar& bar : chart.bars) {
    text +=
        (text.empty() ? "" : " , ") + std::string(1, bar.letter) + ' ' + std::to_string(bar.value);
  }
  return text;
}

std::map<char, int> parse_chart(const std::string& text) {
  std::map<char, int> values;
  std::istringstream pieces(text);
  for (std::string piece; std::getline(pieces, piece, ',');) {
    std::istringstream stream(piece);
    std::string letter, value, more;
    stream >> letter >> value;
    if (letter.size() != 1 || value.size() != 1 || stream >> more) continue;
    const char c = static_cast<char>(std::toupper(static_cast<unsigned char>(letter[0])));
    if (kLetters.find(c) == kLetters.npos || value[0] < '0' || value[0] > '9') continue;
    const auto [at, fresh] = values.emplace(c, value[0] - '0');
    if (!fresh && at->second != value[0] - '0') at->second = -1;
  }
  return values;
}

double value_accuracy(const std::map<char, int>& said, const std::map<char, int>& truth) {
  double right = 0, all = static_cast<double>(truth.size());
  for (const auto& [letter, value] : said) {
    const auto at = truth.find(letter);
    if (at == truth.end()) ++all;
    if (at != truth.end() && at->second == value) ++right;
  }
  return all > 0 ? right / all : 0;
}

Strokes strokes_of(const BarChart& chart) {
  Strokes strokes;
  if (chart.bars.empty()) return strokes;
  draw_axes(strokes);
  const double room = (kRight - kLeft) / static_cast<double>(chart.bars.size());
  const double half = std::min(kWidest, kShare * room) / 2;
  for (size_t i = 0; i < chart.bars.size(); ++i) {
    const Bar& bar = chart.bars[i];
    const double x = kLeft + room * (static_cast<double>(i) + .5), top = height_of(bar.value);
    strokes.letters({x, kFoot + kLetterDrop}, {&bar.letter, 1});
    if (bar.value == 0) continue;
    strokes.fill({x - half, top}, {x + half, kFoot}, kColours[static_cast<size_t>(bar.colour)].rgb);
    const Point outline[] = {
        {x - half, kFoot}, {x - half, top}, {x + half, top}, {x + half, kFoot}};
    strokes.path(outline);
  }
  return strokes;
}

}  // namespace janus
