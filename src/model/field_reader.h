// FieldReader: the numbers of one field in order, through all the tensors that make it up; looked
// at as they pass, on all threads of a backend. SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "kernels/backend.h"
#include "model/fingerprint.h"
#include "model/tensor_source.h"
#include "model/weight_names.h"

namespace janus {

// One field as a backend packs it: the rows of its tensors one after another.
struct PackedForm {
  Dtype type = Dtype::f32;  // of its numbers
  int64_t outputs = 0;
  int64_t inputs = 0;
  int64_t area = 1;  // of a convolution's kernel: packed rows are [ky, kx, c]
};

// What all fields are read with: where from, whose threads, and memory for some rows on their way.
// The numbers read last wait there for their fingerprints until the next are read.
struct Reading {
  const TensorSource& source;
  const Backend& backend;
  std::vector<float> values = {}, spare = {};
  std::vector<std::byte> bytes = {};
  std::vector<Fingerprint*> waiting = {};
  std::span<const float> before = {};

  // Adds them now: to be called before a fingerprint's value is asked for.
  void settle();
};

class FieldReader {
 public:
  // `tensors` and `reading` must outlive the reader. What is read is added to all `fingerprints`,
  // the last of it by reading.settle().
  FieldReader(Reading& reading, const std::vector<TensorSpec>& tensors,
              std::vector<Fingerprint*> fingerprints)
      : reading_(reading), tensors_(tensors), fingerprints_(std::move(fingerprints)) {}

  // The next numbers. Throws as refuse_values() does for those that are not finite.
  void next(std::span<float> out);
  // The next numbers, as many as bytes of that type hold, whole blocks of every tensor: those that
  // are stored in the same type of blocks as they are, others made of their values. Throws for
  // values that are too large for the type as well.
  void next_as(Dtype type, std::span<std::byte> out);
  // The next `rows` of a matrix of that form.
  Weight rows(const PackedForm& form, int64_t rows, std::span<const float> bias = {});

 private:
  struct Piece {
    const TensorSpec* tensor;
    int64_t begin;  // first element of it
    int64_t at;     // of what is asked for
    int64_t count;
  };
  using Use = std::function<void(int64_t first, std::span<const std::byte>)>;

  std::vector<Piece> cut(int64_t count, int64_t together);
  bool take(const Piece& piece, const PackedForm& form, std::span<float> values,
            std::span<std::byte> out) const;
  void read(const PackedForm& form, int64_t together, std::span<std::byte> out, const Use& use);
  std::span<float> room(int64_t count);

  Reading& reading_;
  const std::vector<TensorSpec>& tensors_;
  std::vector<Fingerprint*> fingerprints_;
  size_t at_ = 0;
  int64_t offset_ = 0;
};

// All numbers of a field, one after another: for vectors. None where it has no tensors.
std::vector<float> read_field(Reading& reading, const std::vector<TensorSpec>& tensors,
                              const std::vector<Fingerprint*>& fingerprints = {});

// [c, ky, kx] of one output of a convolution, as checkpoints have it, as [ky, kx, c]; and back.
void channels_last(std::span<const float> stored, int64_t area, std::span<float> out);
void channels_first(std::span<const float> packed, int64_t area, std::span<float> out);

}  // namespace janus
