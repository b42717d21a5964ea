// SPDX-License-Identifier: MIT
#include "model/weights.h"

#include <algorithm>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "base/error.h"
#include "base/half.h"
#include "model/checkpoint_check.h"
#include "model/field_reader.h"
#include "model/fingerprint.h"
#include "model/storage.h"
#include "model/unit_rows.h"
#include "model/weight_names.h"

namespace janus {
namespace {

class Loader : public WeightVisitor {
 public:
  // `named`: tensors that the fingerprint is taken of, unless it is stated.
  Loader(const TensorSource& source, Layout layout, const Backend& backend, Dtype matrices,
         std::set<std::string> named, std::optional<uint64_t> stated, int64_t total,
         const std::function<void(double)>& on_progress)
      : source_(source),
        layout_(layout),
        backend_(backend),
        matrices_(matrices),
        named_(std::move(named)),
        stated_(stated),
        total_(total),
        on_progress_(on_progress) {}

  void matrix(Weight& field, int64_t outputs, int64_t inputs, const FieldTensors& weight,
              const FieldTensors& bias) override {
    const Dtype type = held_as(weight, inputs, matrices_);
    const std::vector<float> offsets = vectors(bias);
    const Packed want{type, outputs, inputs};
    if (adopt(field, want, weight, offsets)) return;
    FieldReader reader = read(weight);
    if (multiplied_as_stored(type)) {
      std::vector<float> row(static_cast<size_t>(inputs));
      const auto next = [&](int64_t, std::span<std::byte> out) {
        reader.next_blocks(type, row, out);
      };
      field = backend_.pack_blocks(type, outputs, inputs, next, offsets);
    } else {
      const auto next = [&](int64_t, std::span<float> out) { reader.next(out); };
      field = backend_.pack(type, outputs, inputs, next, offsets);
    }
    finish(outputs * inputs + std::ssize(offsets), field.data, field.bias.buffer);
  }

  void conv(Conv& field, int64_t outputs, int64_t channels, const FieldTensors& weight,
            const FieldTensors& bias) override {
    const int64_t area = int64_t{field.kernel} * field.kernel;
    const std::vector<float> offsets = vectors(bias);
    const Packed want{plain_type(matrices_), outputs, channels * area};
    if (adopt(field.weight, want, weight, offsets)) return;
    FieldReader reader = read(weight);
    std::vector<float> stored(static_cast<size_t>(channels * area));
    const auto next = [&](int64_t, std::span<float> out) {
      reader.next(stored);
      channels_last(stored, area, out);
    };
    field.weight = backend_.pack(want.type, outputs, want.inputs, next, offsets);
    finish(outputs * want.inputs + std::ssize(offsets), field.weight.data,
           field.weight.bias.buffer);
  }

  void table(Table& field, int64_t entries, int64_t width, const FieldTensors& weight) override {
    field.entries = entries;
    field.width = width;
    const Dtype type = plain_type(matrices_);
    if (auto there = mapped(weight, "", type)) {
      field.rows.buffer = Buffer(there->bytes, std::move(there->owner));
      field.rows.view = Tensor(field.rows.buffer.data(), type, {entries, width});
      return finish(entries * width, field.rows.buffer);
    }
    field.rows = OwnedTensor(type, {entries, width});
    FieldReader reader = read(weight);
    std::vector<float> row(static_cast<size_t>(width));
    for (int64_t r = 0; r < entries; ++r) {
      reader.next(row);
      store(row, field.rows, r * width);
    }
    finish(entries * width, field.rows.buffer);
  }

  void plain(OwnedTensor& field, int64_t rows, int64_t cols, const FieldTensors& weight) override {
    const int64_t lines = std::max<int64_t>(rows, 1);
    field = rows ? OwnedTensor(Dtype::f32, {rows, cols}) : OwnedTensor(Dtype::f32, {cols});
    FieldReader reader = read(weight);
    for (int64_t r = 0; r < lines; ++r) {
      reader.next({field.view.f32() + r * cols, static_cast<size_t>(cols)});
    }
    finish(lines * cols, field.buffer);
  }

