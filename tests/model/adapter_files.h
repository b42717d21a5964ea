// Adapters in peft's form, written for tests. SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <numeric>
#include <span>
#include <string>
#include <vector>

#include "io/file.h"
#include "io/safetensors.h"

namespace janus::testing {

constexpr const char* kAdapterSettings =
    R"({"peft_type": "LORA", "r": 2, "lora_alpha": 6, "bias": "none"})";

struct Factor {
  std::string name;
  std::vector<int64_t> shape;
  std::vector<float> values;
};

// 0, 1/8, 2/8, … in small circles: sums of products are exact.
inline Factor factor(const std::string& name, std::vector<int64_t> shape, int period) {
  const auto count = std::accumulate(shape.begin(), shape.end(), int64_t{1}, std::multiplies<>());
  Factor made{name, std::move(shape), std::vector<float>(static_cast<size_t>(count))};
  for (size_t i = 0; i < made.values.size(); ++i) {
    made.values[i] = static_cast<float>(static_cast<int>(i) % period) / 8;
  }
  return made;
}

inline void write_adapter(const std::filesystem::path& dir, const std::vector<Factor>& factors,
                          const std::string& settings = kAdapterSettings) {
  std::filesystem::create_directories(dir);
  write_atomically(dir / "adapter_config.json", std::as_bytes(std::span(settings)));
  std::vector<TensorEntry> entries;
  for (const Factor& one : factors) {
    entries.push_back({one.name, Dtype::f32, one.shape,
                       [&one](const auto& sink) { sink(std::as_bytes(std::span(one.values))); }});
  }
  write_safetensors(dir / "adapter_model.safetensors", entries);
}

}  // namespace janus::testing
