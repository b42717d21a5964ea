// See stage.h.
// SPDX-License-Identifier: MIT
#include "train/stage.h"

#include <algorithm>
#include <array>

#include "base/error.h"

namespace janus::train {
namespace {

// A stage trains what the one before it does, and more: each is a beginning of this list.
constexpr std::array<std::string_view, 7> kModules = {
    "model.aligner.*",         "model.generation_aligner.*", "model.generation_embeddings.*",
    "model.generation_head.*", "model.language_model.*",     "lm_head.*",
    "model.vision_model.*"};

}  // namespace

bool matches(std::string_view pattern, std::string_view name) {
  const size_t star = pattern.find('*');
  if (star == std::string_view::npos) return pattern == name;
  if (name.substr(0, star) != pattern.substr(0, star)) return false;
  const std::string_view rest = pattern.substr(star + 1);
  for (size_t from = star; from <= name.size(); ++from) {
    if (matches(rest, name.substr(from))) return true;
  }
  return false;
}

std::span<const std::string_view> stage_modules(std::string_view stage) {
  const std::span<const std::string_view> all(kModules);
  if (stage == "stage1") return all.first(4);
  if (stage == "stage2") return all.first(6);
  if (stage == "stage3") return all;
  return {};
}

bool is_trained(const Recipe& recipe, std::string_view name) {
  const auto& stage = recipe.stage;
  return (stage.modules.empty() || any_matches(stage_modules(stage.modules), name)) &&
         (stage.train.empty() || any_matches(stage.train, name)) &&
         !any_matches(stage.freeze, name);
}

double lr_scale(const Recipe& recipe, std::string_view name) {
  double scale = 1;
  for (const auto& [pattern, factor] : recipe.stage.lr_scale) {
    if (matches(pattern, name)) scale *= factor;
  }
  return scale;
}

void check_patterns(const Recipe& recipe, std::span<const std::string> names) {
  const auto need = [&](const char* key, const std::string& pattern) {
    const bool found = std::any_of(names.begin(), names.end(),
                                   [&](const std::string& name) { return matches(pattern, name); });
    check(found, Code::bad_input, key, ": \"", pattern,
          "\" matches no parameter; they are named as in the checkpoint, ", names.front(),
          " is one, and * stands for any part of a name");
  };
  for (const std::string& pattern : recipe.stage.train) need("stage.train", pattern);
  for (const std::string& pattern : recipe.stage.freeze) need("stage.freeze", pattern);
  for (const auto& [pattern, factor] : recipe.stage.lr_scale) need("stage.lr_scale", pattern);
}

}  // namespace janus::train
