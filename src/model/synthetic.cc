// SPDX-License-Identifier: MIT
#include "model/synthetic.h"

#include <cmath>

namespace janus {
namespace {

// The reflected polynomial of zlib and PNG.
uint32_t crc32(const std::string& text) {
  uint32_t crc = 0xFFFFFFFFu;
  for (const char c : text) {
    crc ^= static_cast<uint8_t>(c);
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ (crc & 1 ? 0xEDB88320u : 0u);
  }
  return ~crc;
}

// Steele, Lea, Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014.
uint64_t splitmix64(uint64_t key) {
  uint64_t z = key + 0x9E3779B97F4A7C15u;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
  return z ^ (z >> 31);
}

void fill(const std::string& name, uint32_t seed, int64_t begin, double base, double scale,
          std::span<float> out) {
  const uint64_t key = uint64_t{crc32(name) ^ (2654435761u * seed)} << 32;
  for (size_t i = 0; i < out.size(); ++i) {
    const uint64_t bits = splitmix64(key | (static_cast<uint64_t>(begin) + i)) >> 40;
    const double v = 2 * (static_cast<double>(bits) * 0x1p-24) - 1;
    out[i] = static_cast<float>(base + scale * v);
  }
}

}  // namespace

void synthetic_uniform(const std::string& name, uint32_t seed, int64_t begin,
                       std::span<float> out) {
  fill(name, seed, begin, 0, 1, out);
}

SyntheticSource::Rule SyntheticSource::rule_of(const TensorSpec& official) {
  Rule rule;
  rule.stream = official.name;
  const auto is = [&](const char* end) { return official.name.ends_with(end); };
  if (is(".bias") || is("pos_embed")) {
    rule.scale = 0.1;
  } else if (official.shape.size() == 1) {
    rule.base = 1;
    rule.scale = 0.1;
  } else if (!is("gen_embed.weight") && !is("quantize.embedding.weight") &&
             !is("embed_tokens.weight")) {
    const int64_t fan_in = official.count() / official.shape[0];
    rule.scale = std::sqrt(3.0 / static_cast<double>(fan_in));
  }
  return rule;
}

// Both layouts of each field side by side: the wanted tensor takes its elements where the official
// one of the same field has them.
SyntheticSource::SyntheticSource(const Config& config, Layout names, uint32_t seed) : seed_(seed) {
  for (const FieldTensors& field : list_fields(config)) {
    const std::vector<TensorSpec>& official = field.of(Layout::official);
    size_t at = 0;
    int64_t offset = 0;
    for (const TensorSpec& tensor : field.of(names)) {
      Rule rule = rule_of(official[at]);
      rule.shape = tensor.shape;
      rule.offset = offset;
      rules_.emplace(tensor.name, rule);
      offset += tensor.count();
      if (offset == official[at].count()) {
        ++at;
        offset = 0;
      }
    }
  }
}

std::map<std::string, std::vector<int64_t>> SyntheticSource::shapes() const {
  std::map<std::string, std::vector<int64_t>> result;
  for (const auto& [tensor, rule] : rules_) result.emplace(tensor, rule.shape);
  return result;
}

void SyntheticSource::read(const std::string& tensor, int64_t begin, std::span<float> out) const {
  const Rule& rule = rules_.at(tensor);
  fill(rule.stream, seed_, rule.offset + begin, rule.base, rule.scale, out);
}

}  // namespace janus
