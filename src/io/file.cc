// Files through the system's own calls: what the standard streams hide (the reason of a failure,
// whether a path is a device, flushing to disk) is what this file is for.
// SPDX-License-Identifier: MIT
#include "io/file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

#include "base/error.h"

namespace janus {

std::string system_reason() {
  const int code = errno;
  std::string text = std::system_category().message(code);
  switch (code) {
    case ELOOP:
      return text + ": the link points back at itself";
    case EACCES:
      return text + ": check the permissions of the file and its folders";
    case ENOSPC:
    case EDQUOT:
      return text + ": free some space or write elsewhere";
    case EFBIG:
      return text + ": the limit on file sizes (ulimit -f) is too low";
    default:
      return text;
  }
}

namespace {

[[noreturn]] void refuse_write(const std::filesystem::path& path) {
  fail(Code::device_failure, "cannot write ", path, ": ", system_reason());
}

struct stat status_of(int fd, const std::filesystem::path& path) {
  struct stat status {};
  if (::fstat(fd, &status) != 0) fail(Code::bad_input, "cannot read ", path, ": ", system_reason());
  check(!S_ISDIR(status.st_mode), Code::bad_input, "cannot read ", path,
        ": it is a directory, not a file");
  return status;
}

// A file that is there and is neither regular nor a directory (a device, a pipe) is written
// through: renaming would replace the device itself.
bool writes_through(const std::filesystem::path& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0 && !S_ISREG(status.st_mode) && !S_ISDIR(status.st_mode);
}

// Follows links, so that the file they lead to is replaced and not the link.
std::filesystem::path behind_links(const std::filesystem::path& path) {
  std::error_code ignored;
  if (!std::filesystem::is_symlink(path, ignored)) return path;
  const auto target = std::filesystem::canonical(path, ignored);
  return ignored ? path : target;
}

void sync_folder(const std::filesystem::path& file) {
  const auto folder = file.has_parent_path() ? file.parent_path() : std::filesystem::path(".");
  const Descriptor fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (fd.get() >= 0) ::fsync(fd.get());  // the rename has succeeded; this only makes it durable
}

}  // namespace

Descriptor::~Descriptor() {
  if (fd_ >= 0) ::close(fd_);
}

struct MappedFile::Map {
  void* memory = nullptr;
  size_t size = 0;

  Map() = default;
  Map(const Map&) = delete;
  Map& operator=(const Map&) = delete;
  ~Map() {
    if (memory != nullptr) ::munmap(memory, size);
  }
};

MappedFile::MappedFile(const std::filesystem::path& path) : path_(path) {
  // O_NONBLOCK: a pipe with nobody at its other end is refused below instead of waited for.
  const Descriptor fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (fd.get() < 0) fail(Code::bad_input, "cannot open ", path, ": ", system_reason());
  const struct stat status = status_of(fd.get(), path);
  check(S_ISREG(status.st_mode), Code::bad_input, "cannot read ", path, ": not a regular file");
  auto map = std::make_shared<Map>();
  map->size = static_cast<size_t>(status.st_size);
  if (map->size > 0) {
    void* memory = ::mmap(nullptr, map->size, PROT_READ, MAP_PRIVATE, fd.get(), 0);
    if (memory == MAP_FAILED) {
      fail(Code::out_of_memory, "cannot map ", path, " (", map->size, " bytes): ", system_reason());
    }
    map->memory = memory;
  }
  map_ = std::move(map);
}

std::span<const std::byte> MappedFile::bytes() const {
  return {static_cast<const std::byte*>(map_->memory), map_->size};
}

void MappedFile::drop(const std::byte* begin, int64_t length) const {
  const auto page = static_cast<uintptr_t>(::sysconf(_SC_PAGESIZE));
  const auto first = (reinterpret_cast<uintptr_t>(begin) + page - 1) / page * page;
  const auto last =
      (reinterpret_cast<uintptr_t>(begin) + static_cast<uintptr_t>(length)) / page * page;
  if (first < last) ::madvise(reinterpret_cast<void*>(first), last - first, MADV_DONTNEED);
}

AtomicFile::AtomicFile(std::filesystem::path path) : path_(behind_links(path)) {
  std::error_code ignored;
  check(!std::filesystem::is_directory(path_, ignored), Code::bad_input, "cannot write ", path_,
        ": it is a directory; name a file");
  if (writes_through(path_)) {
    fd_ = ::open(path_.c_str(), O_WRONLY | O_CLOEXEC);
  } else {
    // Another writer of this process, or a file left by a killed one, may own a name already.
    for (int attempt = 0; attempt < 1000 && fd_ < 0; ++attempt) {
      partial_ = path_;
      partial_ += ".partial-" + std::to_string(::getpid());
      if (attempt > 0) (partial_ += '-') += std::to_string(attempt);
      fd_ = ::open(partial_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
      if (fd_ < 0 && errno != EEXIST) break;
    }
  }
  if (fd_ < 0) refuse_write(path_);
}

AtomicFile::~AtomicFile() {
  if (fd_ < 0) return;
  ::close(fd_);
  if (!partial_.empty()) ::unlink(partial_.c_str());
}

void AtomicFile::write(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const size_t piece = std::min<size_t>(bytes.size(), size_t{1} << 30);
    const ssize_t written = ::write(fd_, bytes.data(), piece);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) refuse_write(path_);
    bytes = bytes.subspan(static_cast<size_t>(written));
  }
}

void AtomicFile::write(const std::string& text) { write(std::as_bytes(std::span(text))); }

void AtomicFile::commit() {
  check(fd_ >= 0, Code::bug, "a file is committed twice: ", path_);
  if (partial_.empty()) {  // a device has nothing to flush or rename
    if (::close(std::exchange(fd_, -1)) != 0) refuse_write(path_);
    return;
  }
  if (::fsync(fd_) != 0) refuse_write(path_);
  if (::rename(partial_.c_str(), path_.c_str()) != 0) refuse_write(path_);
  ::close(std::exchange(fd_, -1));
  sync_folder(path_);
}

std::string read_text(const std::filesystem::path& path, int64_t limit) {
  const Descriptor fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (fd.get() < 0) fail(Code::bad_input, "cannot open ", path, ": ", system_reason());
  const struct stat status = status_of(fd.get(), path);
  check(status.st_size <= limit, Code::bad_input, "cannot read ", path, ": it has ", status.st_size,
        " bytes, more than the ", limit, " allowed here");
  std::string text(static_cast<size_t>(status.st_size), '\0');
  size_t filled = 0;
  while (true) {  // a pipe has no size to begin with, and a file may grow
    if (filled == text.size()) {
      text.resize(std::min(static_cast<size_t>(limit) + 1, filled + 65536));
    }
    const ssize_t got = ::read(fd.get(), text.data() + filled, text.size() - filled);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail(Code::bad_input, "cannot read ", path, ": ", system_reason());
    if (got == 0) break;
    filled += static_cast<size_t>(got);
    check(filled <= static_cast<size_t>(limit), Code::bad_input, "cannot read ", path,
          ": it has more than the ", limit, " bytes allowed here");
  }
  text.resize(filled);
  return text;
}

void write_atomically(const std::filesystem::path& path, std::span<const std::byte> bytes) {
  AtomicFile file(path);
  file.write(bytes);
  file.commit();
}

}  // namespace janus
