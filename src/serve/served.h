// What a dialect needs to know of the server: the model by its names, limits.
// SPDX-License-Identifier: MIT
#pragma once

#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include "januspro/januspro.hpp"
#include "serve/fields.h"

namespace janus::serve {

struct Served {
  ModelInfo info = {};
  std::string name = {};                  // what the model is called
  std::vector<std::string> aliases = {};  // further names; "*": any
  int64_t created = 0;                    // seconds since 1970
  int64_t max_pixels = 40'000'000;        // of a picture that comes in
  std::function<uint64_t()> random = {};  // 64 bits

  int grid() const { return static_cast<int>(std::lround(std::sqrt(info.image_tokens))); }
  bool edits_by_instruction() const {
    return info.reads && info.edits && info.edit_layout != "none";
  }
  bool answers_to(const std::string& model) const;
  uint64_t random_seed() const { return random() & 0xFFFFFFFF; }
};

// The field `model`. Throws `model_not_found`.
void check_model(Fields& fields, const Served& served);

inline constexpr int64_t kMostSeed = (int64_t{1} << 53) - 1;  // what JavaScript holds exactly

}  // namespace janus::serve
