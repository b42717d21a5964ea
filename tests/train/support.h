// What tests of networks share: golden files as tensors.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "files.h"
#include "io/safetensors.h"
#include "train/torch.h"

namespace janus::train {

// A named tensor of a golden file: floats as f32, whole numbers as i64.
inline torch::Tensor golden_tensor(const std::string& file, const std::string& name) {
  const StoredTensors all = read_safetensors(golden(file));
  const StoredTensor& stored = all.at(name);
  if (stored.dtype == Dtype::i64) {
    return torch::from_blob(const_cast<std::byte*>(stored.data.data()), stored.shape, torch::kLong)
        .clone();
  }
  torch::Tensor values = torch::empty(stored.shape);
  stored.read_f32(0, {values.data_ptr<float>(), static_cast<size_t>(values.numel())});
  return values;
}

inline std::map<std::string, std::vector<std::byte>> bytes_of(const std::filesystem::path& file) {
  std::map<std::string, std::vector<std::byte>> all;
  for (const auto& [name, tensor] : read_safetensors(file)) {
    all[name].assign(tensor.data.begin(), tensor.data.end());
  }
  return all;
}

// Largest difference as a share of the reference's root mean square.
inline double distance(const torch::Tensor& a, const torch::Tensor& reference) {
  return ((a - reference).abs().max() / reference.square().mean().sqrt()).item<double>();
}

}  // namespace janus::train
