// Codes of pictures kept on disk: a picture that a training draws is encoded once by a frozen
// codec, not once a round. What a picture is kept under are its file's bytes; what is kept lies in
// a file of the codec's own, which names it and the side that pictures are cropped to. No libtorch
// here.
//
// The file: "JPCODES1", N as 4 bytes, 0 as 4 bytes; then records of a 16-byte key and N codes of 2
// bytes, little-endian all. It only grows; several runs may add to it at once, each under a lock on
// the file. A record that is cut off is taken away by the next who comes.
// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/sha256.h"
#include "io/file.h"

namespace janus::train {

// The first half of a SHA-256.
using Digest = std::array<uint8_t, 16>;
class Hash {
 public:
  void add(std::span<const std::byte> bytes);
  Digest digest();  // nothing may be added afterwards

 private:
  Sha256 whole_;
};
Digest digest_of(std::span<const std::byte> bytes);

class CodeCache {
 public:
  // `codec`: of what its codes depend on, the side of pictures included; `codes`: of a picture,
  // each below `known`. Throws Code::device_failure where the folder cannot be written to.
  CodeCache(const std::filesystem::path& folder, const Digest& codec, int64_t codes, int64_t known);

  // Both may be called by several threads at once.
  std::optional<std::vector<int64_t>> find(const Digest& picture) const;
  void add(const Digest& picture, std::span<const int64_t> codes);
  int64_t count() const;

 private:
  size_t record() const { return sizeof(Digest) + 2 * static_cast<size_t>(codes_); }
  void begin();
  void learn();

  std::filesystem::path file_;
  int64_t codes_, known_;
  Descriptor descriptor_;
  mutable std::mutex mutex_;
  int64_t end_ = 0;               // of what was looked at
  std::map<Digest, int64_t> at_;  // where in the file its record begins
};

}  // namespace janus::train