  int64_t bytes() const { return bytes_; }
  int64_t mapped_bytes() const { return mapped_bytes_; }
  uint64_t fingerprint() const { return stated_.value_or(fingerprint_.value()); }

 private:
  struct Packed {
    Dtype type;
    int64_t outputs, inputs;
  };

  std::vector<Fingerprint*> fingerprints(const std::vector<TensorSpec>& tensors) {
    const bool counts = !stated_ && !tensors.empty() && named_.contains(tensors.front().name);
    return counts ? std::vector<Fingerprint*>{&fingerprint_} : std::vector<Fingerprint*>{};
  }

  FieldReader read(const FieldTensors& field) {
    return {source_, field.of(layout_), fingerprints(field.of(layout_))};
  }

  // Those that go with a matrix, one after another; none where there is no bias.
  std::vector<float> vectors(const FieldTensors& bias) {
    return read_field(source_, bias.of(layout_), fingerprints(bias.of(layout_)));
  }

  std::optional<MappedField> mapped(const FieldTensors& field, std::string_view packing,
                                    Dtype type) const {
    if (!stated_) return std::nullopt;  // all values must be read anyway
    return source_.mapped(field.of(layout_).front().name, packing, type);
  }

  // The matrix as it lies in the file, where it is packed so there.
  bool adopt(Weight& field, const Packed& want, const FieldTensors& weight,
             std::span<const float> offsets) {
    if (backend_.packing().empty()) return false;
    auto there = mapped(weight, backend_.packing(), want.type);
    if (!there) return false;
    field = backend_.adopt(want.type, want.outputs, want.inputs,
                           Buffer(there->bytes, std::move(there->owner)), offsets);
    finish(want.outputs * want.inputs + std::ssize(offsets), field.data, field.bias.buffer);
    return true;
  }

  static void store(std::span<const float> row, OwnedTensor& to, int64_t offset) {
    if (to.view.dtype == Dtype::f32) {
      std::copy(row.begin(), row.end(), to.view.f32() + offset);
      return;
    }
    auto* out = static_cast<uint16_t*>(to.view.data) + offset;
    std::transform(row.begin(), row.end(), out, f32_to_bf16);
  }

  void finish(int64_t elements, const Buffer& values, const Buffer& bias = {}) {
    done_ += elements;
    bytes_ += values.bytes() + bias.bytes();
    if (values.lent()) mapped_bytes_ += values.bytes();
    if (on_progress_) on_progress_(static_cast<double>(done_) / static_cast<double>(total_));
  }

  const TensorSource& source_;
  Layout layout_;
  const Backend& backend_;
  Dtype matrices_;
  std::set<std::string> named_;
  std::optional<uint64_t> stated_;
  Fingerprint fingerprint_;
  int64_t done_ = 0;
  int64_t total_;
  int64_t bytes_ = 0, mapped_bytes_ = 0;
  const std::function<void(double)>& on_progress_;
};

}  // namespace

std::set<std::string> named_tensors(const Config& config, Layout layout, const Parts& parts) {
  std::set<std::string> names;
  for (const TensorSpec& tensor :
       list_tensors(config, layout, parts.draws() ? kDrawingParts : parts)) {
    names.insert(tensor.name);
  }
  return names;
}

Weights load_weights(const Config& config, const TensorSource& source, const Backend& backend,
                     Dtype matrices, const std::function<void(double)>& on_progress,
                     const Parts& parts) {
  check(is_weight_type(matrices), Code::bad_input, "weights as ", traits(matrices).name,
        " are not supported; f32, bf16, q8_0 and q4_0 are");
  const Layout layout = check_tensors(config, source, parts);
  int64_t total = 0;
  for (const TensorSpec& tensor : list_tensors(config, layout, parts)) {
    total += tensor.count();
  }
  Loader loader(source, layout, backend, matrices, named_tensors(config, layout, parts),
                source.fingerprint(parts), total, on_progress);
  Weights weights;
  visit_weights(config, weights, loader, parts);
  if (parts.decoder || parts.encoder) make_rows_unit(weights.codebook.view);
  weights.bytes = loader.bytes();
  weights.mapped_bytes = loader.mapped_bytes();
  weights.fingerprint = loader.fingerprint();
  return weights;
}

}  // namespace janus
