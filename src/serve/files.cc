// SPDX-License-Identifier: MIT
#include "serve/files.h"

namespace janus::serve {

void ResultFiles::drop_old() {
  const auto now = std::chrono::steady_clock::now();
  while (!files_.empty() &&
         (now - files_.front().since >= life_ || (bytes_ > most_bytes_ && files_.size() > 1))) {
    bytes_ -= static_cast<int64_t>(files_.front().file.bytes->size());
    files_.pop_front();
  }
}

void ResultFiles::add(File file) {
  const std::lock_guard lock(mutex_);
  bytes_ += static_cast<int64_t>(file.bytes->size());
  files_.push_back({std::move(file), std::chrono::steady_clock::now()});
  drop_old();
}

std::optional<ResultFiles::File> ResultFiles::find(const std::string& name) {
  const std::lock_guard lock(mutex_);
  drop_old();
  for (const Kept& kept : files_) {
    if (kept.file.name == name) return kept.file;
  }
  return {};
}

}  // namespace janus::serve
