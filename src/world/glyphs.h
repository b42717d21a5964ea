// The letters that diagrams are written in, as poly-lines on a grid of 4 by 6: "xy" is a point, a
// blank goes on, a comma lifts the pen. SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <string_view>

namespace janus {

struct Glyph {
  char letter;
  std::string_view strokes;
};

inline constexpr std::array<Glyph, 20> kGlyphs = {{
    {'A', "06 20 46,14 34"},
    {'B', "00 06 36 45 44 33 03,33 42 41 30 00"},
    {'C', "41 30 10 01 05 16 36 45"},
    {'D', "00 06 26 44 42 20 00"},
    {'E', "40 00 06 46,03 33"},
    {'F', "40 00 06,03 33"},
    {'G', "41 30 10 01 05 16 36 45 43 23"},
    {'H', "00 06,40 46,03 43"},
    {'N', "06 00 46 40"},
    {'Y', "00 23 40,23 26"},
    {'0', "10 30 41 45 36 16 05 01 10"},
    {'1', "11 20 26,16 36"},
    {'2', "01 10 30 41 42 06 46"},
    {'3', "01 10 30 41 42 33 23,33 44 45 36 16 05"},
    {'4', "36 30 04 44"},
    {'5', "40 00 03 33 44 45 36 16 05"},
    {'6', "41 30 10 01 05 16 36 45 44 33 13 04"},
    {'7', "00 40 16"},
    {'8', "13 02 01 10 30 41 42 33 13 04 05 16 36 45 44 33"},
    {'9', "05 16 36 45 41 30 10 01 02 13 33 42"},
}};

}  // namespace janus
