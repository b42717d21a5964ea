// SPDX-License-Identifier: MIT
#include "model/low_rank.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "base/error.h"
#include "model/fingerprint.h"
#include "model/weight_names.h"

namespace janus {
namespace {

// Where an adapter changes a field.
struct Place {
  Weight* field;
  int64_t number;  // of the field, in the order of visiting
  int64_t first;   // of the field's outputs
  const LowRank* layer;
};

class Finder : public WeightVisitor {
 public:
  Finder(const Adapter& adapter, Layout layout) : adapter_(adapter), layout_(layout) {}

  void matrix(Weight& field, int64_t, int64_t, const FieldTensors& weight,
              const FieldTensors&) override {
    int64_t first = 0;
    for (const TensorSpec& tensor : weight.of(layout_)) {
      const auto found = adapter_.layers.find(tensor.name);
      if (found != adapter_.layers.end()) {
        places.push_back({&field, number_, first, &found->second});
      }
      first += tensor.shape.front();
    }
    ++number_;
  }
  void conv(Conv&, int64_t, int64_t, const FieldTensors&, const FieldTensors&) override {}
  void table(Table&, int64_t, int64_t, const FieldTensors& weight) override { refuse(weight); }
  void plain(OwnedTensor&, int64_t, int64_t, const FieldTensors& weight) override {
    refuse(weight);
  }

  std::vector<Place> places;

 private:
  void refuse(const FieldTensors& field) const {
    for (const TensorSpec& tensor : field.of(layout_)) {
      check(adapter_.layers.count(tensor.name) == 0, Code::not_supported, adapter_.name,
            ": changes ", tensor.name,
            ", which is no linear layer; `januspro convert --merge` puts it into the weights");
    }
  }

  const Adapter& adapter_;
  Layout layout_;
  int64_t number_ = 0;
};

// `weights`: as they are loaded, or empty to be told where things would be.
std::vector<Place> places_of(const Config& config, const Adapter& adapter, const Parts& parts,
                             Weights& weights) {
  Finder finder(adapter, adapter_layout(adapter, config));
  visit_weights(config, weights, finder, parts);
  return std::move(finder.places);
}

std::vector<float> values_of(const StoredTensor& factor, double scale) {
  std::vector<float> values(static_cast<size_t>(factor.count()));
  factor.read_f32(0, values);
  for (float& value : values) value = static_cast<float>(value * scale);
  return values;
}

double scale_of(const ScaledAdapter& one, const LowRank& layer) { return one.scale * layer.scale; }

Weight pack(const Backend& backend, const StoredTensor& factor, double scale) {
  const std::vector<float> values = values_of(factor, scale);
  const auto row = [&](int64_t index, std::span<float> out) {
    std::copy_n(values.begin() + index * std::ssize(out), out.size(), out.begin());
  };
  return backend.pack(Dtype::f32, factor.shape[0], factor.shape[1], row);
}

// All of it, whichever parts are loaded, so that recipes agree.
void add_to(Fingerprint& fingerprint, const Config& config, const ScaledAdapter& one) {
  Weights empty;
  for (const Place& place : places_of(config, one.adapter, {}, empty)) {
    const float where[] = {static_cast<float>(place.number), static_cast<float>(place.first)};
    fingerprint.add(where);
    fingerprint.add(values_of(place.layer->a, 1));
    fingerprint.add(values_of(place.layer->b, scale_of(one, *place.layer)));
  }
}

}  // namespace

void check_adapters(const Config& config, std::span<const ScaledAdapter> adapters) {
  for (const ScaledAdapter& one : adapters) {
    Weights empty;
    for (const Place& place : places_of(config, one.adapter, {}, empty)) {
      for (const StoredTensor* factor : {&place.layer->a, &place.layer->b}) {
        const std::vector<float> values = values_of(*factor, scale_of(one, *place.layer));
        check(std::all_of(values.begin(), values.end(), [](float v) { return std::isfinite(v); }),
              Code::bad_checkpoint, one.adapter.name,
              ": holds a number that is not finite, or too large at the scale ", one.scale,
              "; did its training diverge?");
      }
    }
  }
}

void add_adapters(const Config& config, std::span<const ScaledAdapter> adapters,
                  const Backend& backend, const Parts& parts, Weights& weights) {
  for (const ScaledAdapter& one : adapters) {
    if (one.scale == 0) continue;
    for (const Place& place : places_of(config, one.adapter, parts, weights)) {
      LowRankAddition addition{place.first, pack(backend, place.layer->a, 1),
                               pack(backend, place.layer->b, scale_of(one, *place.layer))};
      weights.bytes += addition.a.bytes() + addition.b.bytes();
      place.field->additions.push_back(std::move(addition));
    }
    Fingerprint fingerprint(weights.fingerprint);
    add_to(fingerprint, config, one);
    weights.fingerprint = fingerprint.value();
  }
}

int64_t adapter_bytes(const Config& config, std::span<const ScaledAdapter> adapters,
                      const Backend& backend, const Parts& parts) {
  int64_t bytes = 0, widest = 0;
  Weights empty;
  for (const ScaledAdapter& one : adapters) {
    if (one.scale == 0) continue;
    for (const Place& place : places_of(config, one.adapter, parts, empty)) {
      for (const StoredTensor* factor : {&place.layer->a, &place.layer->b}) {
        bytes += Buffer::held(backend.packed_bytes(Dtype::f32, factor->shape[0], factor->shape[1]));
      }
      widest = std::max(widest, place.layer->a.shape[0]);
    }
  }
  return bytes + Buffer::held(Backend::low_rank_bytes(widest));
}

}  // namespace janus
