// `bench --work ahead`: what decoding several positions at a time saves with a model, and costs on
// this machine. SPDX-License-Identifier: MIT
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "generate/draw.h"

namespace janus {

struct AheadResult {
  int64_t codes = 0;            // of a picture
  double passes = 0;            // of a picture, on average
  double seconds = 0;           // of a picture's codes, pixels not counted
  std::vector<int64_t> gained;  // [i] passes that gave i + 1 codes
};

// Draws a few prompts with drawing.ahead, one guided picture at a time. Throws Code::bug when the
// codes are not those of `expected`, which is filled where it is empty.
AheadResult measure_ahead(const Drawing& drawing, std::vector<std::vector<int32_t>>& expected,
                          const std::function<bool()>& wanted);

// What is printed of a window (0: the one chosen while drawing), beside `plain` seconds with none.
std::string ahead_line(const AheadResult& result, int window, double plain, bool json);

}  // namespace janus
