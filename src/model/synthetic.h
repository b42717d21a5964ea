// Weights by rule: every element is a function of its tensor's official name and its place, so that
// two programs can hold the same model of any size without a file. The values are those of no
// trained model; their sizes keep activations near one.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "model/config.h"
#include "model/tensor_source.h"
#include "model/weight_names.h"

namespace janus {

// Elements [begin, begin + out.size()) of the stream `name`, in [-1, 1): top 24 bits of
// splitmix64((CRC32(name) xor 2654435761·seed) << 32 | i).
void synthetic_uniform(const std::string& name, uint32_t seed, int64_t begin, std::span<float> out);

// All tensors of a model, named as in `names`; the same values in both layouts. With v of
// synthetic_uniform: biases and position embeddings 0.1 v, embedding tables v, other vectors
// 1 + 0.1 v, matrices and convolutions v·sqrt(3 / fan_in).
class SyntheticSource : public TensorSource {
 public:
  SyntheticSource(const Config& config, Layout names, uint32_t seed = 0);

  std::string name() const override { return "synthetic weights"; }
  std::map<std::string, std::vector<int64_t>> shapes() const override;
  void read(const std::string& tensor, int64_t begin, std::span<float> out) const override;
  void done(const std::string&, int64_t) const override {}

 private:
  struct Rule {
    std::vector<int64_t> shape;  // of the tensor as named here
    std::string stream;          // official name
    int64_t offset = 0;          // of its first element in the stream
    double base = 0, scale = 1;  // value = base + scale·v
  };
  static Rule rule_of(const TensorSpec& official);

  std::map<std::string, Rule> rules_;
  uint32_t seed_;
};

}  // namespace janus
