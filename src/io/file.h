// Files: read-only maps, and writing beside the target then renaming, so that nothing is ever
// half-written.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <utility>

namespace janus {

// The system's words for the last failure (errno), with a cure where one is likely.
std::string system_reason();

// An open file of the system's, closed at the end.
class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor();
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  int get() const { return fd_; }

 private:
  int fd_;
};

// A file mapped read-only. Copies share the map.
class MappedFile {
 public:
  // Throws Code::bad_input naming the path and the system's reason (missing, unreadable, a
  // directory, a pipe).
  explicit MappedFile(const std::filesystem::path& path);

  std::span<const std::byte> bytes() const;
  const std::filesystem::path& path() const { return path_; }
  // Tells the system that the pages inside [begin, begin + length) are not needed for now.
  void drop(const std::byte* begin, int64_t length) const;

 private:
  struct Map;
  std::filesystem::path path_;
  std::shared_ptr<const Map> map_;
};

// Writes `<path>.partial-<pid>`, flushes it to disk on commit and renames it into place. Destroyed
// without commit, the partial file is removed. A link is followed; a device or a pipe is written
// through. Errors (disk full, no permission) throw Code::device_failure naming the path; a
// directory as path throws Code::bad_input.
class AtomicFile {
 public:
  explicit AtomicFile(std::filesystem::path path);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  void write(std::span<const std::byte> bytes);
  void write(const std::string& text);
  void commit();

 private:
  std::filesystem::path path_;
  std::filesystem::path partial_;
  int fd_ = -1;
};

// Whole small file as text; throws Code::bad_input when missing, unreadable or above `limit` bytes.
std::string read_text(const std::filesystem::path& path, int64_t limit = 256'000'000);
void write_atomically(const std::filesystem::path& path, std::span<const std::byte> bytes);

}  // namespace janus
