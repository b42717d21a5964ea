// A store of jobs to be tested, in a file or in the PostgreSQL that the environment names.
// SPDX-License-Identifier: MIT
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <string>

#include "serve/jobs/postgres.h"
#include "serve/jobs/sql_store.h"
#include "serve/jobs/sqlite.h"

namespace janus::serve {

class StoreTest : public testing::Test {
 protected:
  explicit StoreTest(bool postgres) : postgres_(postgres) {
    const auto* const test = testing::UnitTest::GetInstance()->current_test_info();
    std::string name = test->name();
    for (char& c : name) c = c == '/' ? '-' : c;
    folder_ = std::filesystem::path(testing::TempDir()) / ("januspro-store-" + name);
    std::filesystem::remove_all(folder_);
    if (postgres_) Query(*database(), "DROP SCHEMA januspro CASCADE").run();
    store_ = open();
  }
  ~StoreTest() override {
    store_.reset();
    std::filesystem::remove_all(folder_);
  }

  // `JANUSPRO_TEST_POSTGRES`: an address whose schema `januspro` the tests may throw away.
  static const char* address() { return std::getenv("JANUSPRO_TEST_POSTGRES"); }
  std::filesystem::path path() const { return folder_ / "deep" / "jobs.sqlite"; }
  std::string db() const { return postgres_ ? address() : path().string(); }
  std::unique_ptr<Store> open(bool again = false) {
    return open_store(db(), again, [this] { return now_; });
  }
  // Without a store beside it where it is a file.
  std::unique_ptr<Database> database() const {
    return postgres_ ? open_postgres(db()) : open_sqlite(path(), false);
  }
  // The server dies, and its leases with it, in PostgreSQL when their time is over.
  void die() {
    store_.reset();
    if (postgres_) now_ += 61;
    store_ = open();
  }

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
  // The text of the database's failure; "" where there is none. Clients see no path and no host.
  template <class Call>
  static std::string failure(const Call& call) {
    try {
      call();
    } catch (const StoreFailure& failure) {
      EXPECT_EQ(failure.reason().find_first_of("/:"), std::string::npos) << failure.reason();
      return failure.what();
    }
    return {};
  }

  const bool postgres_;
  double now_ = 1000;
  std::filesystem::path folder_;
  std::unique_ptr<Store> store_;
};

}  // namespace janus::serve
