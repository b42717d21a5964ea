// The words of Toyland and what they look like: classes, colours, palettes and kinds of backdrop,
// as tables indexed by the numbers that scenes hold; and the combinations that training never
// shows. Shapes are in world/shape.h, phrasings in world/tasks.h. SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <string>
#include <string_view>

namespace janus {

using Rgb = std::array<float, 3>;  // sRGB, 0..1

struct ShapeName {
  std::string_view one;
  std::string_view many;
};
struct Colour {
  std::string_view name;
  Rgb rgb;
};
struct Palette {
  std::string_view name;
  Rgb first;
  Rgb second;
};

inline constexpr std::array<ShapeName, 20> kShapes = {{
    {"ball", "balls"},         {"box", "boxes"},     {"triangle", "triangles"},
    {"star", "stars"},         {"heart", "hearts"},  {"diamond", "diamonds"},
    {"arrow", "arrows"},       {"cross", "crosses"}, {"ring", "rings"},
    {"moon", "moons"},         {"drop", "drops"},    {"flower", "flowers"},
    {"house", "houses"},       {"tree", "trees"},    {"fish", "fish"},
    {"mushroom", "mushrooms"}, {"cup", "cups"},      {"cloud", "clouds"},
    {"balloon", "balloons"},   {"car", "cars"},
}};

inline constexpr std::array<Colour, 10> kColours = {{
    {"red", {.86f, .18f, .20f}},
    {"orange", {.96f, .55f, .13f}},
    {"yellow", {.97f, .83f, .20f}},
    {"green", {.20f, .65f, .32f}},
    {"blue", {.17f, .42f, .85f}},
    {"purple", {.52f, .27f, .75f}},
    {"pink", {.97f, .52f, .70f}},
    {"brown", {.50f, .31f, .17f}},
    {"black", {.13f, .13f, .16f}},
    {"white", {.97f, .97f, .96f}},
}};

inline constexpr std::array<Palette, 8> kPalettes = {{
    {"cream", {.96f, .92f, .82f}, {.88f, .80f, .66f}},
    {"sky", {.70f, .86f, .97f}, {.90f, .96f, 1.f}},
    {"mint", {.78f, .93f, .86f}, {.60f, .83f, .74f}},
    {"lilac", {.88f, .83f, .96f}, {.74f, .68f, .88f}},
    {"slate", {.55f, .60f, .67f}, {.38f, .43f, .51f}},
    {"sand", {.93f, .85f, .70f}, {.84f, .72f, .52f}},
    {"rose", {.98f, .88f, .88f}, {.90f, .74f, .76f}},
    {"night", {.20f, .23f, .38f}, {.10f, .12f, .24f}},
}};

enum class Backdrop { fade, glow, slant, table, stripes };
inline constexpr std::array<std::string_view, 5> kBackdrops = {"fade", "glow", "slant", "table",
                                                               "stripes"};

inline constexpr int kShapeCount = static_cast<int>(kShapes.size());
inline constexpr int kColourCount = static_cast<int>(kColours.size());
inline constexpr int kPaletteCount = static_cast<int>(kPalettes.size());
inline constexpr int kBackdropCount = static_cast<int>(kBackdrops.size());

// Table lookups by the plain int of a scene.
constexpr const ShapeName& shape_name(int shape) { return kShapes[static_cast<size_t>(shape)]; }
constexpr std::string_view colour_name(int colour) {
  return kColours[static_cast<size_t>(colour)].name;
}

// "an orange ball": the article and the words.
std::string with_article(std::string_view words);

// Held out of training, to be tested apart: pairs of class and colour (a fifth), `count` of one
// class (9 of 60), and the wording of a relation between two classes in this order (about a
// seventh).
constexpr bool held_out(int shape, int colour) { return (7 * shape + 3 * colour) % 5 == 0; }
constexpr bool held_out_count(int shape, int count) {
  return count >= 2 && count <= 4 && (shape + count) % 6 == 0;
}
constexpr bool held_out_relation(int subject, int reference) {
  return (3 * subject + 5 * reference) % 7 == 0;
}

// CIE L*a*b* of an sRGB colour under D65.
struct Lab {
  float l, a, b;
};
Lab to_lab(const Rgb& rgb);

// A colour is used on a palette only where it stands out: at least 25 apart in Lab from every mix
// of the palette's two colours.
bool stands_out(int colour, int palette);

}  // namespace janus
