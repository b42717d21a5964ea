// Files: what cannot be read or written is refused with the reason, and nothing stays half-written.
// SPDX-License-Identifier: MIT
#include "io/file.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <csignal>

#include "io/json.h"
#include "io/temp_dir.h"

namespace janus {
namespace {

namespace fs = std::filesystem;

int entries(const TempDir& dir) {
  return static_cast<int>(std::distance(fs::directory_iterator(dir.path()), {}));
}

TEST(MappedFile, ShowsTheBytes) {
  const TempDir dir;
  const MappedFile file(dir.write("a", "hello"));
  const MappedFile copy = file;
  ASSERT_EQ(copy.bytes().size(), 5u);
  EXPECT_EQ(copy.bytes()[1], std::byte{'e'});
  EXPECT_TRUE(MappedFile(dir.write("empty", "")).bytes().empty());
}

TEST(MappedFile, DroppedPagesComeBackUnchanged) {
  const TempDir dir;
  std::string text(100000, 'x');
  text[70000] = 'y';
  const MappedFile file(dir.write("a", text));
  file.drop(file.bytes().data() + 1, 99998);
  EXPECT_EQ(file.bytes()[70000], std::byte{'y'});
}

TEST(MappedFile, UnreadablePathsGiveTheReason) {
  const TempDir dir;
  expect_has(error_of(Code::bad_input, [&] { MappedFile(dir / "absent"); }), "No such file");
  expect_has(error_of(Code::bad_input, [&] { MappedFile(dir.path()); }), "directory");
  fs::create_symlink(dir / "b", dir / "a");
  fs::create_symlink(dir / "a", dir / "b");
  expect_has(error_of(Code::bad_input, [&] { MappedFile(dir / "a"); }), "points back at itself");
  ASSERT_EQ(::mkfifo((dir / "pipe").c_str(), 0600), 0);
  expect_has(error_of(Code::bad_input, [&] { MappedFile(dir / "pipe"); }), "not a regular file");
  expect_has(error_of(Code::bad_input, [&] { MappedFile("/dev/zero"); }), "not a regular file");
  if (::geteuid() != 0) {  // root may read everything
    fs::permissions(dir.write("secret", "x"), fs::perms::none);
    expect_has(error_of(Code::bad_input, [&] { MappedFile(dir / "secret"); }), "permissions");
  }
}

TEST(ReadText, KeepsToItsLimit) {
  const TempDir dir;
  dir.write("a", "12345");
  EXPECT_EQ(read_text(dir / "a", 5), "12345");
  expect_has(error_of(Code::bad_input, [&] { read_text(dir / "a", 4); }), "more than the 4");
  // An endless device has no size to check beforehand.
  expect_has(error_of(Code::bad_input, [&] { read_text("/dev/zero", 1000); }),
             "more than the 1000");
  error_of(Code::bad_input, [&] { read_text(dir.path()); });
}

TEST(AtomicFile, AppearsOnlyWhenCommitted) {
  const TempDir dir;
  dir.write("out", "old");
  {
    AtomicFile file(dir / "out");
    file.write("half");
    EXPECT_EQ(read_text(dir / "out"), "old");
  }
  EXPECT_EQ(read_text(dir / "out"), "old");
  EXPECT_EQ(entries(dir), 1);
  AtomicFile file(dir / "out");
  file.write("new");
  file.commit();
  EXPECT_EQ(read_text(dir / "out"), "new");
  EXPECT_EQ(entries(dir), 1);
}

TEST(AtomicFile, TwoWritersOfOnePathDoNotMix) {
  const TempDir dir;
  AtomicFile first(dir / "out");
  AtomicFile second(dir / "out");
  first.write("first");
  second.write("second");
  first.commit();
  second.commit();
  EXPECT_EQ(read_text(dir / "out"), "second");
  EXPECT_EQ(entries(dir), 1);
}

TEST(AtomicFile, FollowsLinks) {
  const TempDir dir;
  dir.write("target", "old");
  fs::create_symlink(dir / "target", dir / "link");
  write_atomically(dir / "link", std::as_bytes(std::span("new", 3)));
  EXPECT_TRUE(fs::is_symlink(dir / "link"));
  EXPECT_EQ(read_text(dir / "target"), "new");
}

TEST(AtomicFile, RefusesPathsItCannotWrite) {
  const TempDir dir;
  expect_has(error_of(Code::bad_input, [&] { AtomicFile file(dir.path()); }), "is a directory");
  expect_has(error_of(Code::device_failure, [&] { AtomicFile file(dir / "no/such/folder"); }),
             "No such file");
}

TEST(AtomicFile, FullDiskIsReportedAndDeviceKept) {
  if (!fs::exists("/dev/full")) GTEST_SKIP() << "no /dev/full here";
  AtomicFile file("/dev/full");
  const std::string text(100, 'x');
  expect_has(error_of(Code::device_failure, [&] { file.write(text); }), "free some space");
  EXPECT_TRUE(fs::is_character_file("/dev/full"));
}

TEST(AtomicFile, SizeLimitLeavesNothingBehind) {
  const TempDir dir;
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const auto old_handler = std::signal(SIGXFSZ, SIG_IGN);
  rlimit small = before;
  small.rlim_cur = 4096;
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  const auto text = error_of(Code::device_failure, [&] {
    AtomicFile file(dir / "out");
    file.write(std::string(10000, 'x'));
    file.commit();
  });
  ::setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, old_handler);
  expect_has(text, "ulimit");
  EXPECT_EQ(entries(dir), 0);
}

TEST(Json, LimitsDepthAndRefusesDuplicates) {
  EXPECT_EQ(parse_json("{\"a\": [1, 2]}", "x")["a"][1], 2);
  expect_has(error_of(Code::bad_checkpoint, [] { parse_json("{", "x.json"); }), "x.json");
  expect_has(error_of(Code::bad_checkpoint, [] { parse_json(std::string(100000, '['), "x"); }),
             "nests deeper");
  expect_has(error_of(Code::bad_checkpoint, [] { parse_json("{\"a\":{\"b\":1,\"b\":2}}", "x"); }),
             "'b' twice");
  EXPECT_EQ(parse_json("{\"a\":{\"b\":1},\"c\":{\"b\":2}}", "x")["c"]["b"], 2);
}

}  // namespace
}  // namespace janus
