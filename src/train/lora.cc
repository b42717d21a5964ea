// See lora.h. Names and keys: huggingface/peft, tuners/lora/config.py and utils/save_and_load.py.
// SPDX-License-Identifier: MIT
#include "train/lora.h"

#include <cmath>
#include <nlohmann/json.hpp>
#include <set>
#include <span>
#include <system_error>
#include <vector>

#include "base/error.h"
#include "io/file.h"
#include "io/peft_names.h"
#include "train/checkpoint.h"
#include "train/dense.h"
#include "train/stage.h"

namespace janus::train {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr std::string_view kEnd = ".weight";

std::string factor(const std::string& layer, std::string_view part) {
  return layer + std::string(part) + std::string(kEnd);
}

// All linear layers, by name.
std::map<std::string, DenseImpl*> layers_of(torch::nn::Module& network) {
  std::map<std::string, DenseImpl*> layers;
  for (const auto& item : network.named_modules()) {
    if (auto* layer = item.value()->as<DenseImpl>()) layers[item.key()] = layer;
  }
  return layers;
}

void check_targets(const Recipe& recipe, const std::map<std::string, DenseImpl*>& layers) {
  for (const std::string& pattern : recipe.lora.targets) {
    bool found = false;
    for (const auto& [name, layer] : layers) found = found || matches(pattern, name);
    check(found, Code::bad_input, "lora.targets: \"", pattern, "\" matches no linear layer; ",
          layers.begin()->first, " is one, and * stands for any part of a name");
  }
}

}  // namespace

NamedTensors add_lora(torch::nn::Module& network, const Recipe& recipe) {
  const auto layers = layers_of(network);
  check_targets(recipe, layers);
  const auto& lora = recipe.lora;
  auto random = torch::make_generator<at::CPUGeneratorImpl>(recipe.seed);
  NamedTensors factors;
  for (const auto& [name, layer] : layers) {
    if (!any_matches(lora.targets, name)) continue;
    const int64_t inputs = layer->weight.size(1), outputs = layer->weight.size(0);
    const double bound = 1 / std::sqrt(static_cast<double>(inputs));
    Addition& addition = layer->addition;
    addition.a = torch::empty({lora.rank, inputs}).uniform_(-bound, bound, random);
    addition.b = torch::zeros({outputs, lora.rank});
    addition.scale = lora.alpha / static_cast<double>(lora.rank);
    addition.dropout = lora.dropout;
    factors[factor(name, kPeftA)] = addition.a.set_requires_grad(true);
    factors[factor(name, kPeftB)] = addition.b.set_requires_grad(true);
  }
  return factors;
}

void save_adapter(const fs::path& dir, const Recipe& recipe, const std::string& base,
                  const NamedTensors& factors, bool bf16) {
  std::error_code error;
  fs::create_directories(dir, error);
  check(!error, Code::device_failure, dir.string(), ": ", error.message());
  std::set<std::string> layers;
  NamedTensors named;
  for (const auto& [name, tensor] : factors) {
    named[std::string(kPeftPrefix) + name] = tensor;
    layers.insert(name.substr(0, name.size() - kPeftA.size() - kEnd.size()));
  }
  save_tensors(dir / kPeftWeights, named, bf16);
  const auto& lora = recipe.lora;
  const Json json = {{"peft_type", "LORA"},
                     {"task_type", nullptr},
                     {"base_model_name_or_path", base},
                     {"inference_mode", true},
                     {"r", lora.rank},
                     {"lora_alpha", lora.alpha},
                     {"lora_dropout", lora.dropout},
                     {"target_modules", layers},
                     {"bias", "none"},
                     {"fan_in_fan_out", false},
                     {"init_lora_weights", true},
                     {"use_rslora", false},
                     {"use_dora", false},
                     {"modules_to_save", nullptr}};
  const std::string text = json.dump(2) + "\n";
  write_atomically(dir / kPeftConfig, std::as_bytes(std::span(text)));  // last: then it is whole
}

}  // namespace janus::train
