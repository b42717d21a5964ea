// Where the numbers are: proc(5), Documentation/admin-guide/cgroup-v2.rst and cgroup-v1/memory.rst
// of Linux. SPDX-License-Identifier: MIT
#include "base/free_memory.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <fstream>
#include <sstream>
#include <vector>

namespace janus {
namespace {

namespace fs = std::filesystem;

// The number of a file with one number; nothing for "max" and for a file that is not there.
std::optional<int64_t> number_in(const fs::path& path) {
  std::ifstream file(path);
  int64_t value = 0;
  return file >> value ? std::optional(value) : std::nullopt;
}

// The number behind a name, in lines of "name number" or "name: number kB".
std::optional<int64_t> number_of(const fs::path& path, const std::string& name) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    std::string key, unit;
    int64_t value = 0;
    if (!(words >> key >> value)) continue;
    if (!key.empty() && key.back() == ':') key.pop_back();
    if (key == name) return words >> unit && unit == "kB" ? value * 1024 : value;
  }
  return std::nullopt;
}

std::optional<int64_t> lesser(std::optional<int64_t> a, std::optional<int64_t> b) {
  return a && b ? std::min(*a, *b) : a ? a : b;
}

// What one version of control groups calls its files.
struct GroupFiles {
  fs::path mount;
  std::vector<const char*> limits;  // the lowest counts
  const char* usage;
  std::vector<const char*> cached;  // pages of files, in memory.stat
};

// What one group leaves; nothing where it sets no limit.
std::optional<int64_t> left_by(const fs::path& group, const GroupFiles& files) {
  std::optional<int64_t> limit;
  for (const char* name : files.limits) limit = lesser(limit, number_in(group / name));
  const std::optional<int64_t> used = number_in(group / files.usage);
  if (!limit || !used) return std::nullopt;
  int64_t cached = 0;
  for (const char* name : files.cached) {
    cached += number_of(group / "memory.stat", name).value_or(0);
  }
  return std::max<int64_t>(0, *limit - *used + std::min(cached, *used));
}

// The group at `path` and all around it. Inside a container the path may be one of the host's,
// which is not there; the root of what is mounted is then the container's own group.
std::optional<int64_t> left_by_all(const std::string& path, const GroupFiles& files) {
  std::optional<int64_t> least = left_by(files.mount, files);
  fs::path group = files.mount;
  for (const fs::path& part : fs::path(path).relative_path()) {
    if (part == "..") break;
    group /= part;
    least = lesser(least, left_by(group, files));
  }
  return least;
}

}  // namespace

std::optional<int64_t> free_memory(const fs::path& root) {
  std::optional<int64_t> least = number_of(root / "proc/meminfo", "MemAvailable");
  const fs::path mounts = root / "sys/fs/cgroup";
  const GroupFiles one{mounts / "memory",
                       {"memory.limit_in_bytes"},
                       "memory.usage_in_bytes",
                       {"total_inactive_file", "total_active_file"}};
  const GroupFiles two{
      mounts, {"memory.max", "memory.high"}, "memory.current", {"inactive_file", "active_file"}};
  std::ifstream groups(root / "proc/self/cgroup");
  for (std::string line; std::getline(groups, line);) {  // id:controllers:path
    const size_t first = line.find(':'), second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string controllers = "," + line.substr(first + 1, second - first - 1) + ",";
    const std::string path = line.substr(second + 1);
    if (controllers == ",,") least = lesser(least, left_by_all(path, two));
    if (controllers.find(",memory,") != std::string::npos) {
      least = lesser(least, left_by_all(path, one));
    }
  }
  return least;
}

std::string size_text(int64_t bytes) {
  std::array<char, 40> text;
  const auto value = static_cast<double>(bytes);
  if (bytes >= 1'000'000'000) {
    std::snprintf(text.data(), text.size(), "%.2f GB", value / 1e9);
  } else if (bytes >= 1'000'000) {
    std::snprintf(text.data(), text.size(), "%.1f MB", value / 1e6);
  } else {
    std::snprintf(text.data(), text.size(), "%.1f kB", value / 1e3);
  }
  return text.data();
}

}  // namespace janus
