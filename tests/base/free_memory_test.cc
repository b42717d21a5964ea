// What the system says of memory, in made-up folders of proc and sys. SPDX-License-Identifier: MIT
#include "base/free_memory.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

namespace janus {
namespace {

class FreeMemory : public ::testing::Test {
 protected:
  FreeMemory()
      : root_(std::filesystem::temp_directory_path() /
              ("januspro-free-memory-" + std::to_string(::getpid()))) {
    std::filesystem::remove_all(root_);
    write("proc/meminfo", "MemTotal:       16000 kB\nMemFree: 1 kB\nMemAvailable:    8000 kB\n");
  }
  ~FreeMemory() override { std::filesystem::remove_all(root_); }

  void write(const std::string& path, const std::string& text) {
    std::filesystem::create_directories((root_ / path).parent_path());
    std::ofstream(root_ / path) << text;
  }
  // A group of version 2.
  void group(const std::string& path, const std::string& most, int64_t used, int64_t cached) {
    write("sys/fs/cgroup" + path + "/memory.max", most + "\n");
    write("sys/fs/cgroup" + path + "/memory.current", std::to_string(used));
    write("sys/fs/cgroup" + path + "/memory.stat",
          "anon 1\nfile 99999999\ninactive_file " + std::to_string(cached) + "\nactive_file 5\n");
  }
  void old_group(const std::string& path, const std::string& most, int64_t used) {
    const std::string folder = "sys/fs/cgroup/memory" + path;
    write(folder + "/memory.limit_in_bytes", most + "\n");
    write(folder + "/memory.usage_in_bytes", std::to_string(used));
    write(folder + "/memory.stat", "inactive_file 77\ntotal_inactive_file 100\n");
  }
  int64_t free() const { return free_memory(root_).value_or(-1); }

  std::filesystem::path root_;
};

constexpr int64_t kAvailable = 8000 * 1024;

TEST_F(FreeMemory, IsWhatTheSystemCallsAvailable) {
  EXPECT_EQ(free(), kAvailable);
  std::filesystem::remove_all(root_ / "proc");
  EXPECT_EQ(free(), -1);
  const std::optional<int64_t> here = free_memory();
  ASSERT_TRUE(here.has_value());
  EXPECT_GT(*here, 1 << 20);
}

TEST_F(FreeMemory, GroupsOfVersionTwoLimitIt) {
  write("proc/self/cgroup", "0::/a.slice/b\n");
  group("/a.slice/b", "max", 100, 0);
  EXPECT_EQ(free(), kAvailable);
  group("/a.slice/b", "1000000", 400000, 1000);  // pages of files are given back
  EXPECT_EQ(free(), 601005);
  group("/a.slice", "500000", 450000, 0);  // shared with others
  EXPECT_EQ(free(), 50005);
  group("/a.slice", "400000", 450000, 0);
  EXPECT_EQ(free(), 0);
  group("/a.slice", "max", 450000, 0);
  write("sys/fs/cgroup/a.slice/b/memory.high", "600000\n");
  EXPECT_EQ(free(), 201005);
  group("/a.slice/b", "99000000000", 0, 0);
  write("sys/fs/cgroup/a.slice/b/memory.high", "max\n");
  EXPECT_EQ(free(), kAvailable);
}

TEST_F(FreeMemory, AContainersRootIsItsGroup) {
  write("proc/self/cgroup", "0::/../../of/the/host\n");
  group("", "3000000", 1000000, 0);
  EXPECT_EQ(free(), 2000005);
  write("proc/self/cgroup", "0::/\n");
  EXPECT_EQ(free(), 2000005);
}

TEST_F(FreeMemory, GroupsOfVersionOneLimitIt) {
  write("proc/self/cgroup", "12:cpu,cpuacct:/x\n4:memory:/docker/1\n0::/x\n");
  old_group("", "9223372036854771712", 5);
  EXPECT_EQ(free(), kAvailable);
  old_group("/docker/1", "2000000", 500000);
  EXPECT_EQ(free(), 1500100);
  old_group("", "1000000", 500000);
  EXPECT_EQ(free(), 500100);
}

TEST_F(FreeMemory, BrokenFilesSetNoLimit) {
  write("proc/self/cgroup", "nonsense\n0:\n::\n0::/a\n");
  group("/a", "-x", 5, 0);
  EXPECT_EQ(free(), kAvailable);
}

TEST(SizeText, HasThreeDigits) {
  EXPECT_EQ(size_text(4184000000), "4.18 GB");
  EXPECT_EQ(size_text(12000000), "12.0 MB");
  EXPECT_EQ(size_text(3500), "3.5 kB");
}

}  // namespace
}  // namespace janus
