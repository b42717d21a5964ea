// What the tests of train/ share without libtorch: golden files, folders that go away, what tests
// write into them, small recipes.
// SPDX-License-Identifier: MIT
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"
#include "io/file.h"
#include "io/image.h"

namespace janus::train {

inline std::filesystem::path golden(const std::string& name) {
  return std::filesystem::path(JANUSPRO_SOURCE_DIR) / "tests" / "golden" / name;
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

inline void write_text(const std::filesystem::path& path, const std::string& text) {
  std::filesystem::create_directories(path.parent_path());
  write_atomically(path, std::as_bytes(std::span(text)));
}

// What `act` is refused with, as bad input.
inline std::string refusal(const std::function<void()>& act) {
  try {
    act();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::bad_input);
    return error.what();
  }
  return "accepted";
}

// A square of one grey, as PNG whatever the name says.
inline void write_picture(const std::filesystem::path& path, int side, uint8_t grey = 255) {
  std::filesystem::create_directories(path.parent_path());
  const auto bytes = static_cast<size_t>(side) * static_cast<size_t>(side) * 3;
  write_atomically(path, encode_image({side, side, std::vector<uint8_t>(bytes, grey)}));
}

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
