// Several servers on one PostgreSQL: stores beside each other, and a database that goes away. Run
// where the environment names one (tests/serve/postgres.py). SPDX-License-Identifier: MIT
#include <algorithm>
#include <latch>
#include <map>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "jobs_store_test.h"
#include "serve/options.h"

namespace janus::serve {
namespace {

class JobsPostgres : public StoreTest, public testing::WithParamInterface<std::string> {
 protected:
  JobsPostgres() : StoreTest(true) {}

  // `work` on a thread and a store of its own each; what the database says against it.
  template <class Work>
  std::vector<std::string> on_threads(int count, const Work& work) {
    std::vector<std::string> failures(static_cast<size_t>(count));
    std::vector<std::thread> threads;
    for (int i = 0; i < count; ++i) {
      threads.emplace_back([&, i] {
        failures[static_cast<size_t>(i)] = failure([&] {
          const auto store = open_store(db(), false);
          work(*store, i);
        });
      });
    }
    for (std::thread& thread : threads) thread.join();
    std::erase(failures, "");
    return failures;
  }
};

TEST_P(JobsPostgres, EveryItemIsWorkedOnOnce) {
  constexpr int kJobs = 12, kItems = 7;
  for (int i = 0; i < kJobs; ++i) store_->accept(job("job_" + std::to_string(i), kItems));
  std::mutex mutex;
  std::map<std::pair<std::string, int>, int> leases;
  std::map<int, int> by_server;
  std::latch all_hold_one(4);  // at the same time, whoever was first
  const auto failures = on_threads(4, [&](Store& store, int server) {
    bool first = true;
    while (const auto lease = store.lease(60)) {
      if (std::exchange(first, false)) all_hold_one.arrive_and_wait();
      const bool back = lease->index == 3 && lease->number == 1;
      const bool bad = lease->index == 5;
      EXPECT_TRUE(back  ? store.give_back(*lease)
                  : bad ? store.fail(*lease, "{}")
                        : store.finish(*lease, file(lease->job)));
      const std::lock_guard lock(mutex);
      if (!back) ++leases[{lease->job, lease->index}];
      ++by_server[server];
    }
  });
  EXPECT_TRUE(failures.empty()) << failures.front();
  EXPECT_EQ(leases.size(), static_cast<size_t>(kJobs * kItems));
  for (const auto& [item, times] : leases) EXPECT_EQ(times, 1) << item.first << " " << item.second;
  EXPECT_EQ(by_server.size(), 4u);
  for (int i = 0; i < kJobs; ++i) {
    const std::string id = "job_" + std::to_string(i);
    EXPECT_EQ(status(id), "failed") << "its last item brings it to its end, whoever has it";
    EXPECT_EQ(store_->result("me", id, 6)->bytes, id);
  }
}

TEST_P(JobsPostgres, CancellingBesideWorkersBlocksNobody) {
  constexpr int kJobs = 30;
  const auto failures = on_threads(4, [&](Store& store, int server) {
    for (int i = 0; i < kJobs; ++i) {
      const std::string id = "job_" + std::to_string(server) + "_" + std::to_string(i);
      store.accept(job(id, 3));
      const auto lease = store.lease(60);
      const auto other = "job_" + std::to_string((server + 1) % 4) + "_" + std::to_string(i);
      store.cancel("me", i % 2 == 0 ? id : other);
      if (lease) store.finish(*lease, file("x"));
      if (i % 3 == 0) store.remove_old(0);
    }
  });
  EXPECT_TRUE(failures.empty()) << failures.front();
  const auto rest = on_threads(1, [&](Store& store, int) {
    while (const auto lease = store.lease(60)) EXPECT_TRUE(store.finish(*lease, file("x")));
  });
  EXPECT_TRUE(rest.empty());
  for (const KeptJob& kept : store_->list("me", "", "", 1000)) EXPECT_TRUE(kept.over()) << kept.id;
}

TEST_P(JobsPostgres, OneKeyIsOneJobWhoeverIsAsked) {
  std::mutex mutex;
  std::map<std::string, std::vector<std::string>> ids;
  const auto failures = on_threads(4, [&](Store& store, int server) {
    for (int i = 0; i < 40; ++i) {
      const std::string key = "key" + std::to_string(i);
      const auto accepted = store.accept(job("job_" + key + "_" + std::to_string(server), 2, key));
      const std::lock_guard lock(mutex);
      ids[key].push_back(accepted.id);
    }
  });
  EXPECT_TRUE(failures.empty()) << failures.front();
  for (const auto& [key, of_all] : ids) {
    EXPECT_EQ(of_all, std::vector<std::string>(4, of_all.front())) << key;
  }
  EXPECT_EQ(store_->list("me", "", "", 1000).size(), 40u);
}

TEST_P(JobsPostgres, LeasesOfOthersEndByTheDatabasesTime) {
  store_->accept(job("job_a"));
  const auto here = open_store(db(), false), there = open_store(db(), false);
  const auto lease = here->lease(2);
  ASSERT_TRUE(lease);
  EXPECT_FALSE(there->lease(60)) << "it is another's, who may live";
  std::this_thread::sleep_for(std::chrono::milliseconds(2100));
  const auto later = there->lease(60);
  ASSERT_TRUE(later);
  EXPECT_EQ(later->tries, 2);
  EXPECT_FALSE(here->finish(*lease, file("late")));
  EXPECT_TRUE(there->finish(*later, file("in time")));
}

// What comes within seconds; it may take a moment.
std::vector<std::string> heard(Store& store) {
  for (int i = 0; i < 200; ++i) {
    const auto jobs = store.changed_elsewhere();
    if (!jobs.empty()) return jobs;
    std::this_thread::sleep_for(std::chrono::milliseconds(25));
  }
  return {};
}

TEST_P(JobsPostgres, ServersHearOfEachOther) {
  const auto here = open_store(db(), false), there = open_store(db(), false);
  here->accept(job("job_a", 2));
  EXPECT_TRUE(there->changed_elsewhere().empty()) << "nobody knew it";
  const auto lease = there->lease(60);
  EXPECT_EQ(heard(*here), std::vector<std::string>{"job_a"});
  EXPECT_TRUE(here->changed_elsewhere().empty());
  EXPECT_TRUE(there->changed_elsewhere().empty()) << "it did that itself";
  there->finish(*lease, file("x"));
  EXPECT_EQ(heard(*here), std::vector<std::string>{"job_a"});
  const auto second = there->lease(60);
  EXPECT_TRUE(here->cancel("me", "job_a"));
  EXPECT_EQ(heard(*there), std::vector<std::string>{"job_a"});
  EXPECT_FALSE(there->renew(*second, 60));
}

TEST_P(JobsPostgres, AConnectionThatIsEndedIsSaidAndNothingIsLost) {
  store_->accept(job("job_a"));
  const Lease lease = leased();
  const auto end_all = [&] {
    Query(*database(),
          "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE "
          "application_name = 'januspro' AND pid <> pg_backend_pid()")
        .run();
  };
  end_all();
  EXPECT_NE(failure([&] { store_->finish(lease, file("x")); }).find("PostgreSQL at"),
            std::string::npos);
  EXPECT_NE(failure([&] { store_->changed_elsewhere(); }), "") << "it stays gone";
  store_ = open(true);
  EXPECT_TRUE(store_->finish(lease, file("x")));
  EXPECT_EQ(status("job_a"), "done");
}

TEST_P(JobsPostgres, WhatCannotServeIsSaid) {
  store_.reset();
  const auto said = [&](const std::string& address) {
    return failure([&] { open_store(address, false); });
  };
  EXPECT_NE(said("postgresql://nobody@127.0.0.1:1/x").find("127.0.0.1:1/x"), std::string::npos);
  EXPECT_NE(said(db() + "_absent").find("does not exist"), std::string::npos);
  const auto held = database();
  Query(*held, "UPDATE januspro.layout SET version = 99").run();
  EXPECT_NE(said(db()).find("layout 99"), std::string::npos);
  Query(*held, "UPDATE januspro.layout SET version = 1").run();
}

TEST_P(JobsPostgres, WhatItCannotHoldIsRefusedAndItGoesOn) {
  NewJob odd = job("job_a");
  odd.metadata = std::string("a\0b", 3);
  EXPECT_NE(failure([&] { store_->accept(odd); }), "");
  store_->accept(job("job_b"));
  EXPECT_EQ(status("job_b"), "queued");
  EXPECT_FALSE(store_->find("me", "job_a"));
}

TEST(PostgresAddress, IsLookedAtBeforeAnythingElse) {
  EXPECT_TRUE(is_postgres("postgresql:///jobs"));
  EXPECT_TRUE(is_postgres("postgres://me@host/jobs"));
  EXPECT_FALSE(is_postgres("postgresql.sqlite"));
  EXPECT_EQ(fault_of_db("a file"), "");
  EXPECT_EQ(fault_of_db("postgresql:///jobs"), "");
  EXPECT_NE(fault_of_db("postgresql:///jobs?nonsense=1").find("nonsense"), std::string::npos);
}

GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(JobsPostgres);
INSTANTIATE_TEST_SUITE_P(Servers, JobsPostgres, testing::ValuesIn([] {
                           const char* const address = std::getenv("JANUSPRO_TEST_POSTGRES");
                           return address ? std::vector<std::string>{"postgres"}
                                          : std::vector<std::string>{};
                         }()),
                         [](const auto& each) { return each.param; });

}  // namespace
}  // namespace janus::serve
