// SPDX-License-Identifier: MIT
#include "model/weights.h"

#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "base/error.h"
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
        reading_{source, backend},
        matrices_(matrices),
        named_(std::move(named)),
        stated_(stated),
        total_(total),
        on_progress_(on_progress) {}

  void matrix(Weight& field, int64_t outputs, int64_t inputs, const FieldTensors& weight,
              const FieldTensors& bias) override {
    const std::vector<float> offsets = vectors(bias);
    const std::vector<HeldRows> runs = held_as(weight, inputs, matrices_, &source_, layout_);
    check(runs.size() == 1 || offsets.empty(), Code::bug, "a matrix of ", outputs,
          " outputs in several types has a bias");
    for (const HeldRows& rows : runs) {
      Weight& part = &rows == &runs.front() ? field : field.behind.emplace_back();
      fill(part, {rows.type, rows.outputs, inputs}, rows.tensors, offsets);
    }
  }

  void conv(Conv& field, int64_t outputs, int64_t channels, const FieldTensors& weight,
            const FieldTensors& bias) override {
    const int64_t area = int64_t{field.kernel} * field.kernel;
    const std::vector<float> offsets = vectors(bias);
    fill(field.weight, {plain_type(matrices_), outputs, channels * area, area}, weight, offsets);
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
    const int64_t bytes = bytes_of(type, entries * width);
    field.rows.buffer = backend_.fresh_memory(bytes);
    field.rows.view = Tensor(field.rows.buffer.data(), type, {entries, width});
    read(weight).next_as(type, {field.rows.buffer.data(), static_cast<size_t>(bytes)});
    finish(entries * width, field.rows.buffer);
  }

  void plain(OwnedTensor& field, int64_t rows, int64_t cols, const FieldTensors& weight) override {
    field = rows ? OwnedTensor(Dtype::f32, {rows, cols}) : OwnedTensor(Dtype::f32, {cols});
    const int64_t count = field.view.count();
    read(weight).next({field.view.f32(), static_cast<size_t>(count)});
    finish(count, field.buffer);
  }

  int64_t bytes() const { return bytes_; }
  int64_t mapped_bytes() const { return mapped_bytes_; }
  uint64_t fingerprint() {
    reading_.settle();
    return stated_.value_or(fingerprint_.value());
  }

 private:
  std::vector<Fingerprint*> fingerprints(const std::vector<TensorSpec>& tensors) {
    const bool counts = !stated_ && !tensors.empty() && named_.contains(tensors.front().name);
    return counts ? std::vector<Fingerprint*>{&fingerprint_} : std::vector<Fingerprint*>{};
  }

  FieldReader read(const FieldTensors& field) {
    return {reading_, field.of(layout_), fingerprints(field.of(layout_))};
  }

  void fill(Weight& field, const PackedForm& form, const FieldTensors& weight,
            std::span<const float> offsets) {
    if (!adopt(field, form, weight, offsets)) {
      field = read(weight).rows(form, form.outputs, offsets);
    }
    finish(form.outputs * form.inputs + std::ssize(offsets), field.data, field.bias.buffer);
  }

  // Those that go with a matrix, one after another; none where there is no bias.
  std::vector<float> vectors(const FieldTensors& bias) {
    return read_field(reading_, bias.of(layout_), fingerprints(bias.of(layout_)));
  }

  std::optional<MappedField> mapped(const FieldTensors& field, std::string_view packing,
                                    Dtype type) const {
    if (!stated_) return std::nullopt;  // all values must be read anyway
    return source_.mapped(field.of(layout_).front().name, packing, type);
  }

  // The matrix as it lies in the file, where it is packed so there.
  bool adopt(Weight& field, const PackedForm& want, const FieldTensors& weight,
             std::span<const float> offsets) {
    if (backend_.packing().empty()) return false;
    auto there = mapped(weight, backend_.packing(), want.type);
    if (!there) return false;
    field = backend_.adopt(want.type, want.outputs, want.inputs,
                           Buffer(there->bytes, std::move(there->owner)), offsets);
    return true;
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
  Reading reading_;
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
        " are not supported; these are: ", weight_type_names());
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
