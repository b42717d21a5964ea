// SPDX-License-Identifier: MIT
#include "model/footprint.h"

#include <algorithm>
#include <string_view>

#include "model/bridge.h"
#include "model/llama.h"
#include "model/siglip.h"
#include "model/storage.h"
#include "model/vq.h"
#include "model/weight_names.h"

namespace janus {
namespace {

// As Loader of weights.cc takes them.
class Footprint : public WeightVisitor {
 public:
  // `source`: whose tensors are held; what is mapped from it is counted so where it `stays`.
  // `rows`: that go through.
  Footprint(const Backend& backend, Dtype matrices, const TensorSource* source, Layout layout,
            bool stays, int64_t rows = 0)
      : backend_(backend),
        matrices_(matrices),
        source_(source),
        layout_(layout),
        stays_(stays),
        rows_(rows) {}

  void matrix(Weight&, int64_t, int64_t inputs, const FieldTensors& weight,
              const FieldTensors& bias) override {
    for (const HeldRows& rows : held_as(weight, inputs, matrices_, source_, layout_)) {
      packed(rows.type, rows.outputs, inputs, rows.tensors, bias);
      prepared_ = std::max(prepared_, backend_.prepared_rows_bytes(rows.type, rows_, inputs));
    }
  }
  void conv(Conv& field, int64_t outputs, int64_t channels, const FieldTensors& weight,
            const FieldTensors& bias) override {
    packed(plain_type(matrices_), outputs, channels * field.kernel * field.kernel, weight, bias);
    filters_ = std::max(filters_, backend_.filter_bytes(field.kernel, channels, outputs));
  }
  void table(Table&, int64_t entries, int64_t width, const FieldTensors& weight) override {
    const Dtype type = plain_type(matrices_);
    if (!map(weight, "", type)) hold(bytes_of(type, entries * width));
  }
  void plain(OwnedTensor&, int64_t rows, int64_t cols, const FieldTensors&) override {
    hold(bytes_of(Dtype::f32, std::max<int64_t>(rows, 1) * cols));
  }
  void hold(int64_t bytes) { bytes_ += Buffer::held(bytes); }

  int64_t bytes() const { return bytes_; }
  int64_t mapped() const { return mapped_; }
  int64_t filters() const { return filters_; }    // the largest
  int64_t prepared() const { return prepared_; }  // the largest

 private:
  void packed(Dtype type, int64_t outputs, int64_t inputs, const FieldTensors& weight,
              const FieldTensors& bias) {
    const bool there = !backend_.packing().empty() && map(weight, backend_.packing(), type);
    if (!there) hold(backend_.packed_bytes(type, outputs, inputs));
    if (!bias.of(Layout::transformers).empty()) hold(bytes_of(Dtype::f32, outputs));
  }

  bool map(const FieldTensors& field, std::string_view packing, Dtype type) {
    if (!stays_) return false;
    const auto there = source_->mapped(field.of(Layout::gguf).front().name, packing, type);
    if (there) mapped_ += std::ssize(there->bytes);
    return there.has_value();
  }

  const Backend& backend_;
  Dtype matrices_;
  const TensorSource* source_;
  Layout layout_;
  bool stays_;
  int64_t bytes_ = 0;
  int64_t mapped_ = 0;
  int64_t filters_ = 0;
  int64_t rows_;
  int64_t prepared_ = 0;
};

}  // namespace

ModelBytes model_bytes(const Config& config, const Backend& backend, Dtype matrices,
                       const Parts& parts, const TensorSource* source) {
  const bool stays = source && source->fingerprint(parts);  // else all of it is read (weights.cc)
  Footprint footprint(backend, matrices, source, config.layout, stays);
  Weights empty;
  visit_weights(config, empty, footprint, parts);
  const int64_t table =
      bytes_of(Dtype::f32, int64_t{config.llama.context} * (config.llama.head_width / 2));
  for (int i = 0; parts.language && i < 2; ++i) footprint.hold(table);  // cos and sin
  return {footprint.bytes() + footprint.mapped(), footprint.mapped()};
}

int64_t prepared_rows_bytes(const Config& config, const Backend& backend, Dtype matrices,
                            const Parts& parts, int64_t rows) {
  Footprint footprint(backend, matrices, nullptr, config.layout, false, rows);
  Weights empty;
  visit_weights(config, empty, footprint, parts);
  return Buffer::held(footprint.prepared());
}

int64_t filter_bytes(const Config& config, const Backend& backend, const Parts& parts) {
  Footprint footprint(backend, Dtype::f32, nullptr, config.layout, false);
  Weights empty;
  visit_weights(config, empty, footprint, parts);
  return Buffer::held(footprint.filters());
}

int64_t forward_scratch(const Config& config, int64_t rows) {
  return Llama::scratch_bytes(config.llama, rows);
}

int64_t embed_codes_scratch(const Config& config, int64_t rows) {
  Workspace::Count count;
  count.take({rows, config.vq.code_width});
  return count.bytes() +
         Bridge::project_scratch(config.gen_aligner_depth, rows, config.llama.width);
}

int64_t image_logits_scratch(const Config& config, int64_t rows) {
  Workspace::Count count;
  count.take({rows, config.gen_head_width});
  return count.bytes();
}

int64_t read_images_scratch(const Config& config, int64_t pictures) {
  const int64_t rows = pictures * config.vision.tokens();
  Workspace::Count count;
  count.take({rows, config.vision.width});
  return count.bytes() +
         std::max(Siglip::scratch_bytes(config.vision, rows),
                  Bridge::project_scratch(config.aligner_depth, rows, config.llama.width));
}

int64_t codec_scratch(const Config& config) {
  return Vq::scratch_bytes(config.vq, 1, config.grid());
}

}  // namespace janus
