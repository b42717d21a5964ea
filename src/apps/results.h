// Where finished pictures go, for the verbs that make them: files with their recipes, or stdout.
// SPDX-License-Identifier: MIT
#pragma once

#include <string>

#include "apps/command.h"
#include "apps/recipe.h"
#include "januspro/januspro.hpp"

namespace janus {

struct ResultFlags {
  std::string output;  // empty: named by the seed, once name_output() was called
  int quality = 0;
  bool json = false;
  bool quiet = false;

  void add_to(CLI::App& app);
  // Throws UsageError for an output or quality that cannot be. `sheet`: a further file, or empty.
  void check_use(const std::string& verb, const std::string& sheet = {}) const;
  // januspro-SEED.png where no name was given. Throws where `count` pictures cannot go there.
  void name_output(const std::string& verb, uint64_t seed, size_t count);
  PictureOptions options_for(const std::string& path) const;
  // Writes picture `number` of `count`, from 1, and tells its name, as `json` asks.
  void keep(const Image& image, const Recipe& recipe, size_t number, size_t count,
            double seconds) const;
};

}  // namespace janus
