// Buffer: owned, 64-byte aligned host memory. Every allocation of tensors passes here, and the
// counter lets a test prove that a decoding step allocates nothing. Or memory of another owner,
// such as pages of a mapped file, which lives as long as the buffer and must not be written to.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <span>

#include "base/tensor.h"

namespace janus {

// Writes a zero to every page that has some of these bytes, so that the system gives the memory
// now.
void touch_pages(std::byte* from, int64_t bytes);

class Buffer {
 public:
  Buffer() = default;
  // Zeroed. Throws Code::out_of_memory with the size when the system refuses.
  explicit Buffer(int64_t bytes);
  // Of undefined content; the system gives the memory when it is touched, a second a GiB or so.
  // touch() does so from byte `begin` to `end`.
  static Buffer untouched(int64_t bytes);
  void touch(int64_t begin, int64_t end);
  // Memory that `owner` keeps alive; nothing is copied.
  Buffer(std::span<const std::byte> memory, std::shared_ptr<const void> owner);

  // What a buffer of that size takes from the system, rounding included.
  static int64_t held(int64_t bytes);

  std::byte* data() const { return memory_.get(); }
  int64_t bytes() const { return bytes_; }
  // Whether the memory is another owner's.
  bool lent() const { return memory_.get_deleter().owner != nullptr; }

  // How many buffers this thread has allocated so far.
  static int64_t allocations();

 private:
  struct Free {
    std::shared_ptr<const void> owner;  // null: the memory is the buffer's own
    void operator()(std::byte* p) const;
  };
  std::unique_ptr<std::byte[], Free> memory_;
  int64_t bytes_ = 0;
};

// A dense tensor with memory of its own.
struct OwnedTensor {
  Buffer buffer;
  Tensor view;

  OwnedTensor() = default;
  OwnedTensor(Dtype dtype, std::initializer_list<int64_t> sizes);
};

}  // namespace janus
