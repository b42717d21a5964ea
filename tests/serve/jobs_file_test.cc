// Jobs in a file: what of it does not serve is said and changes nothing.
// SPDX-License-Identifier: MIT
#include <sqlite3.h>
#include <sys/resource.h>

#include <csignal>
#include <fstream>

#include "jobs_store_test.h"

namespace janus::serve {
namespace {

namespace fs = std::filesystem;

class JobsFile : public StoreTest {
 protected:
  JobsFile() : StoreTest(false) {}
};

TEST_F(JobsFile, LeasesOfADeadServerAreVoidAtOnce) {
  store_->accept(job("job_a", 2));
  const Lease lost = leased();
  die();
  EXPECT_EQ(status("job_a"), "queued");
  EXPECT_EQ(leased().index, 1) << "who was interrupted gives way";
  const Lease again = leased();
  EXPECT_EQ(again.index, 0);
  EXPECT_EQ(again.tries, 2);
  EXPECT_FALSE(store_->finish(lost, file("of the dead")));
  store_.reset();
  store_ = open(true);
  EXPECT_TRUE(store_->finish(again, file("of this one"))) << "after a failure they go on";
}

TEST_F(JobsFile, ASecondServerIsRefused) {
  try {
    open();
    FAIL() << "two servers on one file";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::busy);
    EXPECT_NE(std::string(error.what()).find("--db"), std::string::npos);
  }
  store_->accept(job("job_a"));
}

TEST_F(JobsFile, AFileThatIsNoDatabaseIsLeftAsItIs) {
  store_.reset();
  const std::string rubbish(5000, 'x');
  std::ofstream(path()) << rubbish;
  EXPECT_NE(failure([&] { open(); }).find("move it away"), std::string::npos);
  std::ifstream in(path());
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(in), {}), rubbish);
}

TEST_F(JobsFile, ADamagedPageIsSaid) {
  for (int i = 0; i < 40; ++i) store_->accept(job("job_" + std::to_string(i), 40));
  store_.reset();
  {
    std::fstream out(path(), std::ios::in | std::ios::out | std::ios::binary);
    for (int page = 2; page < 40; ++page) {
      out.seekp(4096 * page);
      out << std::string(2000, '\x55');
    }
  }
  EXPECT_NE(failure([&] { store_ = open(true); }).find("move it away"), std::string::npos);
}

TEST_F(JobsFile, ANewerLayoutIsLeftAlone) {
  store_.reset();
  Query(*database(), "PRAGMA user_version=99").run();
  EXPECT_NE(failure([&] { open(); }).find("newer januspro"), std::string::npos);
}

TEST_F(JobsFile, AnotherProgramsLockPasses) {
  sqlite3* handle = nullptr;
  ASSERT_EQ(sqlite3_open(path().c_str(), &handle), SQLITE_OK);
  ASSERT_EQ(sqlite3_exec(handle, "BEGIN IMMEDIATE", nullptr, nullptr, nullptr), SQLITE_OK);
  EXPECT_NE(failure([&] { store_->accept(job("job_a")); }).find("locked"), std::string::npos);
  EXPECT_FALSE(store_->find("me", "job_a")) << "reading goes on";
  sqlite3_close(handle);
  store_->accept(job("job_a"));
  EXPECT_EQ(status("job_a"), "queued");
}

TEST_F(JobsFile, ARemovedFileIsNoticed) {
  store_->accept(job("job_a"));
  fs::remove(path());
  EXPECT_NE(failure([&] { store_->accept(job("job_b")); }).find("removed"), std::string::npos);
  EXPECT_NE(failure([&] { store_->lease(60); }).find("removed"), std::string::npos);
}

TEST_F(JobsFile, APlaceThatCannotBeWrittenIsSaid) {
  store_.reset();
  std::ofstream(folder_ / "file") << "x";
  const auto open_at = [&](const fs::path& where) {
    return failure([&] { open_store(where.string(), false); });
  };
  EXPECT_NE(open_at(folder_ / "file" / "jobs.sqlite").find("--db"), std::string::npos);
  EXPECT_NE(open_at(folder_ / "deep").find("--db"), std::string::npos) << "a folder";
}

// A limit on the size of files is a full disk to whoever writes.
class FullDisk {
 public:
  explicit FullDisk(uint64_t bytes) : handler_(std::signal(SIGXFSZ, SIG_IGN)) {
    getrlimit(RLIMIT_FSIZE, &before_);
    rlimit now = before_;
    now.rlim_cur = bytes;
    setrlimit(RLIMIT_FSIZE, &now);
  }
  ~FullDisk() {
    setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, handler_);
  }

 private:
  void (*handler_)(int);
  rlimit before_{};
};

TEST_F(JobsFile, AFullDiskLosesNothing) {
  store_->accept(job("job_a", 3));
  EXPECT_FALSE(store_->remove("me", "job_a")) << "it waits";
  EXPECT_TRUE(store_->finish(leased(), file("first")));
  const Lease running = leased();
  const std::string large(2'000'000, 'p');
  {
    const FullDisk full(1'000'000);
    EXPECT_NE(failure([&] { store_->finish(running, file(large)); }), "");
    NewJob big = job("job_b");
    big.requests[0] = large;
    EXPECT_NE(failure([&] { store_->accept(big); }), "");
    EXPECT_EQ(status("job_a"), "running");
    EXPECT_EQ(store_->result("me", "job_a", 0)->bytes, "first") << "reading goes on";
    EXPECT_FALSE(store_->find("me", "job_b"));
    EXPECT_FALSE(store_->result("me", "job_a", 1));
  }
  EXPECT_TRUE(store_->finish(running, file(large)));
  EXPECT_EQ(store_->result("me", "job_a", 1)->bytes, large);
  die();
  EXPECT_EQ(leased().index, 2);
}

TEST_F(JobsFile, TheFileIsTheUsersAlone) {
  EXPECT_EQ(fs::status(path()).permissions() & fs::perms::others_all, fs::perms::none);
  EXPECT_EQ(fs::status(path()).permissions() & fs::perms::group_all, fs::perms::none);
}

}  // namespace
}  // namespace janus::serve
