// SPDX-License-Identifier: MIT
#include "model/tensor_source.h"

#include <algorithm>
#include <set>

#include "base/error.h"

namespace janus {

void TensorSource::read_blocks(const std::string& tensor, int64_t, std::span<std::byte>) const {
  fail(Code::bug, name(), ": tensor ", tensor, " is not stored in blocks");
}

std::optional<MappedField> TensorSource::mapped(const std::string&, std::string_view, Dtype) const {
  return std::nullopt;
}

StoredSource::StoredSource(std::string name, StoredTensors tensors)
    : name_(std::move(name)), tensors_(std::move(tensors)) {
  // Two tensors may share their memory (tied weights do); a thousand would let a small file claim
  // a model of any size.
  std::set<const MappedFile*> files;
  int64_t there = 0, claimed = 0;
  for (const auto& [tensor, stored] : tensors_) {
    claimed += static_cast<int64_t>(stored.data.size());
    if (!files.insert(stored.file.get()).second || !stored.file) continue;
    there += static_cast<int64_t>(stored.file->bytes().size());
  }
  check(claimed / 2 <= there, Code::bad_checkpoint, name_, ": its ", tensors_.size(),
        " tensors claim ", claimed, " bytes, its files hold ", there,
        "; tensors that share memory must be saved apart");
}

std::map<std::string, std::vector<int64_t>> StoredSource::shapes() const {
  std::map<std::string, std::vector<int64_t>> result;
  for (const auto& [tensor, stored] : tensors_) result.emplace(tensor, stored.shape);
  return result;
}

void StoredSource::read(const std::string& tensor, int64_t begin, std::span<float> out) const {
  const StoredTensor& stored = tensors_.at(tensor);
  const DtypeTraits type = traits(stored.dtype);
  const int64_t blocks = stored.count() / type.block;
  if (!type.is_float || blocks > std::ssize(stored.data) / type.bytes) {
    check(type.is_float, Code::bad_checkpoint, name_, ": tensor ", tensor, " holds ", type.name,
          "; weights must be f32, f16 or bf16, or a quantised type in a .gguf (other quantised "
          "checkpoints are not read)");
    // A stride of zero would let a small file claim a model of any size.
    fail(Code::bad_checkpoint, name_, ": tensor ", tensor, " ", shape_text(stored.shape),
         " repeats its own elements; was it saved from an expanded view?");
  }
  stored.read_f32(begin, out);
}

void StoredSource::read_blocks(const std::string& tensor, int64_t begin,
                               std::span<std::byte> out) const {
  const StoredTensor& stored = tensors_.at(tensor);
  const DtypeTraits type = traits(stored.dtype);
  const int64_t first = bytes_of(stored.dtype, begin);
  check(type.block > 1 && begin % type.block == 0 && std::ssize(out) % type.bytes == 0 &&
            first + std::ssize(out) <= std::ssize(stored.data),
        Code::bug, name_, ": ", out.size(), " bytes from element ", begin, " of tensor ", tensor,
        ", which is ", type.name, ", are no whole blocks of it");
  std::ranges::copy(stored.data.subspan(static_cast<size_t>(first), out.size()), out.begin());
}

std::optional<Dtype> StoredSource::stored(const std::string& tensor) const {
  return tensors_.at(tensor).dtype;
}

void StoredSource::done(const std::string& tensor, int64_t end) const {
  const StoredTensor& stored = tensors_.at(tensor);
  if (end >= stored.count()) {
    stored.drop();
  } else if (stored.dense()) {
    stored.file->drop(stored.data.data(), bytes_of(stored.dtype, end));
  }
}

}  // namespace janus
