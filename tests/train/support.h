// What the tests of train/ share: golden files as tensors, small recipes, folders that go away.
// SPDX-License-Identifier: MIT
#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "io/safetensors.h"
#include "train/torch.h"

namespace janus::train {

inline std::filesystem::path golden(const std::string& name) {
  return std::filesystem::path(JANUSPRO_SOURCE_DIR) / "tests" / "golden" / name;
}

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

// Largest difference as a share of the reference's root mean square.
inline double distance(const torch::Tensor& a, const torch::Tensor& reference) {
  return ((a - reference).abs().max() / reference.square().mean().sqrt()).item<double>();
}

// A folder of this test's own, empty at first and removed at the end.
class Folder {
 public:
  explicit Folder(const std::string& name)
      : path_(std::filesystem::temp_directory_path() /
              ("januspro-train-" + name + "-" + std::to_string(::getpid()))) {
    std::filesystem::remove_all(path_);
    std::filesystem::create_directories(path_);
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  std::filesystem::path operator/(const std::string& name) const { return path_ / name; }

 private:
  std::filesystem::path path_;
};

// A codec and a language model small enough for a test; eight pictures or questions.
inline std::string tiny_recipe(bool codec) {
  const std::string sizes = R"(
seed = 5
condition_drop = 0.0
[model]
image = 32
[model.vq]
codes = 64
latent = 16
base = 8
multipliers = [1, 2, 2]
blocks = 1
groups = 4
[model.language]
width = 48
layers = 2
heads = 4
mlp_width = 96
vocabulary = 400
context = 320
[model.vision]
width = 32
layers = 1
heads = 2
mlp_width = 64
patch = 8
[optim]
lr = 3e-3
ema = 0.9
[schedule]
kind = "cosine"
warmup = 2
steps = 8
[batch]
micro = 8
[checkpoint]
every = 100
[log]
every = 4
)";
  const auto data = [](const char* task) {
    return std::string("[[data]]\npath = \"toyland\"\nsamples = 4\ntask = \"") + task + "\"\n";
  };
  return sizes + (codec ? data("reconstruct") : data("generate") + data("understand"));
}

}  // namespace janus::train
