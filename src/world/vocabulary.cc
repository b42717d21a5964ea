// Lab after CIE 15 and IEC 61966-2-1 (sRGB, white point D65), the contrast rule, and "a" or "an".
// SPDX-License-Identifier: MIT
#include "world/vocabulary.h"

#include <cmath>

namespace janus {
namespace {

constexpr float kContrast = 25;  // least Lab distance of an object from its backdrop

double linear(float channel) {
  const double c = channel;
  return c <= 0.04045 ? c / 12.92 : std::pow((c + 0.055) / 1.055, 2.4);
}

// The cube root of CIE 15, straight near zero.
double lab_curve(double t) {
  return t > 216.0 / 24389.0 ? std::cbrt(t) : (24389.0 / 27.0 * t + 16.0) / 116.0;
}

}  // namespace

std::string with_article(std::string_view words) {
  const bool vowel = !words.empty() && std::string_view("aeiou").find(words[0]) != words.npos;
  return std::string(vowel ? "an " : "a ").append(words);
}

Lab to_lab(const Rgb& rgb) {
  const double r = linear(rgb[0]), g = linear(rgb[1]), b = linear(rgb[2]);
  const double x = lab_curve((0.4124564 * r + 0.3575761 * g + 0.1804375 * b) / 0.95047);
  const double y = lab_curve(0.2126729 * r + 0.7151522 * g + 0.0721750 * b);
  const double z = lab_curve((0.0193339 * r + 0.1191920 * g + 0.9503041 * b) / 1.08883);
  return {static_cast<float>(116 * y - 16), static_cast<float>(500 * (x - y)),
          static_cast<float>(200 * (y - z))};
}

bool stands_out(int colour, int palette) {
  const Lab object = to_lab(kColours[static_cast<size_t>(colour)].rgb);
  const Palette& p = kPalettes[static_cast<size_t>(palette)];
  for (int quarter = 0; quarter <= 4; ++quarter) {
    const float t = 0.25f * static_cast<float>(quarter);
    Rgb mix;
    for (size_t c = 0; c < 3; ++c) mix[c] = p.first[c] + t * (p.second[c] - p.first[c]);
    const Lab back = to_lab(mix);
    if (std::hypot(object.l - back.l, object.a - back.a, object.b - back.b) < kContrast) {
      return false;
    }
  }
  return true;
}

}  // namespace janus
