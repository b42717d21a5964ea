// See new_directory.h. SPDX-License-Identifier: MIT
#include "apps/new_directory.h"

#include <unistd.h>

#include <string>

#include "base/error.h"

namespace janus {

namespace {

namespace fs = std::filesystem;

void must(const std::error_code& error, const fs::path& path) {
  check(!error, Code::device_failure, path.string(), ": cannot be made: ", error.message());
}

}  // namespace

NewDirectory::NewDirectory(fs::path path, bool replace, const char* cure) : path_(std::move(path)) {
  if (!path_.has_filename()) path_ = path_.parent_path();  // "name/"
  std::error_code none;
  const bool there = fs::exists(path_, none);
  const bool empty = there && fs::is_directory(path_, none) && fs::is_empty(path_, none);
  if (there && !empty) {
    check(replace, Code::bad_input, path_.string(), ": is there already; ", cure);
    // Nothing but a checkpoint is ever removed.
    check(fs::is_directory(path_, none) && fs::exists(path_ / "config.json", none), Code::bad_input,
          path_.string(),
          ": is there already and is no checkpoint directory; remove it or choose another name");
  }
  partial_ = path_;
  partial_ += ".partial-" + std::to_string(::getpid());
  std::error_code error;
  fs::create_directory(partial_, error);
  must(error, partial_);
}

NewDirectory::~NewDirectory() {
  std::error_code none;
  if (!partial_.empty()) fs::remove_all(partial_, none);
}

void NewDirectory::commit() {
  std::error_code error;
  fs::path old = path_;
  old += ".old-" + std::to_string(::getpid());
  const bool there = fs::exists(path_, error);
  if (there) {
    fs::rename(path_, old, error);
    must(error, path_);
  }
  fs::rename(partial_, path_, error);
  must(error, path_);
  partial_.clear();
  if (there) fs::remove_all(old, error);  // what stays is only in the way
}

}  // namespace janus
