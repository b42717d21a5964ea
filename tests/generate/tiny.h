// The small golden checkpoint, loaded for tests of generation. SPDX-License-Identifier: MIT
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "generate/load.h"
#include "generate/prompt.h"
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

inline Tiny load_tiny(const std::string& backend = "cpu", int threads = 1) {
  LoadOptions options;
  options.backend = open_backend(backend, threads);
  options.weights = Dtype::f32;
  const Checkpoint checkpoint(golden("tiny-hf"));
  return {Model::load(checkpoint, options), load_prompts(checkpoint)};
}

// Loaded once for all tests of the program.
inline const Tiny& tiny() {
  static const Tiny loaded = load_tiny();
  return loaded;
}

}  // namespace janus
