// PreviewMap: a cheap look at an unfinished picture. One linear map takes a code's unit vector to a
// patch of 2 × 2 RGB pixels; it is fitted by least squares on a few decodes, once per model, and
// kept in a small file. Not a decoder: neighbours are not looked at.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "io/image.h"
#include "model/model.h"

namespace janus {

class PreviewMap {
 public:
  static constexpr int kSide = 2;  // pixels of a patch along each side

  // Decodes some pictures of random codes in patches: 3 of published size, up to 16 of few codes.
  // `between` is called before each.
  static PreviewMap fit(const Model& model, const std::function<void()>& between = {});

  // The map as its numbers; nothing when they are of another model.
  static std::optional<PreviewMap> of(std::vector<float> values, const Config& config);
  // [kSide·kSide·3, E + 1]
  const std::vector<float>& values() const { return matrix_; }
  std::vector<int64_t> shape() const;

  // Nothing when there is no such file or it is of another model or format.
  static std::optional<PreviewMap> load(const std::filesystem::path& path, const Model& model);
  void save(const std::filesystem::path& path) const;

  // [grid·2, grid·2]; grey where `codes` ends.
  Image show(const Model& model, std::span<const int32_t> codes) const;

 private:
  int64_t inputs_ = 0;         // E + 1: the vector and a constant
  std::vector<float> matrix_;  // [kSide·kSide·3, inputs]
};

}  // namespace janus
