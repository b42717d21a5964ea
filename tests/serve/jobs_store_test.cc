// What the database of jobs promises, whichever it is: nothing accepted is lost, nothing is done
// twice. Run once for each database that is there. SPDX-License-Identifier: MIT
#include "jobs_store_test.h"

#include "serve/refusal.h"

namespace janus::serve {
namespace {

class JobsStore : public StoreTest, public testing::WithParamInterface<std::string> {
 protected:
  JobsStore() : StoreTest(GetParam() == "postgres") {}

  int64_t rows_of(const std::string& table) {
    const auto database = this->database();
    Query query(*database, "SELECT count(*) FROM " + table);
    return query.next() ? query.whole(0) : -1;
  }
};

TEST_P(JobsStore, AJobFromItsAcceptanceToItsEnd) {
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

TEST_P(JobsStore, TheSameKeyIsTheSameJob) {
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
  die();
  EXPECT_TRUE(store_->accept(job("job_d", 1, "key")).replayed);
  store_->cancel("me", "job_a");
  store_->remove("me", "job_a");
  EXPECT_FALSE(store_->accept(job("job_e", 1, "key")).replayed) << "keys live as long as the job";
  EXPECT_FALSE(store_->accept(job("job_f")).replayed);
  EXPECT_FALSE(store_->accept(job("job_g")).replayed) << "no key is no key";
}

TEST_P(JobsStore, AFullQueueRefuses) {
  store_->accept(job("job_a", 9'999));
  try {
    store_->accept(job("job_b", 2));
    FAIL() << "10 001 items";
  } catch (const Refusal& refusal) {
    EXPECT_EQ(refusal.code, "queue_full");
  }
  EXPECT_FALSE(store_->find("me", "job_b"));
  store_->accept(job("job_c", 1));
  const KeptJob large = found("job_a");
  ASSERT_EQ(large.items.size(), 9'999u);
  for (const size_t i : {0u, 99u, 100u, 9'998u}) {
    EXPECT_EQ(large.items[i].index, static_cast<int>(i));
    EXPECT_EQ(large.items[i].request, static_cast<int>(i));
    EXPECT_EQ(large.items[i].seed, 7 + i);
  }
}

TEST_P(JobsStore, SeedsAndTextsComeBackAsTheyWere) {
  NewJob odd = job("job_a");
  odd.items[0].seed = ~uint64_t{0};
  odd.metadata = "{\"a\":\"\xC3\xA9'\\\"\"}";
  odd.owner = "";
  store_->accept(odd);
  const auto kept = store_->find("", "job_a");
  ASSERT_TRUE(kept);
  EXPECT_EQ(kept->metadata, odd.metadata);
  EXPECT_EQ(kept->items[0].seed, ~uint64_t{0});
  EXPECT_EQ(leased().seed, ~uint64_t{0});
}

TEST_P(JobsStore, ListsAreOfOneOwnerNewestFirst) {
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

TEST_P(JobsStore, OnlyTheNewestLeaseHasAnEffect) {
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

TEST_P(JobsStore, AnItemThatEndsTheServerIsTriedThreeTimesByItself) {
  store_->accept(job("job_a", 1));
  for (int i = 1; i <= 3; ++i) {
    EXPECT_EQ(leased().tries, i);
    die();
  }
  now_ += 3000;
  store_->accept(job("job_b"));
  EXPECT_EQ(leased().job, "job_a") << "it gives way for a while, not for ever";
  die();
  EXPECT_EQ(leased().job, "job_b");
  EXPECT_EQ(status("job_a"), "failed");
  EXPECT_NE(found("job_a").items[0].error.find("tried 3 times by itself"), std::string::npos);
  EXPECT_FALSE(store_->result("me", "job_a", 0));
}

TEST_P(JobsStore, WhoIsInterruptedGivesWay) {
  store_->accept(job("job_a", 2));
  const Lease lost = leased();
  EXPECT_EQ(lost.index, 0);
  die();
  EXPECT_EQ(leased().index, 1);
  const Lease again = leased();
  EXPECT_EQ(again.index, 0);
  EXPECT_EQ(again.tries, 2);
  EXPECT_FALSE(store_->finish(lost, file("of the dead")));
  EXPECT_TRUE(store_->finish(again, file("of this one")));
}

TEST_P(JobsStore, TheOthersOfAFailedItemAreStillDone) {
  store_->accept(job("job_a", 2));
  leased();
  const Lease other = leased();
  EXPECT_TRUE(store_->finish(other, file("other")));
  for (int i = 1; i <= 3; ++i) {
    die();
    EXPECT_EQ(leased().tries, i + 1);
  }
  die();
  EXPECT_FALSE(store_->lease(60));
  EXPECT_EQ(status("job_a"), "failed");
  EXPECT_EQ(store_->result("me", "job_a", 1)->bytes, "other");
}

TEST_P(JobsStore, WhatIsGivenBackIsNoTry) {
  store_->accept(job("job_a"));
  for (int i = 0; i < 5; ++i) {
    const Lease lease = leased();
    EXPECT_EQ(lease.tries, 1);
    EXPECT_TRUE(store_->give_back(lease));
    EXPECT_EQ(status("job_a"), "queued");
  }
}

TEST_P(JobsStore, AFailureKeepsItsReasonAndTheOthersGoOn) {
  store_->accept(job("job_a", 2));
  EXPECT_TRUE(store_->fail(leased(), "{\"code\":\"x\"}"));
  EXPECT_EQ(status("job_a"), "running");
  EXPECT_TRUE(store_->finish(leased(), file("second")));
  EXPECT_EQ(status("job_a"), "failed");
  EXPECT_EQ(found("job_a").items[0].error, "{\"code\":\"x\"}");
  EXPECT_TRUE(store_->result("me", "job_a", 1));
}

TEST_P(JobsStore, WhatIsFinishedOfACancelledJobStays) {
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
  die();
  EXPECT_EQ(status("job_a"), "cancelled");
  EXPECT_TRUE(store_->remove("me", "job_a"));
  EXPECT_FALSE(store_->find("me", "job_a"));
  EXPECT_FALSE(store_->result("me", "job_a", 0));
  EXPECT_FALSE(store_->remove("me", "job_a"));
  store_.reset();
  const std::string schema = postgres_ ? "januspro." : "";
  for (const std::string table : {"requests", "items", "results"}) {
    EXPECT_EQ(rows_of(schema + table), 0) << table;
  }
}

TEST_P(JobsStore, OldJobsGo) {
  store_->accept(job("job_a"));
  store_->accept(job("job_b"));
  EXPECT_TRUE(store_->finish(leased(), file("a")));
  now_ += 100;
  EXPECT_EQ(store_->remove_old(101), 0);
  EXPECT_EQ(store_->remove_old(100), 1);
  EXPECT_FALSE(store_->find("me", "job_a"));
  EXPECT_EQ(status("job_b"), "queued") << "what waits is never old";
}

std::vector<std::string> databases() {
  std::vector<std::string> names = {"sqlite"};
  if (std::getenv("JANUSPRO_TEST_POSTGRES")) names.emplace_back("postgres");
  return names;
}
INSTANTIATE_TEST_SUITE_P(Databases, JobsStore, testing::ValuesIn(databases()),
                         [](const auto& each) { return each.param; });

}  // namespace
}  // namespace janus::serve
