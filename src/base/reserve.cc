// SPDX-License-Identifier: MIT
#include "base/reserve.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cstring>
#include <utility>

#include "base/buffer.h"
#include "base/error.h"

namespace janus {
namespace {

constexpr int64_t kHugePage = int64_t{2} << 20;

}  // namespace

Reserve::Reserve(int64_t bytes) : bytes_(bytes) {
  check(bytes >= 0, Code::bug, "reserve: ", bytes, " bytes");
  if (bytes == 0) return;
  mapped_ = static_cast<size_t>(bytes + kHugePage);
  mapping_ = mmap(nullptr, mapped_, PROT_READ | PROT_WRITE,
                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (mapping_ == MAP_FAILED) {
    mapping_ = nullptr;
    fail(Code::out_of_memory, "out of memory: no range of ", bytes, " bytes could be reserved (",
         std::strerror(errno), ")");
  }
  auto at = reinterpret_cast<uintptr_t>(mapping_);
  at = (at + kHugePage - 1) / kHugePage * kHugePage;
  data_ = reinterpret_cast<std::byte*>(at);
  if (bytes >= 4 * kHugePage) madvise(data_, static_cast<size_t>(bytes), MADV_HUGEPAGE);
}

Reserve::~Reserve() {
  if (mapping_) munmap(mapping_, mapped_);
}

Reserve::Reserve(Reserve&& other) noexcept { *this = std::move(other); }

Reserve& Reserve::operator=(Reserve&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(bytes_, other.bytes_);
  std::swap(mapping_, other.mapping_);
  std::swap(mapped_, other.mapped_);
  return *this;
}

void Reserve::check_within(int64_t begin, int64_t bytes) const {
  check(begin >= 0 && bytes >= 0 && begin <= bytes_ - bytes, Code::bug, "reserve: ", bytes,
        " bytes from ", begin, " are not within ", bytes_);
}

void Reserve::touch(int64_t begin, int64_t bytes) {
  check_within(begin, bytes);
  touch_pages(data_ + begin, bytes);
}

void Reserve::give_back(int64_t begin, int64_t bytes) {
  check_within(begin, bytes);
  const int64_t page = sysconf(_SC_PAGESIZE);
  const int64_t first = (begin + page - 1) / page * page;
  const int64_t end = (begin + bytes) / page * page;
  if (first < end) madvise(data_ + first, static_cast<size_t>(end - first), MADV_DONTNEED);
}

}  // namespace janus
