// See shared_blobs.h. What the list says is a hint: each entry is looked at before it counts, and
// without a readable list nothing is removed. SPDX-License-Identifier: MIT
#include "hub/shared_blobs.h"

#include <fcntl.h>
#include <sys/file.h>

#include <sstream>
#include <string>

#include "base/error.h"
#include "hub/name.h"
#include "io/file.h"

namespace janus {
namespace {

namespace fs = std::filesystem;

// Set by huggingface_hub; another layout of the store would have another number.
bool is_store(const fs::path& folder) {
  try {
    return read_text(folder / ".huggingface-shared-blobs", 100) == "1\n";
  } catch (const Error&) {
    return false;
  }
}

// Whether some model still links to `content`; also when that cannot be told.
bool is_needed(const fs::path& cache, const fs::path& content) {
  std::string list;
  try {
    list = read_text(content.string() + ".refs", 16'000'000);
  } catch (const Error&) {
    return true;
  }
  std::istringstream lines(list);
  for (std::string line; std::getline(lines, line);) {
    if (is_plain_path(line) && shared_content(cache, cache / line) == content) return true;
  }
  return false;
}

}  // namespace

std::optional<fs::path> shared_content(const fs::path& cache, const fs::path& blob) {
  std::error_code error;
  const fs::path target = fs::read_symlink(blob, error);
  if (error) return std::nullopt;
  const fs::path store = (fs::absolute(cache) / "blobs").lexically_normal();
  const fs::path content = (fs::absolute(blob).parent_path() / target).lexically_normal();
  const std::string hash = content.filename().string();
  const bool inside = is_sha256(hash) && content == store / hash.substr(0, 2) / hash;
  return inside && is_store(store) ? std::optional(content) : std::nullopt;
}

int64_t sweep_shared(const fs::path& cache, const fs::path& content) {
  const std::string lock = content.string() + ".lock";
  const Descriptor file(::open(lock.c_str(), O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0666));
  if (file.get() < 0 || ::flock(file.get(), LOCK_EX) != 0 || is_needed(cache, content)) return 0;
  std::error_code error;
  const auto size = fs::file_size(content, error);
  if (error || !fs::is_regular_file(fs::symlink_status(content, error)) ||
      !fs::remove(content, error)) {
    return 0;
  }
  fs::remove(content.string() + ".refs", error);
  return static_cast<int64_t>(size);
}

}  // namespace janus
