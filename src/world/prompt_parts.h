// What the samplers of prompts share: categories, and words for a scene that suits one.
// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <span>
#include <string>
#include <string_view>

#include "world/tasks.h"

namespace janus {

enum class Category { single, two, counting, colours, position, attribution };
inline constexpr std::array<std::string_view, 6> kCategories = {
    "single_object", "two_object", "counting", "colors", "position", "color_attr"};
inline constexpr std::array<double, 6> kCategoryShares = {.10, .10, .18, .16, .18, .18};
inline constexpr std::string_view kDense = "dense";

inline constexpr double kSharedColour = .7;  // of several objects of one class

// Of val and test: two samples of five of each category from counting on.
inline bool wants_held(Split split, uint64_t turn) { return split != Split::train && turn % 5 < 2; }

// The words of a category for the scene of `sample`; what they say goes into sample.said.
std::string describe(Category category, DrawSample& sample);

// A clause an object; `sizes`, if any, is 0 (small) or 1 (big) of each. Held is, too, where a
// relation is told that training never has.
std::string describe_densely(Philox& random, Split split, std::span<const int> sizes,
                             DrawSample& sample);

}  // namespace janus
