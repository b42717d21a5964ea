// See code_cache.h.
// SPDX-License-Identifier: MIT
#include "train/code_cache.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <string_view>
#include <system_error>

#include "base/error.h"

namespace janus::train {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kMark = "JPCODES1";
constexpr size_t kHeader = 16;

std::string hex(const Digest& digest) {
  std::string out;
  for (const uint8_t byte : digest) {
    char two[3];
    std::snprintf(two, sizeof two, "%02x", byte);
    out += two;
  }
  return out;
}

std::string header_of(int64_t codes) {
  std::string header(kMark);
  for (int i = 0; i < 4; ++i) header += static_cast<char>(codes >> 8 * i & 0xff);
  return header + std::string(4, '\0');
}

fs::path file_in(const fs::path& folder, const Digest& codec) {
  std::error_code error;
  fs::create_directories(folder, error);
  check(!error, Code::device_failure, folder.string(), ": ", error.message(),
        "; codes of pictures are kept there, cache.codes names another folder");
  return folder / (hex(codec) + ".codes");
}

int opened(const fs::path& file) {
  const int fd = ::open(file.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  check(fd >= 0, Code::device_failure, file.string(), ": ", system_reason(),
        "; codes of pictures are kept there, cache.codes names another folder");
  return fd;
}

// Nobody else reads the file's end or adds to it while this lives.
class Lock {
 public:
  Lock(int fd, const fs::path& file) : fd_(fd) {
    check(::flock(fd, LOCK_EX) == 0, Code::device_failure, file.string(), ": ", system_reason(),
          "; cache.codes = \"none\" does without");
  }
  ~Lock() { ::flock(fd_, LOCK_UN); }
  Lock(const Lock&) = delete;
  Lock& operator=(const Lock&) = delete;

 private:
  int fd_;
};

}  // namespace

void Hash::add(std::span<const std::byte> bytes) {
  whole_.add({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
}

Digest Hash::digest() {
  const auto whole = whole_.finish();
  Digest half;
  std::copy_n(whole.begin(), half.size(), half.begin());
  return half;
}

Digest digest_of(std::span<const std::byte> bytes) {
  Hash hash;
  hash.add(bytes);
  return hash.digest();
}

CodeCache::CodeCache(const fs::path& folder, const Digest& codec, int64_t codes, int64_t known)
    : file_(file_in(folder, codec)), codes_(codes), known_(known), descriptor_(opened(file_)) {
  check(known <= 1 << 16, Code::bug, "code cache: codes up to ", known - 1);
  const Lock lock(descriptor_.get(), file_);
  begin();
  learn();
}

// Under the lock: the header, whoever was first.
void CodeCache::begin() {
  const int fd = descriptor_.get();
  const std::string header = header_of(codes_);
  std::string there(kHeader, '\0');
  if (::pread(fd, there.data(), kHeader, 0) < ssize_t{kHeader}) {
    there = header;
    check(::ftruncate(fd, 0) == 0 && ::write(fd, header.data(), kHeader) == ssize_t{kHeader},
          Code::device_failure, file_.string(), ": ", system_reason());
  }
  check(there == header, Code::bad_input, file_.string(),
        ": holds no codes of this codec's; it may be deleted, codes are made anew");
  end_ = kHeader;
}

// Under the lock: records that have been added since.
void CodeCache::learn() {
  const int fd = descriptor_.get();
  const auto size = static_cast<int64_t>(record());
  struct stat status {};
  check(::fstat(fd, &status) == 0, Code::device_failure, file_.string(), ": ", system_reason());
  const int64_t whole = status.st_size - (status.st_size - int64_t{kHeader}) % size;
  check(whole == status.st_size || ::ftruncate(fd, whole) == 0, Code::device_failure,
        file_.string(), ": ", system_reason());
  Digest key;
  for (; end_ < whole; end_ += size) {
    check(::pread(fd, key.data(), key.size(), end_) == ssize_t{sizeof key}, Code::device_failure,
          file_.string(), ": ", system_reason());
    at_[key] = end_;
  }
}

std::optional<std::vector<int64_t>> CodeCache::find(const Digest& picture) const {
  int64_t at = 0;
  {
    const std::lock_guard lock(mutex_);
    const auto found = at_.find(picture);
    if (found == at_.end()) return std::nullopt;
    at = found->second;
  }
  std::vector<uint8_t> bytes(record());
  if (::pread(descriptor_.get(), bytes.data(), bytes.size(), at) !=
          static_cast<ssize_t>(bytes.size()) ||
      !std::equal(picture.begin(), picture.end(), bytes.begin())) {
    return std::nullopt;
  }
  std::vector<int64_t> codes;
  for (size_t i = picture.size(); i < bytes.size(); i += 2) {
    codes.push_back(bytes[i] | bytes[i + 1] << 8);
    if (codes.back() >= known_) return std::nullopt;  // damaged
  }
  return codes;
}

void CodeCache::add(const Digest& picture, std::span<const int64_t> codes) {
  check(std::ssize(codes) == codes_, Code::bug, "code cache: ", codes.size(), " codes for ",
        codes_);
  std::vector<uint8_t> bytes(picture.begin(), picture.end());
  for (const int64_t code : codes) {
    bytes.push_back(static_cast<uint8_t>(code & 0xff));
    bytes.push_back(static_cast<uint8_t>(code >> 8 & 0xff));
  }
  const std::lock_guard mine(mutex_);
  if (at_.count(picture) > 0) return;
  const Lock lock(descriptor_.get(), file_);
  learn();
  if (at_.count(picture) > 0) return;
  check(
      ::write(descriptor_.get(), bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()),
      Code::device_failure, file_.string(), ": ", system_reason());
  learn();
}

int64_t CodeCache::count() const {
  const std::lock_guard lock(mutex_);
  return std::ssize(at_);
}

}  // namespace janus::train
