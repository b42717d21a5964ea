// What the tests of this room share: the golden checkpoints and traces, tensors read from a file,
// and the three passes that a trace records, made of the same calls as the program makes.
// SPDX-License-Identifier: MIT
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "io/safetensors.h"
#include "kernels/open.h"
#include "model/model.h"

namespace janus::testing {

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define JANUS_TEST_SANITIZED 1
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define JANUS_TEST_SANITIZED 1
#endif
#ifdef JANUS_TEST_SANITIZED
inline constexpr bool kSanitized = true;  // ten times slower, and memory is not the program's own
#else
inline constexpr bool kSanitized = false;
#endif

inline std::filesystem::path golden(const std::string& name) {
  return std::filesystem::path(JANUSPRO_SOURCE_DIR) / "tests" / "golden" / name;
}

inline Model open_model(const std::filesystem::path& checkpoint,
                        std::shared_ptr<const Backend> backend, Dtype weights = Dtype::f32) {
  LoadOptions options;
  options.checkpoint = checkpoint;
  options.backend = std::move(backend);
  options.weights = weights;
  return Model::load(options);
}

// Values of a reference trace.
class Reference {
 public:
  explicit Reference(const std::filesystem::path& path) : tensors_(read_safetensors(path)) {}

  const std::vector<int64_t>& shape(const std::string& name) const {
    return tensors_.at(name).shape;
  }
  std::vector<float> values(const std::string& name) const {
    std::vector<float> out(static_cast<size_t>(tensors_.at(name).count()));
    tensors_.at(name).read_f32(0, out);
    return out;
  }
  std::vector<int32_t> ids(const std::string& name) const {
    const StoredTensor& t = tensors_.at(name);
    std::vector<int64_t> wide(static_cast<size_t>(t.count()));
    std::memcpy(wide.data(), t.data.data(), t.data.size());
    return {wide.begin(), wide.end()};
  }
  std::vector<uint8_t> bytes(const std::string& name) const {
    const auto data = tensors_.at(name).data;
    const auto* first = reinterpret_cast<const uint8_t*>(data.data());
    return {first, first + data.size()};
  }
  // [n, c, h, w] or [c, h, w] -> [n, h, w, c]
  std::vector<float> channels_last(const std::string& name) const {
    const std::vector<float> from = values(name);
    std::vector<int64_t> s = shape(name);
    if (s.size() == 3) s.insert(s.begin(), 1);
    std::vector<float> to(from.size());
    size_t next = 0;
    for (int64_t n = 0; n < s[0]; ++n)
      for (int64_t c = 0; c < s[1]; ++c)
        for (int64_t p = 0; p < s[2] * s[3]; ++p)
          to[static_cast<size_t>((n * s[2] * s[3] + p) * s[1] + c)] = from[next++];
    return to;
  }
  std::vector<std::string> names() const {
    std::vector<std::string> result;
    for (const auto& [name, tensor] : tensors_) result.push_back(name);
    return result;
  }

 private:
  StoredTensors tensors_;
};

inline std::vector<float> floats(const Trace::Entry& entry) {
  std::vector<float> out(entry.bytes.size() / sizeof(float));
  std::memcpy(out.data(), entry.bytes.data(), entry.bytes.size());
  return out;
}

inline std::vector<int32_t> ids(const Trace::Entry& entry) {
  std::vector<int64_t> wide(entry.bytes.size() / sizeof(int64_t));
  std::memcpy(wide.data(), entry.bytes.data(), entry.bytes.size());
  return {wide.begin(), wide.end()};
}

// max |a - b| / rms(reference); infinite when a value is not finite or the counts differ.
inline double relative_error(const std::vector<float>& values,
                             const std::vector<float>& reference) {
  if (values.size() != reference.size() || values.empty()) return INFINITY;
  double squares = 0, worst = 0;
  for (size_t i = 0; i < values.size(); ++i) {
    squares += double{reference[i]} * reference[i];
    const double distance = std::abs(double{values[i]} - reference[i]);
    worst = distance <= worst ? worst : std::isfinite(distance) ? distance : INFINITY;
  }
  return worst / std::sqrt(squares / static_cast<double>(values.size()));
}

inline int32_t argmax(const float* row, int64_t count) {
  return static_cast<int32_t>(std::max_element(row, row + count) - row);
}

// f32 values with memory of their own, as a tensor.
struct Values {
  std::vector<float> data;
  Tensor view;
  Values(std::vector<float> values, std::initializer_list<int64_t> shape)
      : data(std::move(values)), view(data.data(), Dtype::f32, shape) {}
  explicit Values(std::initializer_list<int64_t> shape)
      : Values(std::vector<float>(static_cast<size_t>(Tensor(nullptr, Dtype::f32, shape).count())),
               shape) {}
};

// The rows of one sequence from `first` on.
struct Run {
  std::vector<int32_t> sequences, positions;
  Rows rows;
  Run(const KvCache& cache, int32_t sequence, int64_t first, int64_t count)
      : sequences(static_cast<size_t>(count), sequence) {
    for (int64_t i = 0; i < count; ++i) positions.push_back(static_cast<int32_t>(first + i));
    rows = {sequences, positions, cache.blocks(), cache.blocks_per_sequence()};
  }
};

// Runs embeddings x [T, D] as the next rows of the sequence; x becomes the hidden states.
inline void run_rows(const Model& model, KvCache& cache, int32_t sequence, Workspace& space,
                     Tensor x, Trace* trace = nullptr) {
  const int64_t first = cache.extend(sequence, x.rows());
  const Run run(cache, sequence, first, x.rows());
  model.forward(x, run.rows, cache, space, trace);
}

inline KvCache cache_for(const Model& model, int sequences, int64_t positions,
                         Dtype dtype = Dtype::f32) {
  return KvCache(model.backend(), model.config().llama, dtype, sequences, positions,
                 sequences * KvCache::blocks_for(positions));
}

}  // namespace janus::testing
