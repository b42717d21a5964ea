// SPDX-License-Identifier: MIT
#include "model/relaid.h"

#include <algorithm>

#include "model/weight_names.h"

namespace janus {

RelaidSource::RelaidSource(const Config& config, const TensorSource& base, Layout from, Layout to,
                           const Parts& parts)
    : base_(base) {
  for (const FieldTensors& field : list_fields(config, parts)) {
    auto source = field.of(from).begin();
    int64_t used = 0;  // of *source
    for (const TensorSpec& tensor : field.of(to)) {
      Target target{tensor.shape, {}};
      for (int64_t left = tensor.count(); left > 0;) {
        const int64_t count = std::min(left, source->count() - used);
        target.stretches.push_back({source->name, used, count});
        left -= count;
        used += count;
        if (used == source->count()) {
          ++source;
          used = 0;
        }
      }
      targets_.emplace(tensor.name, std::move(target));
    }
  }
}

std::map<std::string, std::vector<int64_t>> RelaidSource::shapes() const {
  std::map<std::string, std::vector<int64_t>> result;
  for (const auto& [name, target] : targets_) result.emplace(name, target.shape);
  return result;
}

void RelaidSource::read(const std::string& tensor, int64_t begin, std::span<float> out) const {
  for (const Stretch& stretch : targets_.at(tensor).stretches) {
    if (begin < stretch.count && !out.empty()) {
      const auto count = std::min<int64_t>(stretch.count - begin, std::ssize(out));
      base_.read(stretch.tensor, stretch.begin + begin, out.first(static_cast<size_t>(count)));
      out = out.subspan(static_cast<size_t>(count));
      begin += count;
    }
    begin -= stretch.count;
  }
}

std::optional<Dtype> RelaidSource::stored(const std::string& tensor) const {
  const std::optional<Dtype> type = base_.stored(origin(tensor));
  for (const Stretch& stretch : targets_.at(tensor).stretches) {
    if (base_.stored(stretch.tensor) != type) return std::nullopt;
  }
  return type;
}

void RelaidSource::read_blocks(const std::string& tensor, int64_t begin,
                               std::span<std::byte> out) const {
  for (const Stretch& stretch : targets_.at(tensor).stretches) {
    if (begin < stretch.count && !out.empty()) {
      const Dtype type = base_.stored(stretch.tensor).value_or(Dtype::f32);
      const int64_t there = bytes_of(type, stretch.count - begin);
      const auto bytes = static_cast<size_t>(std::min<int64_t>(there, std::ssize(out)));
      base_.read_blocks(stretch.tensor, stretch.begin + begin, out.first(bytes));
      begin += std::ssize(out.first(bytes)) / traits(type).bytes * traits(type).block;
      out = out.subspan(bytes);
    }
    begin -= stretch.count;
  }
}

void RelaidSource::done(const std::string& tensor, int64_t end) const {
  for (const Stretch& stretch : targets_.at(tensor).stretches) {
    if (end <= 0) return;
    base_.done(stretch.tensor, stretch.begin + std::min(end, stretch.count));
    end -= stretch.count;
  }
}

const std::string& RelaidSource::origin(const std::string& tensor) const {
  return targets_.at(tensor).stretches.front().tensor;
}

}  // namespace janus
