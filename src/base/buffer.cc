// SPDX-License-Identifier: MIT
#include "base/buffer.h"

#include <sys/mman.h>

#include <cstdlib>
#include <utility>

#include "base/error.h"

namespace janus {
namespace {

constexpr int64_t kAlignment = 64;
constexpr int64_t kHugePage = int64_t{2} << 20;

int64_t alignment_of(int64_t bytes) { return bytes >= kHugePage ? kHugePage : kAlignment; }

// Per thread, so that no state is shared: the test that reads it allocates on its own thread.
int64_t& allocation_count() {
  thread_local int64_t count = 0;
  return count;
}

}  // namespace

void Buffer::Free::operator()(std::byte* p) const {
  if (!owner) std::free(p);
}

int64_t Buffer::allocations() { return allocation_count(); }

int64_t Buffer::held(int64_t bytes) { return (bytes + kAlignment - 1) / kAlignment * kAlignment; }

Buffer::Buffer(int64_t bytes) : Buffer(untouched(bytes)) {
  if (bytes > 0) __builtin_memset(data(), 0, static_cast<size_t>(held(bytes)));
}

Buffer Buffer::untouched(int64_t bytes) {
  check(bytes >= 0, Code::bug, "buffer: ", bytes, " bytes");
  Buffer buffer;
  buffer.bytes_ = bytes;
  if (bytes == 0) return buffer;
  void* p = nullptr;
  if (posix_memalign(&p, static_cast<size_t>(alignment_of(bytes)),
                     static_cast<size_t>(held(bytes))) != 0) {
    fail(Code::out_of_memory, "out of memory: ", bytes, " bytes could not be had");
  }
  // Whole huge pages alone: what is left behind the last would make the buffer take one more.
  const int64_t huge = bytes / kHugePage * kHugePage;
  if (huge > 0) madvise(p, static_cast<size_t>(huge), MADV_HUGEPAGE);
  buffer.memory_.reset(static_cast<std::byte*>(p));
  ++allocation_count();
  return buffer;
}

void touch_pages(std::byte* from, int64_t bytes) {
  constexpr int64_t kPage = 4096;  // the smallest there is
  volatile std::byte* const at = from;
  for (int64_t i = 0; i < bytes; i += kPage) at[i] = std::byte{0};
  if (bytes > 0) at[bytes - 1] = std::byte{0};
}

void Buffer::touch(int64_t begin, int64_t end) { touch_pages(data() + begin, end - begin); }

Buffer::Buffer(std::span<const std::byte> memory, std::shared_ptr<const void> owner)
    : memory_(const_cast<std::byte*>(memory.data()), Free{std::move(owner)}),
      bytes_(static_cast<int64_t>(memory.size())) {
  check(memory_.get_deleter().owner != nullptr, Code::bug, "buffer: memory without an owner");
}

OwnedTensor::OwnedTensor(Dtype dtype, std::initializer_list<int64_t> sizes) {
  const Tensor shape(nullptr, dtype, sizes);
  buffer = Buffer(shape.bytes());
  view = Tensor(buffer.data(), dtype, sizes);
}

}  // namespace janus
