// What the words of place mean: relations between two objects, and the nine cells of the canvas.
// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <optional>
#include <string_view>
#include <vector>

#include "world/scene.h"

namespace janus {

enum class Relation { left_of, right_of, above, below };
inline constexpr std::array<std::string_view, 4> kRelations = {"left of", "right of", "above",
                                                               "below"};

// How `subject` lies to `reference`; none where no relation holds, or two (a diagonal).
std::optional<Relation> relation(const Object& subject, const Object& reference);

// Whether `subject` lies so to `reference`; of a diagonal, two may hold.
bool is_related(Relation relation, const Object& subject, const Object& reference);

// The cells in reading order.
inline constexpr std::array<std::string_view, 9> kCells = {"top left",    "top",    "top right",
                                                           "left",        "middle", "right",
                                                           "bottom left", "bottom", "bottom right"};

// Index into kCells of the cell that holds the object's centre.
int cell_of(const Object& object);

// The order in which a text goes over objects: cell by cell, in a cell from the top.
std::vector<Object> in_reading_order(std::vector<Object> objects);

// Whether `a` is so much bigger than `b` that the word is safe.
bool clearly_bigger(const Object& a, const Object& b);

}  // namespace janus
