// SPDX-License-Identifier: MIT
#include "model/save_packed.h"

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "base/error.h"
#include "base/quant.h"
#include "kernels/panels.h"
#include "model/field_reader.h"
#include "model/packed_source.h"
#include "model/storage.h"

namespace janus {
namespace {

constexpr int64_t kPiece = 1 << 20;  // numbers made at a time, about

using Sink = std::function<void(std::span<const std::byte>)>;

// Another source's numbers as they read once they are stored in some type.
class RoundedSource : public TensorSource {
 public:
  explicit RoundedSource(const TensorSource& base) : base_(base) {}
  void round(const std::string& tensor, Dtype type) { types_.emplace(tensor, type); }

  std::string name() const override { return base_.name(); }
  std::map<std::string, std::vector<int64_t>> shapes() const override { return base_.shapes(); }
  std::optional<Dtype> stored(const std::string& tensor) const override {
    return types_.at(tensor);
  }
  // Whole blocks, as all callers below ask for them.
  void read(const std::string& tensor, int64_t begin, std::span<float> out) const override {
    std::vector<std::byte> bytes(static_cast<size_t>(bytes_of(types_.at(tensor), std::ssize(out))));
    const Dtype type = fill(tensor, begin, out, bytes);
    decode(type, bytes, 0, out);
  }
  void read_blocks(const std::string& tensor, int64_t begin,
                   std::span<std::byte> out) const override {
    const Dtype type = types_.at(tensor);
    std::vector<float> values(
        static_cast<size_t>(std::ssize(out) / traits(type).bytes * traits(type).block));
    fill(tensor, begin, values, out);
  }
  void done(const std::string& tensor, int64_t end) const override { base_.done(tensor, end); }

 private:
  // Codes of blocks found again from their values may be others, so those that are there are taken.
  Dtype fill(const std::string& tensor, int64_t begin, std::span<float> values,
             std::span<std::byte> out) const {
    const Dtype type = types_.at(tensor);
    if (traits(type).block > 1 && base_.stored(tensor) == type) {
      base_.read_blocks(tensor, begin, out);
    } else {
      base_.read(tensor, begin, values);
      encode(type, values, out);
    }
    return type;
  }

  const TensorSource& base_;
  std::map<std::string, Dtype> types_;
};

}  // namespace

class PackedEntries::Maker : public WeightVisitor {
 public:
  Maker(const Config& config, const TensorSource& source, const Backend& backend, Dtype matrices,
        std::function<void(int64_t, int64_t)> on_progress)
      : stored_(source),
        source_(source),
        way_in_{source_, backend},
        matrices_(matrices),
        on_progress_(std::move(on_progress)),
        drawing_names_(named_tensors(config, Layout::gguf, kDrawingParts)),
        reading_names_(named_tensors(config, Layout::gguf, kReadingParts)) {
    check(backend.packing() == kPanelPacking, Code::not_supported, "backend ", backend.name(),
          " keeps no packing in files; cpu does");
    Weights none;
    visit_weights(config, none, *this);
    entries_.push_back({kFingerprintTensor, Dtype::i64, {2}, [this](const Sink& sink) {
                          way_in_.settle();
                          const std::array<uint64_t, 2> both{drawing_.value(), reading_.value()};
                          sink(std::as_bytes(std::span(both)));
                        }});
  }

  void matrix(Weight&, int64_t, int64_t inputs, const FieldTensors& weight,
              const FieldTensors& bias) override {
    for (const HeldRows& rows : held_as(weight, inputs, matrices_, &stored_, Layout::gguf)) {
      packed(rows.type, rows.outputs, inputs, 1, rows.tensors, bias);
    }
  }
  void conv(Conv& field, int64_t outputs, int64_t channels, const FieldTensors& weight,
            const FieldTensors& bias) override {
    const int64_t area = int64_t{field.kernel} * field.kernel;
    packed(plain_type(matrices_), outputs, channels * area, area, weight, bias);
  }
  void table(Table&, int64_t, int64_t, const FieldTensors& weight) override {
    rows(weight.of(Layout::gguf), plain_type(matrices_), true);
  }
  void plain(OwnedTensor&, int64_t, int64_t, const FieldTensors& weight) override {
    rows(weight.of(Layout::gguf), Dtype::f32, true);
  }

