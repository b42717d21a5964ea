// From a picture of any size to the numbers the vision tower reads: the checkpoint's
// preprocessor_config.json and the two-step rule of the reference (deepseek-ai/Janus,
// janus/models/image_processing_vlm.py, VLMImageProcessor.preprocess). Sizes are io/resize's.
// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>

#include "io/image.h"

namespace janus {

// As published; a checkpoint without the file gets these.
struct Preprocessing {
  double rescale = 1.0 / 255.0;
  std::array<float, 3> mean = {0.5f, 0.5f, 0.5f};
  std::array<float, 3> deviation = {0.5f, 0.5f, 0.5f};
  std::array<uint8_t, 3> fill = {127, 127, 127};  // int(mean * 255), around the picture
  int min_side = 14;                              // of the fitted picture

  bool operator==(const Preprocessing&) const = default;
};

// Reads <dir>/preprocessor_config.json; absent keys take the reference's class defaults, which are
// CLIP's mean and deviation and not the published ones. Throws Code::bad_checkpoint naming file and
// key for values of the wrong type or range, Code::not_supported for a step switched off.
Preprocessing load_preprocessing(const std::filesystem::path& dir);
Preprocessing parse_preprocessing(const std::string& json, const std::string& name);

// Fits and pads to side × side (io/resize), then f32(u8 · rescale), minus mean, over deviation, the
// product in f64 and the rest in f32.  out [side, side, 3]
void prepare_for_reading(const Image& image, int side, const Preprocessing& rule,
                         std::span<float> out);

}  // namespace janus
