// SPDX-License-Identifier: MIT
#include "model/field_reader.h"

#include "base/quant.h"
#include "model/value_check.h"

namespace janus {
namespace {

constexpr int64_t kReleaseAfter = 1 << 20;  // elements read before their pages are given back

}  // namespace

void FieldReader::next(std::span<float> out) {
  read(out, Dtype::f32);
  move_on(std::ssize(out));
}

void FieldReader::next_blocks(Dtype type, std::span<float> values, std::span<std::byte> out) {
  const TensorSpec& tensor = tensors_[at_];
  read(values, type);
  if (source_.stored(tensor.name) == type) {
    source_.read_blocks(tensor.name, offset_, out);
  } else {
    encode(type, values, out);
  }
  move_on(std::ssize(values));
}

// Reads what is next; `target` must hold it.
void FieldReader::read(std::span<float> out, Dtype target) {
  const TensorSpec& tensor = tensors_[at_];
  source_.read(tensor.name, offset_, out);
  if (!all_below(out, limit_of(target))) {
    refuse_values(source_, tensor.name, tensor.count(), target);
  }
  for (Fingerprint* fingerprint : fingerprints_) fingerprint->add(out);
}

void FieldReader::move_on(int64_t count) {
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

std::vector<float> read_field(const TensorSource& source, const std::vector<TensorSpec>& tensors,
                              const std::vector<Fingerprint*>& fingerprints) {
  std::vector<float> values;
  FieldReader reader(source, tensors, fingerprints);
  for (const TensorSpec& part : tensors) {
    const size_t begin = values.size(), count = static_cast<size_t>(part.count());
    values.resize(begin + count);
    reader.next(std::span(values).subspan(begin, count));
  }
  return values;
}

void channels_last(std::span<const float> stored, int64_t area, std::span<float> out) {
  const int64_t channels = std::ssize(stored) / area;
  for (int64_t c = 0; c < channels; ++c) {
    for (int64_t k = 0; k < area; ++k) {
      out[static_cast<size_t>(k * channels + c)] = stored[static_cast<size_t>(c * area + k)];
    }
  }
}

void channels_first(std::span<const float> packed, int64_t area, std::span<float> out) {
  const int64_t channels = std::ssize(packed) / area;
  for (int64_t c = 0; c < channels; ++c) {
    for (int64_t k = 0; k < area; ++k) {
      out[static_cast<size_t>(c * area + k)] = packed[static_cast<size_t>(k * channels + c)];
    }
  }
}

}  // namespace janus
