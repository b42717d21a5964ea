// A blob on its way: `<blob>.incomplete` grows, is summed as it grows, and becomes the blob once
// its sum is the promised one. Left behind when cut, it is where the next attempt goes on.
// SPDX-License-Identifier: MIT
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <variant>

#include "base/sha1.h"
#include "base/sha256.h"
#include "hub/transfer.h"
#include "io/file.h"

namespace janus {

// The sum that names a blob (listing.h): SHA-256 of the bytes, or git's SHA-1 of them.
class BlobSum {
 public:
  // As long as `name` promises, `size` bytes.
  BlobSum(const std::string& name, int64_t size);
  void add(std::span<const std::byte> bytes);
  std::string finish();

 private:
  std::variant<Sha256, Sha1> stream_;
};

class PartialFile : public Receiver {
 public:
  // `blob` is where the whole file goes; its name is the sum. Throws Code::device_failure naming
  // the path, as everything here does.
  PartialFile(std::filesystem::path blob, int64_t size);
  // Keeps what has come, or was there; an empty file goes.
  ~PartialFile() override;
  PartialFile(const PartialFile&) = delete;
  PartialFile& operator=(const PartialFile&) = delete;

  // Takes over what lies there, reading it for its sum. `tick` is called meanwhile and may throw.
  void take_over(const std::function<void()>& tick);
  int64_t held() const override { return held_; }
  bool is_whole() const { return held_ == size_; }
  void clear() override;
  void add(std::span<const std::byte> bytes) override;
  std::string finish() override;

  static std::filesystem::path path_of(const std::filesystem::path& blob);

 private:
  std::filesystem::path blob_, path_;
  int64_t size_;
  int64_t held_ = 0;
  Descriptor file_;
  BlobSum sum_;
  bool moved_ = false;
};

}  // namespace janus
