// See partial.h. SPDX-License-Identifier: MIT
#include "hub/partial.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <vector>

#include "base/error.h"
#include "hub/name.h"

namespace janus {
namespace {

constexpr size_t kPiece = 1 << 20;

[[noreturn]] void refuse(const char* what, const std::filesystem::path& path) {
  fail(Code::device_failure, "cannot ", what, " ", path, ": ", system_reason());
}

int open_partial(const std::filesystem::path& path) {
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
  if (fd < 0) refuse("write", path);
  return fd;
}

std::string_view as_text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace

BlobSum::BlobSum(const std::string& name, int64_t size) {
  if (is_sha256(name)) return;
  Sha1 git;
  git.add("blob " + std::to_string(size) + '\0');
  stream_ = git;
}

void BlobSum::add(std::span<const std::byte> bytes) {
  std::visit([&](auto& stream) { stream.add(as_text(bytes)); }, stream_);
}

std::string BlobSum::finish() {
  return std::visit([](auto& stream) { return stream.finish_hex(); }, stream_);
}

std::filesystem::path PartialFile::path_of(const std::filesystem::path& blob) {
  return blob.parent_path() / (blob.filename().string() + ".incomplete");
}

PartialFile::PartialFile(std::filesystem::path blob, int64_t size)
    : blob_(std::move(blob)),
      path_(path_of(blob_)),
      size_(size),
      file_(open_partial(path_)),
      sum_(blob_.filename().string(), size) {}

PartialFile::~PartialFile() {
  std::error_code error;
  if (!moved_ && std::filesystem::file_size(path_, error) == 0) ::unlink(path_.c_str());
}

void PartialFile::take_over(const std::function<void()>& tick) {
  struct stat status {};
  if (::fstat(file_.get(), &status) != 0) refuse("read", path_);
  if (status.st_size > size_) return clear();
  std::vector<std::byte> piece(kPiece);
  while (true) {
    const ssize_t got = ::pread(file_.get(), piece.data(), piece.size(), held_);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) refuse("read", path_);
    if (got == 0) return;
    sum_.add(std::span(piece).first(static_cast<size_t>(got)));
    held_ += got;
    tick();
  }
}

void PartialFile::clear() {
  if (::ftruncate(file_.get(), 0) != 0) refuse("write", path_);
  held_ = 0;
  sum_ = BlobSum(blob_.filename().string(), size_);
}

// What the disk has taken is held and summed, also where it then refuses the rest.
void PartialFile::add(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::pwrite(file_.get(), bytes.data(), bytes.size(), held_);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) refuse("write", path_);
    const auto count = static_cast<size_t>(written);
    sum_.add(bytes.first(count));
    held_ += written;
    bytes = bytes.subspan(count);
  }
}

std::string PartialFile::finish() {
  const std::string promised = blob_.filename().string();
  const std::string found = sum_.finish();
  if (held_ != size_ || found != promised) {
    const std::string fault = std::to_string(held_) + " bytes with the sum " + found + " where " +
                              std::to_string(size_) + " with " + promised + " were promised";
    clear();
    return fault;
  }
  if (::fsync(file_.get()) != 0) refuse("write", path_);
  if (::rename(path_.c_str(), blob_.c_str()) != 0) refuse("write", blob_);
  moved_ = true;
  return "";
}

}  // namespace janus
