// SPDX-License-Identifier: MIT
#include "model/packed_source.h"

#include <algorithm>
#include <cstring>
#include <set>

#include "base/error.h"
#include "base/quant.h"
#include "kernels/panels.h"
#include "model/storage.h"

namespace janus {
namespace {

constexpr std::string_view kWeight = ".weight", kPacked = ".packed";
constexpr const char* kAgain =
    "; convert the original again (januspro convert SRC DST.gguf --layout native)";

// The fields of a .gguf by the name that each has when packed. One that is `listed` by the name of
// a later tensor too is of several types: from there on its rows are a field of their own.
std::map<std::string, std::vector<TensorSpec>> fields_by_name(
    const Config& config, std::span<const std::string_view> listed) {
  const std::set<std::string_view> names(listed.begin(), listed.end());
  std::map<std::string, std::vector<TensorSpec>> fields;
  for (const FieldTensors& field : list_fields(config)) {
    std::string name;  // of the rows that are being gathered
    for (const TensorSpec& tensor : field.of(Layout::gguf)) {
      if (!tensor.name.ends_with(kWeight)) break;
      const std::string own = packed_name(tensor.name);
      if (name.empty() || names.contains(own)) name = own;
      fields[name].push_back(tensor);
    }
  }
  return fields;
}

void check_packing(const GgufFile& file) {
  const std::string name(file.text(kPackingKey).value_or(""));
  const int64_t version = file.whole(kPackingVersionKey).value_or(0);
  check(name == kPanelPacking && version == kPanelVersion, Code::not_supported, file.path(),
        ": its weights are packed as \"", name.substr(0, 40), "\", version ", version,
        "; this program knows \"", kPanelPacking, "\", version ", kPanelVersion, kAgain);
}

}  // namespace

PackedForm packed_form(const std::vector<TensorSpec>& tensors, Dtype type) {
  PackedForm form{.type = type};
  for (const TensorSpec& tensor : tensors) form.outputs += tensor.shape.front();
  const std::vector<int64_t>& shape = tensors.front().shape;
  form.inputs = tensors.front().count() / shape.front();
  if (shape.size() == 4) form.area = shape[2] * shape[3];
  return form;
}

std::string packed_name(const std::string& first) {
  return first.substr(0, first.size() - kWeight.size()) + std::string(kPacked);
}

bool PackedSource::is_packed(const GgufFile& file) { return file.text(kPackingKey).has_value(); }

PackedSource::PackedSource(const GgufFile& file, const Config& config, StoredTensors tensors) {
  check_packing(file);
  const auto names = file.texts(kPackedTensorsKey), types = file.texts(kPackedTypesKey);
  check(names.size() == types.size(), Code::bad_checkpoint, file.path(), ": ", kPackedTensorsKey,
        " lists ", names.size(), " tensors, ", kPackedTypesKey, " ", types.size(), " types",
        kAgain);
  const auto fields = fields_by_name(config, names);
  for (size_t i = 0; i < names.size(); ++i) {
    const std::string name(names[i]);
    const auto field = fields.find(name);
    const auto stored = tensors.find(name);
    const auto type = dtype_named(types[i]);
    check(field != fields.end() && stored != tensors.end() && type && is_matrix_type(*type),
          Code::bad_checkpoint, file.path(), ": ", kPackedTensorsKey, " lists ", name.substr(0, 80),
          " of ", std::string(types[i].substr(0, 20)),
          stored == tensors.end() ? ", which is not there" : ", which is no matrix of the model",
          kAgain);
    add(file, field->second, *type, stored->second);
    tensors.erase(stored);
  }
  take_fingerprint(file, tensors);
  rows_ = tensors;
  plain_ = std::make_unique<const StoredSource>(file.name(), std::move(tensors));
  for (const auto& [name, place] : places_) {
    check(!rows_.contains(name), Code::bad_checkpoint, file.path(), ": holds ", name,
          " twice, as it is and packed", kAgain);
  }
}

void PackedSource::add(const GgufFile& file, const std::vector<TensorSpec>& tensors, Dtype type,
                       StoredTensor packed) {
  const PackedForm form = packed_form(tensors, type);
  const std::string& first = tensors.front().name;
  const bool whole =
      form.inputs % traits(type).block == 0 && (form.area == 1 || traits(type).block == 1);
  const std::vector<int64_t> wanted{count_panels(form.outputs),
                                    whole ? bytes_of_panel(type, form.inputs) : 0};
  check(whole && packed.dtype == Dtype::i8 && packed.shape == wanted, Code::bad_checkpoint,
        file.path(), ": tensor ", packed_name(first), " is ", traits(packed.dtype).name, " ",
        shape_text(packed.shape), ", packed as ", traits(type).name, " it must be i8 ",
        shape_text(wanted), kAgain);
  // As the writer aligns them; kernels load rows of a line.
  constexpr uintptr_t kLine = 64;
  check(reinterpret_cast<uintptr_t>(packed.data.data()) % kLine == 0, Code::bad_checkpoint,
        file.path(), ": tensor ", packed_name(first), " does not begin at a multiple of ", kLine,
        " bytes", kAgain);
  fields_.push_back(std::make_unique<const Field>(Field{form, std::move(packed)}));
  int64_t row = 0;
  for (const TensorSpec& tensor : tensors) {
    places_.emplace(tensor.name, Place{fields_.back().get(), tensor.shape, row});
    row += tensor.shape.front();
  }
}

void PackedSource::take_fingerprint(const GgufFile& file, StoredTensors& tensors) {
  const auto found = tensors.find(kFingerprintTensor);
  check(found != tensors.end() && found->second.dtype == Dtype::i64 && found->second.count() == 2,
        Code::bad_checkpoint, file.path(), ": has no ", kFingerprintTensor, " of two i64", kAgain);
  std::memcpy(&drawing_, found->second.data.data(), sizeof drawing_);
  std::memcpy(&reading_, found->second.data.data() + sizeof drawing_, sizeof reading_);
  tensors.erase(found);
}

const PackedSource::Place* PackedSource::place_of(const std::string& tensor) const {
  const auto found = places_.find(tensor);
  return found == places_.end() ? nullptr : &found->second;
}

std::map<std::string, std::vector<int64_t>> PackedSource::shapes() const {
  auto result = plain_->shapes();
  for (const auto& [name, place] : places_) result.emplace(name, place.shape);
  return result;
}

std::optional<Dtype> PackedSource::stored(const std::string& tensor) const {
  const Place* place = place_of(tensor);
  return place ? place->field->form.type : plain_->stored(tensor);
}

void PackedSource::read(const std::string& tensor, int64_t begin, std::span<float> out) const {
  const Place* place = place_of(tensor);
  if (!place) return plain_->read(tensor, begin, out);
  const PackedForm& form = place->field->form;
  std::vector<std::byte> packed(static_cast<size_t>(bytes_of(form.type, form.inputs)));
  std::vector<float> row(static_cast<size_t>(form.inputs)), turned(row.size());
  for (auto left = out; !left.empty();) {
    const int64_t index = begin / form.inputs, skip = begin % form.inputs;
    take_row(form.type, place->field->packed.data.data(), place->first_row + index, packed);
    decode(form.type, packed, 0, row);
    if (form.area > 1) {
      channels_first(row, form.area, turned);
      row.swap(turned);
    }
    const auto count = std::min<int64_t>(form.inputs - skip, std::ssize(left));
    std::copy_n(row.begin() + skip, count, left.begin());
    left = left.subspan(static_cast<size_t>(count));
    begin += count;
  }
}

void PackedSource::read_blocks(const std::string& tensor, int64_t begin,
                               std::span<std::byte> out) const {
  const Place* place = place_of(tensor);
  if (!place) return plain_->read_blocks(tensor, begin, out);
  const PackedForm& form = place->field->form;
  const DtypeTraits type = traits(form.type);
  check(type.block > 1 && begin % type.block == 0 && std::ssize(out) % type.bytes == 0, Code::bug,
        name(), ": ", out.size(), " bytes from element ", begin, " of tensor ", tensor,
        ", which is ", type.name, ", are no whole blocks of it");
  std::vector<std::byte> row(static_cast<size_t>(bytes_of(form.type, form.inputs)));
  while (!out.empty()) {
    const int64_t index = begin / form.inputs;
    const int64_t skip = bytes_of(form.type, begin % form.inputs);
    take_row(form.type, place->field->packed.data.data(), place->first_row + index, row);
    const auto count = std::min<int64_t>(std::ssize(row) - skip, std::ssize(out));
    std::copy_n(row.begin() + skip, count, out.begin());
    out = out.subspan(static_cast<size_t>(count));
    begin += count / type.bytes * type.block;
  }
}

std::optional<MappedField> PackedSource::mapped(const std::string& tensor, std::string_view packing,
                                                Dtype type) const {
  const Place* place = place_of(tensor);
  if (place) {
    const bool same = packing == kPanelPacking && place->field->form.type == type;
    if (!same || place->first_row != 0) return std::nullopt;
    return MappedField{place->field->packed.data, place->field->packed.file};
  }
  const auto found = rows_.find(tensor);
  if (!packing.empty() || found == rows_.end() || found->second.dtype != type) return std::nullopt;
  return MappedField{found->second.data, found->second.file};
}

std::optional<uint64_t> PackedSource::fingerprint(const Parts& parts) const {
  if (parts.draws()) return drawing_;
  return parts == kReadingParts ? std::optional(reading_) : std::nullopt;
}

// Pages of a packed field are shared by all its rows: they stay.
void PackedSource::done(const std::string& tensor, int64_t end) const {
  if (!place_of(tensor)) plain_->done(tensor, end);
}

}  // namespace janus
