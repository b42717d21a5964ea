// TensorSource: where a model's numbers come from while it is loaded: the files of a checkpoint, or
// a rule that computes them. Names and shapes as one of the two layouts has them; what they mean is
// weight_names.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "io/stored.h"
#include "model/parts.h"

namespace janus {

// Memory of a file, kept by its owner.
struct MappedField {
  std::span<const std::byte> bytes;
  std::shared_ptr<const void> owner;
};

class TensorSource {
 public:
  virtual ~TensorSource() = default;
  // For messages: the path, or what else it is.
  virtual std::string name() const = 0;
  virtual std::map<std::string, std::vector<int64_t>> shapes() const = 0;
  // Elements [begin, begin + out.size()) of a tensor of shapes(), row-major, as f32.
  virtual void read(const std::string& tensor, int64_t begin, std::span<float> out) const = 0;
  // The type its numbers are stored in; none where a rule computes them.
  virtual std::optional<Dtype> stored(const std::string&) const { return std::nullopt; }
  // The same elements as they are stored: whole blocks, where stored() is a type of blocks, and
  // bytes_of(that type, their count) bytes. Throws Code::bug where it is not.
  virtual void read_blocks(const std::string& tensor, int64_t begin,
                           std::span<std::byte> out) const;
  // The bytes of the field that begins with that tensor, where they lie in memory as a backend
  // wants them: in that packing (kernels/panels.h), or row after row where it is "". None where
  // they do not, or are of another type. Their values are not looked at.
  virtual std::optional<MappedField> mapped(const std::string& tensor, std::string_view packing,
                                            Dtype type) const;
  // That of `parts` as loading takes it, where it is stated; none: from the values.
  virtual std::optional<uint64_t> fingerprint(const Parts&) const { return std::nullopt; }
  // Elements before `end` are not needed again for now.
  virtual void done(const std::string& tensor, int64_t end) const = 0;
};

// The tensors of a checkpoint's files. Throws Code::bad_checkpoint for one that is not floating
// point or claims more elements than it has bytes for.
class StoredSource : public TensorSource {
 public:
  StoredSource(std::string name, StoredTensors tensors);
  std::string name() const override { return name_; }
  std::map<std::string, std::vector<int64_t>> shapes() const override;
  void read(const std::string& tensor, int64_t begin, std::span<float> out) const override;
  std::optional<Dtype> stored(const std::string& tensor) const override;
  void read_blocks(const std::string& tensor, int64_t begin,
                   std::span<std::byte> out) const override;
  void done(const std::string& tensor, int64_t end) const override;

 private:
  std::string name_;
  StoredTensors tensors_;
};

}  // namespace janus
