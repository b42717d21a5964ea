// Which parameters a recipe trains and how fast each learns, by their names in the checkpoint. No
// libtorch here.
// SPDX-License-Identifier: MIT
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "train/recipe.h"

namespace janus::train {

// `*` stands for anything, dots included.
bool matches(std::string_view pattern, std::string_view name);

template <class Patterns>
bool any_matches(const Patterns& patterns, std::string_view name) {
  for (const auto& pattern : patterns) {
    if (matches(pattern, name)) return true;
  }
  return false;
}

// Name patterns of the modules that a published stage trains; empty for a stage nobody published.
// The codec is in none of them, the vision tower in the last alone.
std::span<const std::string_view> stage_modules(std::string_view stage);

// Whether stage.modules, stage.train and stage.freeze together leave the parameter to be trained.
bool is_trained(const Recipe& recipe, std::string_view name);

// What optim.lr is multiplied with for the parameter: the product of all stage.lr_scale it matches.
double lr_scale(const Recipe& recipe, std::string_view name);

// Throws Code::bad_input for a pattern that matches none of `names`: it would silently do nothing.
void check_patterns(const Recipe& recipe, std::span<const std::string> names);

}  // namespace janus::train
