// SPDX-License-Identifier: MIT
#include "model/workspace.h"

#include <algorithm>

namespace janus {
namespace {

constexpr int64_t kAlignment = 64;
constexpr int64_t kSmallestChunk = int64_t{1} << 20;

int64_t rounded_bytes(std::initializer_list<int64_t> shape) {
  const int64_t bytes = Tensor(nullptr, Dtype::f32, shape).bytes();
  return (bytes + kAlignment - 1) / kAlignment * kAlignment;
}

}  // namespace

Workspace::Workspace(int64_t bytes, const std::function<void()>& between) {
  if (bytes == 0) return;
  constexpr int64_t kPiece = int64_t{4} << 20;
  Buffer& chunk = chunks_.emplace_back(Buffer::untouched(bytes));
  for (int64_t begin = 0; begin < bytes; begin += kPiece) {
    chunk.touch(begin, std::min(begin + kPiece, bytes));
    if (between) between();
  }
}

Tensor Workspace::Count::take(std::initializer_list<int64_t> shape) {
  bytes_ += rounded_bytes(shape);
  return Tensor(nullptr, Dtype::f32, shape);
}

int64_t Workspace::bytes() const {
  int64_t sum = 0;
  for (const Buffer& chunk : chunks_) sum += chunk.bytes();
  return sum;
}

Workspace::Frame::Frame(Workspace& space)
    : space_(space), chunk_(space.chunk_), used_(space.used_) {}

Workspace::Frame::~Frame() {
  space_.chunk_ = chunk_;
  space_.used_ = used_;
}

// The first chunk with room from the current one on; the same calls find the same places again.
Tensor Workspace::Frame::take(std::initializer_list<int64_t> shape) {
  const int64_t rounded = rounded_bytes(shape);
  auto& chunks = space_.chunks_;
  while (space_.chunk_ < chunks.size() && space_.used_ + rounded > chunks[space_.chunk_].bytes()) {
    ++space_.chunk_;
    space_.used_ = 0;
  }
  if (space_.chunk_ == chunks.size()) chunks.emplace_back(std::max(rounded, kSmallestChunk));
  std::byte* place = chunks[space_.chunk_].data() + space_.used_;
  space_.used_ += rounded;
  return Tensor(place, Dtype::f32, shape);
}

}  // namespace janus
