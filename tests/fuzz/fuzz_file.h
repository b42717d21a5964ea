// Fuzz targets whose reader takes a path: the input as a file in memory.
// SPDX-License-Identifier: MIT
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <string>

#include "base/error.h"

namespace janus {

class FuzzFile {
 public:
  FuzzFile(const uint8_t* data, size_t size) : fd_(::memfd_create("input", MFD_CLOEXEC)) {
    if (fd_ < 0 || ::write(fd_, data, size) != static_cast<ssize_t>(size)) std::abort();
  }
  ~FuzzFile() { ::close(fd_); }
  FuzzFile(const FuzzFile&) = delete;
  FuzzFile& operator=(const FuzzFile&) = delete;

  std::filesystem::path path() const { return "/proc/self/fd/" + std::to_string(fd_); }

 private:
  int fd_;
};

// Whatever the input, a reader may only succeed or throw an Error that blames the input.
template <class Read>
void only_refuses(Read&& read) {
  try {
    read();
  } catch (const Error& error) {
    if (error.code() == Code::bug || error.code() == Code::device_failure) std::abort();
  }
}

}  // namespace janus
