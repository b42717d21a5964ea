// What the database of jobs promises: nothing accepted is lost, nothing is done twice, and what
// cannot be done changes nothing. SPDX-License-Identifier: MIT
#include <gtest/gtest.h>
#include <sqlite3.h>
#include <sys/resource.h>

#include <csignal>
#include <filesystem>
#include <fstream>

#include "serve/jobs/sqlite.h"
#include "serve/jobs/sqlite_store.h"
#include "serve/refusal.h"

namespace janus::serve {
namespace {

namespace fs = std::filesystem;

class JobsStore : public testing::Test {
 protected:
  JobsStore() {
    const auto* const test = testing::UnitTest::GetInstance()->current_test_info();
    folder_ = fs::path(testing::TempDir()) / ("januspro-store-" + std::string(test->name()));
    fs::remove_all(folder_);
    store_ = open();
  }
  ~JobsStore() override {
    store_.reset();
    fs::remove_all(folder_);
  }

  std::unique_ptr<Store> open(bool again = false) {
    return open_sqlite_store(
        path(), [this] { return now_; }, again);
  }
  void reopen() {
    store_.reset();
    store_ = open();
  }
  fs::path path() const { return folder_ / "deep" / "jobs.sqlite"; }

  // `items` of one request each.
  static NewJob job(const std::string& id, int items = 1, const std::string& key = {}) {
    NewJob job;
    job.id = id;
    job.owner = "me";
    job.type = "draw";
    job.metadata = "{}";
    job.key = key;
    job.digest = "digest-of-" + key;
    for (int i = 0; i < items; ++i) {
      job.requests.push_back("{\"request\":" + std::to_string(i) + "}");
      job.items.push_back({i, uint64_t{7} + static_cast<uint64_t>(i)});
    }
    return job;
  }
  static ResultFile file(const std::string& bytes) { return {"image/png", "sum", bytes}; }

  KeptJob found(const std::string& id) {
    const auto job = store_->find("me", id);
    EXPECT_TRUE(job) << id;
    return job.value_or(KeptJob{});
  }
  std::string status(const std::string& id) { return found(id).status; }
  Lease leased() {
    const auto lease = store_->lease(60);
    EXPECT_TRUE(lease);
    return lease.value_or(Lease{});
  }
  // What is left of the text behind the database's failure; "" where there is none.
  template <class Call>
  static std::string failure(const Call& call) {
    try {
      call();
    } catch (const StoreFailure& failure) {
      EXPECT_EQ(failure.reason().find('/'), std::string::npos) << failure.reason();
      return failure.what();
    }
    return {};
  }
  int64_t rows_of(const std::string& table) {
    Sqlite database(path().string());
    Query query(database, "SELECT count(*) FROM " + table);
    return query.next() ? query.whole(0) : -1;
  }

