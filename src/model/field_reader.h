// FieldReader: the numbers of one field in order, through all the tensors that make it up; looked
// at as they pass. SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "model/fingerprint.h"
#include "model/tensor_source.h"
#include "model/weight_names.h"

namespace janus {

class FieldReader {
 public:
  // `tensors` and `source` must outlive the reader. What is read is added to all `fingerprints`.
  FieldReader(const TensorSource& source, const std::vector<TensorSpec>& tensors,
              std::vector<Fingerprint*> fingerprints)
      : source_(source), tensors_(tensors), fingerprints_(std::move(fingerprints)) {}

  // The next elements; a call never crosses from one tensor to the next. Throws as refuse_values()
  // does for those that are not finite.
  void next(std::span<float> out);
  // The next elements as whole blocks of that type: those that are stored so as they are, others
  // made of their values, which are looked at in either case.
  void next_blocks(Dtype type, std::span<float> values, std::span<std::byte> out);

 private:
  void read(std::span<float> out, Dtype target);
  void move_on(int64_t count);

  const TensorSource& source_;
  const std::vector<TensorSpec>& tensors_;
  std::vector<Fingerprint*> fingerprints_;
  size_t at_ = 0;
  int64_t offset_ = 0;
  int64_t released_ = 0;
};

// All numbers of a field, one after another: for vectors. None where it has no tensors.
std::vector<float> read_field(const TensorSource& source, const std::vector<TensorSpec>& tensors,
                              const std::vector<Fingerprint*>& fingerprints = {});

// [c, ky, kx] of one output of a convolution, as checkpoints have it, as [ky, kx, c]; and back.
void channels_last(std::span<const float> stored, int64_t area, std::span<float> out);
void channels_first(std::span<const float> packed, int64_t area, std::span<float> out);

}  // namespace janus
