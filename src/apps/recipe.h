// The recipe of a picture: what `draw --from` needs to draw it again, bit for bit on the same
// backend. Kept as JSON: in the `parameters` text chunk of a PNG, in the EXIF user comment of a
// JPEG or WebP. SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "januspro/januspro.hpp"

namespace janus {

struct Recipe {
  std::string prompt;
  std::string negative;
  uint64_t seed = 0;
  double guidance = 5;
  double temperature = 1;
  int top_k = 0;
  double top_p = 1;
  std::string model;                  // name of the checkpoint directory
  std::string model_hash;             // of its config, weights and adapters
  std::vector<std::string> adapters;  // names of their directories, each with its scale: "ink:0.5"
  std::string backend;                // as ModelInfo says it: "cpu avx512vnni"
  std::string weights;                // "f32", "bf16"
  std::string cache;
  bool round_rope = false;
  std::string version;  // of the program
  // Of an edited picture: of what (SHA-256 of the files) and how; null for a drawn one.
  nlohmann::ordered_json edit;

  DrawRequest request() const;
  // Fills in what a model and its settings decide; `name` is what the model is called.
  void drawn_by(const std::string& name, const ModelInfo& info, bool rounded_rope);
  nlohmann::ordered_json to_json() const;
  std::map<std::string, std::string> as_text() const;  // for encode_picture()
};

inline constexpr const char* kRecipeKey = "parameters";

// Throws Code::bad_input naming the file and what is missing or of the wrong type.
Recipe read_recipe(const std::filesystem::path& picture);

}  // namespace janus