  double now_ = 1000;
  fs::path folder_;
  std::unique_ptr<Store> store_;
};

TEST_F(JobsStore, AJobFromItsAcceptanceToItsEnd) {
  EXPECT_FALSE(store_->accept(job("job_a", 2)).replayed);
  store_->accept(job("job_b"));
  EXPECT_EQ(status("job_a"), "queued");
  EXPECT_EQ(found("job_a").position, 0);
  EXPECT_EQ(found("job_b").position, 2);
  now_ = 1010;
  const Lease first = leased();
  EXPECT_EQ(first.job, "job_a");
  EXPECT_EQ(first.request, "{\"request\":0}");
  EXPECT_EQ(first.seed, 7u);
  EXPECT_EQ(first.tries, 1);
  EXPECT_EQ(status("job_a"), "running");
  EXPECT_FALSE(store_->result("me", "job_a", 0));
  now_ = 1020;
  EXPECT_TRUE(store_->finish(first, file(std::string("\0PNG\0", 5))));
  EXPECT_EQ(status("job_a"), "running") << "an item waits";
  const Lease second = leased();
  EXPECT_EQ(second.index, 1);
  EXPECT_TRUE(store_->finish(second, file("second")));
  const KeptJob done = found("job_a");
  EXPECT_EQ(done.status, "done");
  EXPECT_EQ(done.created, 1000);
  EXPECT_EQ(done.started, 1010);
  EXPECT_EQ(done.finished, 1020);
  ASSERT_EQ(done.items.size(), 2u);
  EXPECT_EQ(done.items[1].seed, 8u);
  EXPECT_EQ(store_->result("me", "job_a", 0)->bytes, std::string("\0PNG\0", 5));
  EXPECT_EQ(store_->result("me", "job_a", 1)->type, "image/png");
  EXPECT_FALSE(store_->result("me", "job_a", 2));
  EXPECT_EQ(found("job_b").position, 0);
  EXPECT_EQ(store_->counts().jobs.at("done"), 1);
  EXPECT_EQ(store_->counts().waiting, 1);
}

TEST_F(JobsStore, TheSameKeyIsTheSameJob) {
  store_->accept(job("job_a", 1, "key"));
  const Store::Accepted again = store_->accept(job("job_b", 1, "key"));
  EXPECT_TRUE(again.replayed);
  EXPECT_EQ(again.id, "job_a");
  NewJob other = job("job_c", 1, "key");
  other.digest = "another";
  try {
    store_->accept(other);
    FAIL() << "another body under the same key";
  } catch (const Refusal& refusal) {
    EXPECT_EQ(refusal.code, "idempotency_conflict");
    EXPECT_EQ(refusal.status, 409);
  }
  other.owner = "you";
  EXPECT_FALSE(store_->accept(other).replayed) << "keys are each owner's";
  reopen();
  EXPECT_TRUE(store_->accept(job("job_d", 1, "key")).replayed);
  store_->cancel("me", "job_a");
  store_->remove("me", "job_a");
  EXPECT_FALSE(store_->accept(job("job_e", 1, "key")).replayed) << "keys live as long as the job";
  EXPECT_FALSE(store_->accept(job("job_f")).replayed);
  EXPECT_FALSE(store_->accept(job("job_g")).replayed) << "no key is no key";
}

TEST_F(JobsStore, AFullQueueRefuses) {
  store_->accept(job("job_a", 9'999));
  try {
    store_->accept(job("job_b", 2));
    FAIL() << "10 001 items";
  } catch (const Refusal& refusal) {
    EXPECT_EQ(refusal.code, "queue_full");
  }
  EXPECT_FALSE(store_->find("me", "job_b"));
  store_->accept(job("job_c", 1));
}

TEST_F(JobsStore, ListsAreOfOneOwnerNewestFirst) {
  for (const char* const id : {"job_a", "job_b", "job_c", "job_d"}) store_->accept(job(id));
  NewJob other = job("job_x");
  other.owner = "you";
  store_->accept(other);
  const auto ids = [&](const std::string& after, const std::string& status, int limit) {
    std::string text;
    for (const KeptJob& each : store_->list("me", after, status, limit)) text += each.id.back();
    return text;
  };
  EXPECT_EQ(ids("", "", 10), "dcba");
  EXPECT_EQ(ids("", "", 2), "dc");
  EXPECT_EQ(ids("job_c", "", 2), "ba");
  EXPECT_EQ(ids("job_x", "", 10), "") << "another's job is no place to begin";
  store_->cancel("me", "job_b");
  EXPECT_EQ(ids("", "cancelled", 10), "b");
  EXPECT_EQ(ids("", "queued", 10), "dca");
  EXPECT_FALSE(store_->find("you", "job_a"));
  EXPECT_FALSE(store_->cancel("you", "job_a"));
}

TEST_F(JobsStore, OnlyTheNewestLeaseHasAnEffect) {
  store_->accept(job("job_a"));
  const Lease first = leased();
  EXPECT_FALSE(store_->lease(60)) << "nothing else waits";
  now_ += 59;
  EXPECT_FALSE(store_->lease(60));
  EXPECT_TRUE(store_->renew(first, 60));
  now_ += 59;
  EXPECT_FALSE(store_->lease(60)) << "it was renewed";
  now_ += 2;
  const Lease second = leased();
  EXPECT_EQ(second.tries, 2);
  EXPECT_EQ(second.seed, first.seed);
  EXPECT_FALSE(store_->renew(first, 60));
  EXPECT_FALSE(store_->finish(first, file("late")));
  EXPECT_FALSE(store_->fail(first, "{}"));
  EXPECT_FALSE(store_->give_back(first));
  EXPECT_TRUE(store_->finish(second, file("in time")));
  EXPECT_FALSE(store_->finish(second, file("again")));
  EXPECT_EQ(store_->result("me", "job_a", 0)->bytes, "in time");
}

TEST_F(JobsStore, LeasesOfADeadServerAreVoidAtOnce) {
  store_->accept(job("job_a", 2));
  const Lease lost = leased();
  reopen();
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

TEST_F(JobsStore, AnItemThatEndsTheServerIsTriedThreeTimes) {
  store_->accept(job("job_a", 1));
  for (int i = 1; i <= 2; ++i) {
    EXPECT_EQ(leased().tries, i);
    reopen();
  }
  now_ += 2000;
  store_->accept(job("job_b"));
  EXPECT_EQ(leased().job, "job_a") << "it gives way for a while, not for ever";
  reopen();
  EXPECT_EQ(status("job_a"), "failed");
  EXPECT_EQ(status("job_b"), "queued");
}

TEST_F(JobsStore, WhoeverRanBesideOthersIsNotAtFault) {
  store_->accept(job("job_a", 2));
  for (int i = 1; i <= 5; ++i) {
    EXPECT_EQ(leased().tries, i);
    EXPECT_EQ(leased().tries, i);
    reopen();
  }
  EXPECT_EQ(status("job_a"), "queued");
}

TEST_F(JobsStore, TheOthersOfAFailedItemAreStillDone) {
  store_->accept(job("job_a", 2));
  for (int i = 1; i <= 3; ++i) {
    const Lease other = leased(), bad = i == 1 ? other : leased();
    EXPECT_EQ(bad.tries, i);
    if (i > 1) store_->give_back(other);
    reopen();
  }
  EXPECT_EQ(status("job_a"), "queued") << "the other is still to be drawn";
  EXPECT_EQ(found("job_a").items[0].status, "failed");
  EXPECT_NE(found("job_a").items[0].error.find("tried 3 times"), std::string::npos);
  const Lease other = leased();
  EXPECT_EQ(other.index, 1);
  EXPECT_TRUE(store_->finish(other, file("other")));
  EXPECT_EQ(status("job_a"), "failed");
}

TEST_F(JobsStore, WhatIsGivenBackIsNoTry) {
  store_->accept(job("job_a"));
  for (int i = 0; i < 5; ++i) {
    const Lease lease = leased();
    EXPECT_EQ(lease.tries, 1);
    EXPECT_TRUE(store_->give_back(lease));
    EXPECT_EQ(status("job_a"), "queued");
  }
}

TEST_F(JobsStore, AFailureKeepsItsReasonAndTheOthersGoOn) {
  store_->accept(job("job_a", 2));
  EXPECT_TRUE(store_->fail(leased(), "{\"code\":\"x\"}"));
  EXPECT_EQ(status("job_a"), "running");
  EXPECT_TRUE(store_->finish(leased(), file("second")));
  EXPECT_EQ(status("job_a"), "failed");
  EXPECT_EQ(found("job_a").items[0].error, "{\"code\":\"x\"}");
  EXPECT_TRUE(store_->result("me", "job_a", 1));
}

TEST_F(JobsStore, WhatIsFinishedOfACancelledJobStays) {
  store_->accept(job("job_a", 3));
  EXPECT_FALSE(store_->remove("me", "job_a")) << "it waits";
  EXPECT_TRUE(store_->finish(leased(), file("first")));
  const Lease running = leased();
  EXPECT_FALSE(store_->remove("me", "job_a")) << "it is not at its end";
  EXPECT_TRUE(store_->cancel("me", "job_a"));
  EXPECT_FALSE(store_->cancel("me", "job_a"));
  EXPECT_EQ(status("job_a"), "cancelled");
  EXPECT_FALSE(store_->finish(running, file("late")));
  EXPECT_FALSE(store_->lease(60));
  EXPECT_EQ(store_->result("me", "job_a", 0)->bytes, "first");
  reopen();
  EXPECT_EQ(status("job_a"), "cancelled");
  EXPECT_TRUE(store_->remove("me", "job_a"));
  EXPECT_FALSE(store_->find("me", "job_a"));
  EXPECT_FALSE(store_->result("me", "job_a", 0));
  EXPECT_FALSE(store_->remove("me", "job_a"));
  store_.reset();
  for (const char* const table : {"requests", "items", "results"}) {
    EXPECT_EQ(rows_of(table), 0) << table;
  }
}

TEST_F(JobsStore, OldJobsGo) {
  store_->accept(job("job_a"));
  store_->accept(job("job_b"));
  EXPECT_TRUE(store_->finish(leased(), file("a")));
  now_ += 100;
  EXPECT_EQ(store_->remove_old(101), 0);
  EXPECT_EQ(store_->remove_old(100), 1);
  EXPECT_FALSE(store_->find("me", "job_a"));
  EXPECT_EQ(status("job_b"), "queued") << "what waits is never old";
}

// --- databases that do not serve -----------------------------------------------------------------

TEST_F(JobsStore, ASecondServerIsRefused) {
  try {
    open();
    FAIL() << "two servers on one file";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::busy);
    EXPECT_NE(std::string(error.what()).find("--db"), std::string::npos);
  }
  store_->accept(job("job_a"));
}

TEST_F(JobsStore, AFileThatIsNoDatabaseIsLeftAsItIs) {
  store_.reset();
  const std::string rubbish(5000, 'x');
  std::ofstream(path()) << rubbish;
  EXPECT_NE(failure([&] { open(); }).find("move it away"), std::string::npos);
  std::ifstream in(path());
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(in), {}), rubbish);
}

TEST_F(JobsStore, ADamagedPageIsSaid) {
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

TEST_F(JobsStore, ANewerLayoutIsLeftAlone) {
  store_.reset();
  Sqlite(path().string()).run("PRAGMA user_version=99");
  EXPECT_NE(failure([&] { open(); }).find("newer januspro"), std::string::npos);
}

TEST_F(JobsStore, AnotherProgramsLockPasses) {
  sqlite3* handle = nullptr;
  ASSERT_EQ(sqlite3_open(path().c_str(), &handle), SQLITE_OK);
  ASSERT_EQ(sqlite3_exec(handle, "BEGIN IMMEDIATE", nullptr, nullptr, nullptr), SQLITE_OK);
  EXPECT_NE(failure([&] { store_->accept(job("job_a")); }).find("locked"), std::string::npos);
  EXPECT_FALSE(store_->find("me", "job_a")) << "reading goes on";
  sqlite3_close(handle);
  store_->accept(job("job_a"));
  EXPECT_EQ(status("job_a"), "queued");
}

TEST_F(JobsStore, ARemovedFileIsNoticed) {
  store_->accept(job("job_a"));
  fs::remove(path());
  EXPECT_NE(failure([&] { store_->accept(job("job_b")); }).find("removed"), std::string::npos);
  EXPECT_NE(failure([&] { store_->lease(60); }).find("removed"), std::string::npos);
}

TEST_F(JobsStore, APlaceThatCannotBeWrittenIsSaid) {
  store_.reset();
  std::ofstream(folder_ / "file") << "x";
  const auto open_at = [&](const fs::path& where) {
    return failure([&] { open_sqlite_store(where, [] { return 0.; }); });
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

TEST_F(JobsStore, AFullDiskLosesNothing) {
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
  reopen();
  EXPECT_EQ(leased().index, 2);
}

TEST_F(JobsStore, TheFileIsTheUsersAlone) {
  EXPECT_EQ(fs::status(path()).permissions() & fs::perms::others_all, fs::perms::none);
  EXPECT_EQ(fs::status(path()).permissions() & fs::perms::group_all, fs::perms::none);
}

}  // namespace
}  // namespace janus::serve
