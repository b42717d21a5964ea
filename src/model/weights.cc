// SPDX-License-Identifier: MIT
#include "model/weights.h"

#include <algorithm>
#include <set>
#include <string>
#include <utility>

#include "base/error.h"
#include "base/half.h"
#include "base/quant.h"
#include "model/checkpoint_check.h"
#include "model/fingerprint.h"
#include "model/storage.h"
#include "model/unit_rows.h"
#include "model/value_check.h"
#include "model/weight_names.h"

namespace janus {
namespace {

constexpr int64_t kReleaseAfter = 1 << 20;  // elements read before their pages are given back

// The elements of one field in order, through all the tensors that make it up.
class FieldReader {
 public:
  // A fingerprint to be added to, or null.
  FieldReader(const TensorSource& source, const std::vector<TensorSpec>& tensors,
              Fingerprint* fingerprint)
      : source_(source), tensors_(tensors), fingerprint_(fingerprint) {}

  // The next elements; a call never crosses from one tensor to the next.
  void next(std::span<float> out) {
    check_next(out, Dtype::f32);
    move_on(std::ssize(out));
  }

  // The next elements as whole blocks of that type: those that are stored so as they are, others
  // made of their values, which are looked at in either case.
  void next_blocks(Dtype type, std::span<float> values, std::span<std::byte> out) {
    const TensorSpec& tensor = tensors_[at_];
    check_next(values, type);
    if (source_.stored(tensor.name) == type) {
      source_.read_blocks(tensor.name, offset_, out);
    } else {
      encode(type, values, out);
    }
    move_on(std::ssize(values));
  }

 private:
  // Reads what is next; `target` must hold it.
  void check_next(std::span<float> out, Dtype target) {
    const TensorSpec& tensor = tensors_[at_];
    source_.read(tensor.name, offset_, out);
    if (!all_below(out, limit_of(target))) {
      refuse_values(source_, tensor.name, tensor.count(), target);
    }
    if (fingerprint_) fingerprint_->add(out);
  }

  void move_on(int64_t count) {
    const TensorSpec& tensor = tensors_[at_];
    offset_ += count;
    const bool end = offset_ == tensor.count();
    if (end || offset_ - released_ >= kReleaseAfter) {
      source_.done(tensor.name, offset_);
      released_ = offset_;
    }
    if (end) {
      ++at_;
      offset_ = released_ = 0;
    }
  }

  const TensorSource& source_;
  const std::vector<TensorSpec>& tensors_;
  Fingerprint* fingerprint_;
  size_t at_ = 0;
  int64_t offset_ = 0;
  int64_t released_ = 0;
};

class Loader : public WeightVisitor {
 public:
  // `named`: tensors that the fingerprint is taken of.
  Loader(const TensorSource& source, Layout layout, const Backend& backend, Dtype matrices,
         std::set<std::string> named, int64_t total, const std::function<void(double)>& on_progress)
      : source_(source),
        layout_(layout),
        backend_(backend),
        matrices_(matrices),
        named_(std::move(named)),
        total_(total),
        on_progress_(on_progress) {}

  void matrix(Weight& field, int64_t outputs, int64_t inputs, const FieldTensors& weight,
              const FieldTensors& bias) override {
    FieldReader reader = read(weight);
    const Dtype type = held_as(weight, inputs, matrices_);
    const std::vector<float> offsets = values_of(bias);
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
    finish(outputs * inputs + std::ssize(offsets), field.bytes());
  }

  void conv(Conv& field, int64_t outputs, int64_t channels, const FieldTensors& weight,
            const FieldTensors& bias) override {
    FieldReader reader = read(weight);
    const int64_t area = int64_t{field.kernel} * field.kernel;
    std::vector<float> stored(static_cast<size_t>(channels * area));
    const std::vector<float> offsets = values_of(bias);
    const auto next = [&](int64_t, std::span<float> out) {
      reader.next(stored);  // [c, ky, kx] -> [ky, kx, c]
      for (int64_t c = 0; c < channels; ++c) {
        for (int64_t k = 0; k < area; ++k) {
          out[static_cast<size_t>(k * channels + c)] = stored[static_cast<size_t>(c * area + k)];
        }
      }
    };
    field.weight = backend_.pack(plain_type(matrices_), outputs, channels * area, next, offsets);
    finish(outputs * channels * area + std::ssize(offsets), field.weight.bytes());
  }

