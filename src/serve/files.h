// ResultFiles: pictures that were answered with a URL, for an hour and within a bound of memory.
// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

namespace janus::serve {

class ResultFiles {
 public:
  struct File {
    std::string name;  // an id nobody guesses, and the extension
    std::string type;
    std::shared_ptr<const std::string> bytes;
  };

  explicit ResultFiles(int64_t most_bytes = 256 << 20,
                       std::chrono::seconds life = std::chrono::minutes(60))
      : most_bytes_(most_bytes), life_(life) {}

  void add(File file);  // the oldest go where there is no room
  std::optional<File> find(const std::string& name);

 private:
  struct Kept {
    File file;
    std::chrono::steady_clock::time_point since;
  };
  void drop_old();

  const int64_t most_bytes_;
  const std::chrono::seconds life_;
  std::mutex mutex_;        // of what follows
  std::deque<Kept> files_;  // the oldest first
  int64_t bytes_ = 0;
};

}  // namespace janus::serve
