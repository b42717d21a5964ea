// See self_test.h. Sizes are no multiples of any vector's length, so that the ends of rows are
// computed as well. SPDX-License-Identifier: MIT
#include "apps/self_test.h"

#include <algorithm>
#include <cmath>
#include <functional>

#include "base/rng.h"

namespace janus {

namespace {

constexpr int64_t kRows = 5, kInputs = 259, kOutputs = 67;

OwnedTensor random_tensor(uint64_t name, std::initializer_list<int64_t> shape) {
  OwnedTensor tensor(Dtype::f32, shape);
  Philox random(0x646f63746f72, name);
  float* values = tensor.view.f32();
  for (int64_t i = 0; i < tensor.view.count(); ++i) {
    values[i] = static_cast<float>(random.uniform(-1, 1));
  }
  return tensor;
}

Weight random_weight(const Backend& backend, Dtype type, int64_t outputs, int64_t inputs) {
  const OwnedTensor values = random_tensor(1, {outputs, inputs});
  const OwnedTensor bias = random_tensor(2, {outputs});
  const auto row = [&](int64_t index, std::span<float> out) {
    std::copy_n(values.view.row(index), inputs, out.begin());
  };
  return backend.pack(type, outputs, inputs, row, {bias.view.f32(), static_cast<size_t>(outputs)});
}

OwnedTensor linear(const Backend& backend, Dtype type, Epilogue epilogue) {
  const int64_t block = traits(type).block;
  const int64_t inputs = (kInputs + block - 1) / block * block;  // an odd number of blocks
  OwnedTensor out(Dtype::f32, {kRows, kOutputs});
  backend.linear(random_tensor(3, {kRows, inputs}).view,
                 random_weight(backend, type, kOutputs, inputs), out.view, epilogue);
  return out;
}

OwnedTensor norm(const Backend& backend, bool mean) {
  OwnedTensor out(Dtype::f32, {kRows, kInputs});
  const OwnedTensor x = random_tensor(4, {kRows, kInputs}), weight = random_tensor(5, {kInputs});
  const OwnedTensor bias = random_tensor(6, {kInputs});
  if (mean) {
    backend.layer_norm(x.view, weight.view, bias.view, 1e-6f, out.view);
  } else {
    backend.rms_norm(x.view, weight.view, 1e-6f, out.view);
  }
  return out;
}

OwnedTensor swiglu(const Backend& backend) {
  OwnedTensor out(Dtype::f32, {kRows, kOutputs});
  backend.swiglu(random_tensor(7, {kRows, 2 * kOutputs}).view, out.view);
  return out;
}

// Two blocks of keys and values of one sequence, and one more query behind them.
OwnedTensor attend(const Backend& backend, Dtype type) {
  constexpr int kHeads = 2, kWidth = 24;
  constexpr int64_t kTokens = kKvBlock + 9;
  const int64_t bytes = backend.kv_block_bytes(type, kHeads, kWidth) * 2;
  Buffer memory(2 * bytes);
  const KvLayer layer{type, kHeads, kWidth, 2, bytes / 2, memory.data(), memory.data() + bytes};
  const std::vector<int32_t> blocks = {1, 0}, sequence(kTokens, 0);
  std::vector<int32_t> position;
  for (int32_t i = 0; i < kTokens; ++i) position.push_back(i);
  const Rows rows{sequence, position, blocks, 2};
  backend.kv_store(random_tensor(8, {kTokens, kHeads * kWidth}).view,
                   random_tensor(9, {kTokens, kHeads * kWidth}).view, rows, layer);
  OwnedTensor out(Dtype::f32, {kTokens, kHeads * kWidth});
  backend.attend(random_tensor(10, {kTokens, kHeads * kWidth}).view, rows, layer, kHeads, 0.2f,
                 out.view);
  return out;
}

// Small pictures are computed over windows, larger ones by tiles.
OwnedTensor conv2d(const Backend& backend, int64_t side) {
  constexpr int64_t kChannels = 19;
  Conv conv;
  conv.weight = random_weight(backend, Dtype::f32, kOutputs, 9 * kChannels);
  conv.kernel = 3;
  conv.pad_before = conv.pad_after = 1;
  OwnedTensor out(Dtype::f32, {1, side, side, kOutputs});
  backend.conv2d(random_tensor(11, {1, side, side, kChannels}).view, conv, out.view);
  return out;
}

OwnedTensor group_norm(const Backend& backend) {
  constexpr int64_t kSide = 3, kChannels = 36;
  OwnedTensor out(Dtype::f32, {1, kSide, kSide, kChannels});
  backend.group_norm(random_tensor(12, {1, kSide, kSide, kChannels}).view,
                     random_tensor(13, {kChannels}).view, random_tensor(14, {kChannels}).view, 4,
                     1e-6f, true, out.view);
  return out;
}

// Rows of length one.
OwnedTensor directions(uint64_t name, int64_t rows, int64_t width) {
  OwnedTensor tensor = random_tensor(name, {rows, width});
  for (int64_t r = 0; r < rows; ++r) {
    float* row = tensor.view.row(r);
    float squares = 0;
    for (int64_t i = 0; i < width; ++i) squares += row[i] * row[i];
    for (int64_t i = 0; i < width; ++i) row[i] /= std::sqrt(squares);
  }
  return tensor;
}

OwnedTensor nearest_code(const Backend& backend) {
  constexpr int64_t kCodes = 61, kWidth = 8;
  std::vector<int32_t> ids(kRows);
  backend.nearest_code(directions(15, kRows, kWidth).view, directions(16, kCodes, kWidth).view,
                       ids);
  OwnedTensor out(Dtype::f32, {kRows});
  std::transform(ids.begin(), ids.end(), out.view.f32(),
                 [](int32_t id) { return static_cast<float>(id); });
  return out;
}

OperationResult compare(const std::string& operation, const Tensor& got, const Tensor& expected) {
  double difference = 0, largest = 0;
  for (int64_t i = 0; i < expected.count(); ++i) {
    const double a = static_cast<double>(got.f32()[i]);
    const double b = static_cast<double>(expected.f32()[i]);
    largest = std::max(largest, std::abs(b));
    difference = std::abs(a - b) <= difference ? difference : std::abs(a - b);
    if (std::isnan(a)) difference = INFINITY;
  }
  const double error = difference / largest;
  return {operation, error, error <= kSelfTestBound};
}

}  // namespace

std::vector<OperationResult> self_test(const Backend& backend, const Backend& ref) {
  using Work = std::function<OwnedTensor(const Backend&)>;
  const std::vector<std::pair<const char*, Work>> works = {
      {"linear f32", [](const auto& b) { return linear(b, Dtype::f32, Epilogue::store); }},
      {"linear bf16", [](const auto& b) { return linear(b, Dtype::bf16, Epilogue::store); }},
      {"linear q8_0", [](const auto& b) { return linear(b, Dtype::q8_0, Epilogue::store); }},
      {"linear q4_0", [](const auto& b) { return linear(b, Dtype::q4_0, Epilogue::store); }},
      {"linear q4_k", [](const auto& b) { return linear(b, Dtype::q4_k, Epilogue::store); }},
      {"linear q6_k", [](const auto& b) { return linear(b, Dtype::q6_k, Epilogue::store); }},
      {"linear gelu", [](const auto& b) { return linear(b, Dtype::f32, Epilogue::gelu); }},
      {"rms_norm", [](const auto& b) { return norm(b, false); }},
      {"layer_norm", [](const auto& b) { return norm(b, true); }},
      {"swiglu", swiglu},
      {"attend f32", [](const auto& b) { return attend(b, Dtype::f32); }},
      {"attend bf16", [](const auto& b) { return attend(b, Dtype::bf16); }},
      {"conv2d", [](const auto& b) { return conv2d(b, 9); }},
      {"conv2d large", [](const auto& b) { return conv2d(b, 33); }},
      {"group_norm", group_norm},
      {"nearest_code", nearest_code}};
  std::vector<OperationResult> results;
  for (const auto& [name, work] : works) {
    results.push_back(compare(name, work(backend).view, work(ref).view));
  }
  return results;
}

}  // namespace janus
