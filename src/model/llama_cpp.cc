// SPDX-License-Identifier: MIT
#include "model/llama_cpp.h"

#include <algorithm>

namespace janus {

UnpermutedSource::UnpermutedSource(const LlamaConfig& config,
                                   std::unique_ptr<const TensorSource> base)
    : width_(config.width), head_width_(config.head_width), base_(std::move(base)) {}

bool UnpermutedSource::permuted(const std::string& tensor) const {
  return tensor.starts_with("blk.") &&
         (tensor.ends_with(".attn_q.weight") || tensor.ends_with(".attn_k.weight"));
}

int64_t UnpermutedSource::row_of_theirs(int64_t row) const {
  const int64_t head = row / head_width_, place = row % head_width_;
  const int64_t half = head_width_ / 2;
  return head * head_width_ + 2 * (place % half) + place / half;
}

void UnpermutedSource::read(const std::string& tensor, int64_t begin, std::span<float> out) const {
  if (!permuted(tensor)) return base_->read(tensor, begin, out);
  while (!out.empty()) {
    const int64_t row = begin / width_, column = begin % width_;
    const auto count = std::min<int64_t>(width_ - column, std::ssize(out));
    base_->read(tensor, row_of_theirs(row) * width_ + column,
                out.first(static_cast<size_t>(count)));
    out = out.subspan(static_cast<size_t>(count));
    begin += count;
  }
}

void UnpermutedSource::read_blocks(const std::string& tensor, int64_t begin,
                                   std::span<std::byte> out) const {
  if (!permuted(tensor)) return base_->read_blocks(tensor, begin, out);
  const Dtype type = base_->stored(tensor).value_or(Dtype::f32);
  while (!out.empty()) {
    const int64_t row = begin / width_, column = begin % width_;
    const int64_t there = bytes_of(type, width_ - column);
    const auto bytes = static_cast<size_t>(std::min<int64_t>(there, std::ssize(out)));
    base_->read_blocks(tensor, row_of_theirs(row) * width_ + column, out.first(bytes));
    out = out.subspan(bytes);
    begin = (row + 1) * width_;
  }
}

// A head is needed until its last row was read.
void UnpermutedSource::done(const std::string& tensor, int64_t end) const {
  const int64_t head = permuted(tensor) ? width_ * head_width_ : 1;
  base_->done(tensor, end / head * head);
}

}  // namespace janus
