// A checkpoint directory that is there whole or not at all: made beside its place and renamed.
// SPDX-License-Identifier: MIT
#pragma once

#include <filesystem>

namespace janus {

class NewDirectory {
 public:
  // Throws Code::bad_input, with the cure, where `path` is taken: by a file, or by a directory that
  // is not empty, unless it is a checkpoint and `replace` is set.
  NewDirectory(std::filesystem::path path, bool replace,
               const char* cure = "remove it or choose another name");
  ~NewDirectory();
  NewDirectory(const NewDirectory&) = delete;
  NewDirectory& operator=(const NewDirectory&) = delete;

  // Where to write.
  const std::filesystem::path& partial() const { return partial_; }
  // Puts it into its place; what was there is removed.
  void commit();

 private:
  std::filesystem::path path_;
  std::filesystem::path partial_;
};

}  // namespace janus
