// SPDX-License-Identifier: MIT
#include "base/pages.h"

#include <sys/mman.h>

namespace janus {

// A wish: where the system refuses it, nothing is lost but time.
void prefer_ordinary_pages(std::byte* begin, int64_t bytes) {
  constexpr uintptr_t kPage = 4096;
  const auto from = (reinterpret_cast<uintptr_t>(begin) + kPage - 1) / kPage * kPage;
  const auto to =
      (reinterpret_cast<uintptr_t>(begin) + static_cast<uintptr_t>(bytes)) / kPage * kPage;
  if (from < to) madvise(reinterpret_cast<void*>(from), to - from, MADV_NOHUGEPAGE);
}

}  // namespace janus
