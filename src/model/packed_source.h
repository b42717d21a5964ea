// PackedSource: a .gguf whose matrices lie as the kernels of this machine want them, so that
// mapping the file is loading it. For whoever wants them otherwise, and for converting, they are
// taken apart again: what it offers has the names, shapes and values of an ordinary .gguf. The form
// is told in docs/formats.md, "Packed for a processor". SPDX-License-Identifier: MIT
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "io/gguf.h"
#include "model/config.h"
#include "model/field_reader.h"
#include "model/tensor_source.h"
#include "model/weight_names.h"

namespace janus {

inline constexpr const char* kPackingKey = "janus.packing.name";
inline constexpr const char* kPackingVersionKey = "janus.packing.version";
inline constexpr const char* kPackedTensorsKey = "janus.packing.tensors";
inline constexpr const char* kPackedTypesKey = "janus.packing.types";
// [2] i64: of a model that draws, of the half that reads.
inline constexpr const char* kFingerprintTensor = "packing.fingerprint";

// The form of the field that consists of these.
PackedForm packed_form(const std::vector<TensorSpec>& tensors, Dtype type);

// "….weight" -> "….packed": the field's tensor, named after the first that it joins.
std::string packed_name(const std::string& first);

class PackedSource : public TensorSource {
 public:
  static bool is_packed(const GgufFile& file);

  // `tensors`: of the file, other additions taken out. Throws Code::not_supported for a packing
  // that is not known, Code::bad_checkpoint for a packed tensor whose size is not that of its
  // field.
  PackedSource(const GgufFile& file, const Config& config, StoredTensors tensors);

  std::string name() const override { return plain_->name(); }
  std::map<std::string, std::vector<int64_t>> shapes() const override;
  void read(const std::string& tensor, int64_t begin, std::span<float> out) const override;
  std::optional<Dtype> stored(const std::string& tensor) const override;
  void read_blocks(const std::string& tensor, int64_t begin,
                   std::span<std::byte> out) const override;
  std::optional<MappedField> mapped(const std::string& tensor, std::string_view packing,
                                    Dtype type) const override;
  std::optional<uint64_t> fingerprint(const Parts& parts) const override;
  void done(const std::string& tensor, int64_t end) const override;

 private:
  struct Field {
    PackedForm form;
    StoredTensor packed;
  };
  // A tensor that is some rows of a field.
  struct Place {
    const Field* field = nullptr;
    std::vector<int64_t> shape;
    int64_t first_row = 0;
  };

  void add(const GgufFile& file, const std::vector<TensorSpec>& tensors, Dtype type,
           StoredTensor packed);
  void take_fingerprint(const GgufFile& file, StoredTensors& tensors);
  const Place* place_of(const std::string& tensor) const;

  std::vector<std::unique_ptr<const Field>> fields_;
  std::map<std::string, Place> places_;
  StoredTensors rows_;  // those that are not packed
  std::unique_ptr<const StoredSource> plain_;
  uint64_t drawing_ = 0, reading_ = 0;
};

}  // namespace janus
