// See adapter.h. Names and formula: huggingface/peft, tuners/lora (LoraLayer.update_layer,
// Linear.get_delta_weight) and utils/save_and_load.py. SPDX-License-Identifier: MIT
#include "model/adapter.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "io/file.h"
#include "io/peft_names.h"
#include "io/safetensors.h"
#include "model/weight_names.h"

namespace janus {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

constexpr std::string_view kEnds[] = {".weight", ".default.weight"};

struct Settings {
  double alpha = 0;
  bool by_root = false;  // use_rslora
};

Settings read_settings(const fs::path& path) {
  try {
    const Json json = Json::parse(read_text(path, 1'000'000));
    const std::string kind = json.at("peft_type");
    check(kind == "LORA", Code::not_supported, path.string(), ": peft_type is \"", kind,
          "\"; LORA can be merged");
    check(!json.value("use_dora", false), Code::not_supported, path.string(),
          ": use_dora: its matrices are rescaled besides, which is not known here");
    const std::string bias = json.value("bias", "none");
    check(bias == "none", Code::not_supported, path.string(), ": bias is \"", bias,
          "\"; adapters without biases can be merged");
    for (const char* key : {"alpha_pattern", "modules_to_save"}) {
      const Json value = json.value(key, Json());
      check(value.is_null() || value.empty(), Code::not_supported, path.string(), ": ", key,
            " is not empty, which is not known here");
    }
    return {json.at("lora_alpha").get<double>(), json.value("use_rslora", false)};
  } catch (const Json::exception& error) {
    fail(Code::bad_checkpoint, path.string(), ": ", error.what());
  }
}

// "base_model.model.X.lora_A.weight" -> "X.weight" for ".lora_A"; empty for another.
std::string matrix_of(std::string_view tensor, std::string_view factor) {
  if (!tensor.starts_with(kPeftPrefix)) return "";
  for (const std::string_view end : kEnds) {
    const std::string tail = std::string(factor) + std::string(end);
    if (!tensor.ends_with(tail)) continue;
    tensor.remove_prefix(kPeftPrefix.size());
    tensor.remove_suffix(tail.size());
    return std::string(tensor) + ".weight";
  }
  return "";
}

void check_factors(const std::string& file, const std::string& matrix, const LowRank& layer) {
  check(layer.a.shape.size() == 2 && layer.b.shape.size() == 2 &&
            layer.a.shape[0] == layer.b.shape[1] && layer.a.shape[0] > 0,
        Code::bad_checkpoint, file, ": of ", matrix, " lora_A is ", shape_text(layer.a.shape),
        " and lora_B ", shape_text(layer.b.shape),
        "; [rank, inputs] and [outputs, rank] belong together");
  for (const StoredTensor* factor : {&layer.a, &layer.b}) {
    check(traits(factor->dtype).is_float, Code::bad_checkpoint, file, ": the factors of ", matrix,
          " are of the type ", traits(factor->dtype).name, ", not floating point");
  }
}

std::vector<float> values_of(const StoredTensor& tensor) {
  std::vector<float> values(static_cast<size_t>(tensor.count()));
  tensor.read_f32(0, values);
  return values;
}

}  // namespace

Adapter read_adapter(const fs::path& directory) {
  check(fs::is_directory(directory), Code::bad_input, directory.string(),
        ": an adapter is a directory with adapter_config.json and adapter_model.safetensors");
  const Settings settings = read_settings(directory / kPeftConfig);
  const fs::path path = directory / kPeftWeights;
  const std::string file = path.string();
  Adapter adapter{directory.string(), {}};
  for (const auto& [name, tensor] : read_safetensors(path)) {
    const std::string a = matrix_of(name, kPeftA), b = matrix_of(name, kPeftB);
    check(!a.empty() || !b.empty(), Code::not_supported, file, ": ", name,
          " is no factor of a linear layer (base_model.model.….lora_A.weight or lora_B)");
    if (!a.empty()) adapter.layers[a].a = tensor;
    if (!b.empty()) adapter.layers[b].b = tensor;
  }
  check(!adapter.layers.empty(), Code::bad_checkpoint, file, ": holds no tensors");
  for (auto& [matrix, layer] : adapter.layers) {
    check_factors(file, matrix, layer);
    const auto rank = static_cast<double>(layer.a.shape[0]);
    layer.scale = settings.alpha / (settings.by_root ? std::sqrt(rank) : rank);
  }
  return adapter;
}

Layout adapter_layout(const Adapter& adapter, const Config& config) {
  const auto shapes_of = [&](Layout layout) {
    std::map<std::string, std::vector<int64_t>> shapes;
    for (const TensorSpec& spec : list_tensors(config, layout)) shapes[spec.name] = spec.shape;
    return shapes;
  };
  Layout layout = Layout::transformers;
  auto shapes = shapes_of(layout);
  if (shapes.count(adapter.layers.begin()->first) == 0) {
    layout = Layout::official;
    shapes = shapes_of(layout);
  }
  for (const auto& [matrix, layer] : adapter.layers) {
    const auto found = shapes.find(matrix);
    check(found != shapes.end(), Code::bad_checkpoint, adapter.name, ": changes ", matrix,
          ", which this model does not have; was the adapter made for another one?");
    const std::vector<int64_t> shape = {layer.b.shape[0], layer.a.shape[1]};
    check(found->second == shape, Code::bad_checkpoint, adapter.name, ": ", matrix, " is ",
          shape_text(found->second), " in this model and ", shape_text(shape),
          " in the adapter; was it made for another size?");
  }
  return layout;
}

MergedSource::MergedSource(const TensorSource& base, const Adapter& adapter) : base_(base) {
  for (const auto& [matrix, layer] : adapter.layers) {
    Factors factors{layer.a.shape[0], layer.a.shape[1], values_of(layer.a), values_of(layer.b)};
    for (float& value : factors.b) value = static_cast<float>(value * layer.scale);
    layers_.emplace(matrix, std::move(factors));
  }
}

void MergedSource::read(const std::string& tensor, int64_t begin, std::span<float> out) const {
  base_.read(tensor, begin, out);
  const auto found = layers_.find(tensor);
  if (found == layers_.end()) return;
  const auto& [rank, inputs, a, b] = found->second;
  const int64_t end = begin + std::ssize(out);
  for (int64_t row = begin / inputs; row * inputs < end; ++row) {
    const int64_t first = std::max(begin, row * inputs), last = std::min(end, (row + 1) * inputs);
    for (int64_t r = 0; r < rank; ++r) {
      const float factor = b[static_cast<size_t>(row * rank + r)];
      const float* from = a.data() + r * inputs + (first - row * inputs);
      float* to = out.data() + (first - begin);
      for (int64_t i = 0; i < last - first; ++i) to[i] += factor * from[i];
    }
  }
}

std::optional<Dtype> MergedSource::stored(const std::string& tensor) const {
  const std::optional<Dtype> type = base_.stored(tensor);
  const bool blocks = type && traits(*type).block > 1;
  return blocks && layers_.count(tensor) > 0 ? std::nullopt : type;
}

void MergedSource::read_blocks(const std::string& tensor, int64_t begin,
                               std::span<std::byte> out) const {
  check(layers_.count(tensor) == 0, Code::bug, tensor, " is merged, its blocks are no more");
  base_.read_blocks(tensor, begin, out);
}

}  // namespace janus