  void table(Table& field, int64_t entries, int64_t width, const FieldTensors& weight) override {
    field.entries = entries;
    field.width = width;
    field.rows = OwnedTensor(plain_type(matrices_), {entries, width});
    FieldReader reader = read(weight);
    std::vector<float> row(static_cast<size_t>(width));
    for (int64_t r = 0; r < entries; ++r) {
      reader.next(row);
      store(row, field.rows, r * width);
    }
    finish(entries * width, field.bytes());
  }

  void plain(OwnedTensor& field, int64_t rows, int64_t cols, const FieldTensors& weight) override {
    const int64_t lines = std::max<int64_t>(rows, 1);
    field = rows ? OwnedTensor(Dtype::f32, {rows, cols}) : OwnedTensor(Dtype::f32, {cols});
    FieldReader reader = read(weight);
    for (int64_t r = 0; r < lines; ++r) {
      reader.next({field.view.f32() + r * cols, static_cast<size_t>(cols)});
    }
    finish(lines * cols, field.buffer.bytes());
  }

  int64_t bytes() const { return bytes_; }
  uint64_t fingerprint() const { return fingerprint_.value(); }

 private:
  FieldReader read(const FieldTensors& field) {
    const std::vector<TensorSpec>& tensors = field.of(layout_);
    const bool counts = !tensors.empty() && named_.contains(tensors.front().name);
    return {source_, tensors, counts ? &fingerprint_ : nullptr};
  }

  // Vectors that go with a matrix, one after another; none where there is no bias.
  std::vector<float> values_of(const FieldTensors& bias) {
    const std::vector<TensorSpec>& parts = bias.of(layout_);
    std::vector<float> values;
    FieldReader reader = read(bias);
    for (const TensorSpec& part : parts) {
      const size_t begin = values.size(), count = static_cast<size_t>(part.count());
      values.resize(begin + count);
      reader.next(std::span(values).subspan(begin, count));
    }
    return values;
  }

  static void store(std::span<const float> row, OwnedTensor& to, int64_t offset) {
    if (to.view.dtype == Dtype::f32) {
      std::copy(row.begin(), row.end(), to.view.f32() + offset);
      return;
    }
    auto* out = static_cast<uint16_t*>(to.view.data) + offset;
    std::transform(row.begin(), row.end(), out, f32_to_bf16);
  }

  void finish(int64_t elements, int64_t bytes) {
    done_ += elements;
    bytes_ += bytes;
    if (on_progress_) on_progress_(static_cast<double>(done_) / static_cast<double>(total_));
  }

  const TensorSource& source_;
  Layout layout_;
  const Backend& backend_;
  Dtype matrices_;
  std::set<std::string> named_;
  Fingerprint fingerprint_;
  int64_t done_ = 0;
  int64_t total_;
  int64_t bytes_ = 0;
  const std::function<void(double)>& on_progress_;
};

// Whatever else is loaded, a model that draws is told by what its pictures depend on, so that their
// recipes agree.
std::set<std::string> named_tensors(const Config& config, Layout layout, const Parts& parts) {
  std::set<std::string> names;
  for (const TensorSpec& tensor :
       list_tensors(config, layout, parts.draws() ? kDrawingParts : parts)) {
    names.insert(tensor.name);
  }
  return names;
}

}  // namespace

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
  Loader loader(source, layout, backend, matrices, named_tensors(config, layout, parts), total,
                on_progress);
  Weights weights;
  visit_weights(config, weights, loader, parts);
  if (parts.decoder || parts.encoder) make_rows_unit(weights.codebook.view);
  weights.bytes = loader.bytes();
  weights.fingerprint = loader.fingerprint();
  return weights;
}

}  // namespace janus