  std::vector<TensorEntry> entries_;
  std::vector<std::string> packed_, types_;

 private:
  // A field's one tensor, or one for each of its types, then its bias. The bias is looked at first,
  // as loading does.
  void packed(Dtype type, int64_t outputs, int64_t inputs, int64_t area, const FieldTensors& weight,
              const FieldTensors& bias) {
    const std::vector<TensorSpec> tensors = weight.of(Layout::gguf), with = bias.of(Layout::gguf);
    for (const TensorSpec& tensor : tensors) round(tensor, type);
    packed_.push_back(packed_name(tensors.front().name));
    types_.emplace_back(traits(type).name);
    entries_.push_back({packed_.back(),
                        Dtype::i8,
                        {count_panels(outputs), bytes_of_panel(type, inputs)},
                        [this, type, outputs, inputs, area, tensors, with](const Sink& sink) {
                          read_field(way_in_, with, fingerprints(with));
                          pack({type, outputs, inputs, area}, tensors, sink);
                        }});
    rows(with, Dtype::f32, false);
  }

  // A few panels at a time: panels do not depend on each other.
  void pack(const PackedForm& form, const std::vector<TensorSpec>& tensors, const Sink& sink) {
    FieldReader reader(way_in_, tensors, fingerprints(tensors));
    const int64_t each = std::max<int64_t>(1, kPiece / form.inputs / kPanelOutputs) * kPanelOutputs;
    for (int64_t begin = 0; begin < form.outputs; begin += each) {
      const int64_t some = std::min(each, form.outputs - begin);
      const Weight piece = reader.rows(form, some);
      sink({piece.data.data(), static_cast<size_t>(piece.data.bytes())});
      progress(some * form.inputs);
    }
  }

  // Tensors as they are, each row after row.
  void rows(const std::vector<TensorSpec>& tensors, Dtype type, bool counts) {
    for (const TensorSpec& tensor : tensors) {
      round(tensor, type);
      entries_.push_back(
          {tensor.name, type, tensor.shape, [this, tensor, type, counts](const Sink& sink) {
             const std::vector<TensorSpec> one{tensor};
             FieldReader reader(way_in_, one,
                                counts ? fingerprints(one) : std::vector<Fingerprint*>{});
             std::vector<std::byte> bytes;
             for (int64_t left = tensor.count(); left > 0;) {
               const int64_t some = std::min(left, kPiece);
               bytes.resize(static_cast<size_t>(bytes_of(type, some)));
               reader.next_as(type, bytes);
               sink(bytes);
               progress(some);
               left -= some;
             }
           }});
    }
  }

  void round(const TensorSpec& tensor, Dtype type) {
    source_.round(tensor.name, type);
    total_ += tensor.count();
  }

  std::vector<Fingerprint*> fingerprints(const std::vector<TensorSpec>& tensors) {
    std::vector<Fingerprint*> result;
    if (tensors.empty()) return result;
    if (drawing_names_.contains(tensors.front().name)) result.push_back(&drawing_);
    if (reading_names_.contains(tensors.front().name)) result.push_back(&reading_);
    return result;
  }

  void progress(int64_t count) {
    done_ += count;
    if (on_progress_) on_progress_(done_, total_);
  }

  const TensorSource& stored_;
  RoundedSource source_;
  Reading way_in_;
  Dtype matrices_;
  std::function<void(int64_t, int64_t)> on_progress_;
  std::set<std::string> drawing_names_, reading_names_;
  Fingerprint drawing_, reading_;
  int64_t done_ = 0, total_ = 0;
};

PackedEntries::PackedEntries(const Config& config, const TensorSource& source,
                             const Backend& backend, Dtype matrices,
                             std::function<void(int64_t, int64_t)> on_progress)
    : maker_(std::make_unique<Maker>(config, source, backend, matrices, std::move(on_progress))) {}

PackedEntries::~PackedEntries() = default;

void PackedEntries::add_metadata(GgufMetadata& metadata) const {
  metadata.text(kPackingKey, kPanelPacking);
  metadata.whole(kPackingVersionKey, kPanelVersion);
  metadata.texts(kPackedTensorsKey, maker_->packed_);
  metadata.texts(kPackedTypesKey, maker_->types_);
}

const std::vector<TensorEntry>& PackedEntries::entries() const { return maker_->entries_; }

}  // namespace janus
