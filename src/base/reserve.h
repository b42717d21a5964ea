// Reserve: a range of addresses whose memory the system hands out page by page, zeroed, as it is
// first touched, and takes back on request. For what may grow large and mostly does not.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>

namespace janus {

class Reserve {
 public:
  Reserve() = default;
  // Throws Code::out_of_memory with the size when the system has no such range of addresses.
  explicit Reserve(int64_t bytes);
  ~Reserve();
  Reserve(Reserve&& other) noexcept;
  Reserve& operator=(Reserve&& other) noexcept;

  std::byte* data() const { return data_; }  // aligned to 2 MiB
  int64_t bytes() const { return bytes_; }

  // Has the system give memory for these bytes now; what they hold is undefined afterwards.
  void touch(int64_t begin, int64_t bytes);
  // Gives back the pages that lie wholly in these bytes, which are zero afterwards; what the pages
  // at either end hold is undefined within the range and unchanged outside.
  void give_back(int64_t begin, int64_t bytes);

 private:
  void check_within(int64_t begin, int64_t bytes) const;

  std::byte* data_ = nullptr;
  int64_t bytes_ = 0;
  void* mapping_ = nullptr;
  size_t mapped_ = 0;
};

}  // namespace janus
