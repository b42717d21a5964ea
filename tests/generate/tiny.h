// The small golden checkpoint, loaded for tests of generation. SPDX-License-Identifier: MIT
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "base/rng.h"
#include "generate/load.h"
#include "generate/prompt.h"
#include "januspro/image.hpp"
#include "kernels/open.h"
#include "model/model.h"

namespace janus {

inline std::filesystem::path golden(const std::string& name) {
  return std::filesystem::path(JANUSPRO_SOURCE_DIR) / "tests" / "golden" / name;
}

struct Tiny {
  Model model;
  PromptBuilder prompts;
};

inline Tiny load_tiny(const std::string& backend = "cpu", int threads = 1,
                      const std::string& edits = "auto") {
  LoadOptions options;
  options.backend = open_backend(backend, threads);
  options.weights = Dtype::f32;
  const Checkpoint checkpoint(golden("tiny-hf"));
  return {Model::load(checkpoint, options), load_prompts(checkpoint, {}, edits)};
}

// Pixels that are nothing.
inline Image noise(int width, int height, uint64_t seed) {
  Philox random(seed, 0);
  Image image{.width = width, .height = height, .rgb = {}};
  image.rgb.resize(static_cast<size_t>(width) * height * 3);
  for (uint8_t& value : image.rgb) value = static_cast<uint8_t>(random.below(256));
  return image;
}

// Loaded once for all tests of the program.
inline const Tiny& tiny() {
  static const Tiny loaded = load_tiny();
  return loaded;
}

}  // namespace janus
