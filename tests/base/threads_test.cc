// The thread pool covers every item once, takes turns, refuses to nest, and leaves the caller's
// floating-point mode as it was.
// SPDX-License-Identifier: MIT
#include "base/threads.h"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <thread>
#include <vector>

#include "base/error.h"

namespace janus {
namespace {

TEST(ThreadPool, CoversEveryItemOnce) {
  for (const int threads : {1, 2, 3, 7}) {
    ThreadPool pool(threads);
    for (const int64_t n : {0, 1, 5, 1000}) {
      for (const int64_t grain : {1, 3, 1000}) {
        std::vector<std::atomic<int>> seen(static_cast<size_t>(n));
        pool.parallel_for(n, grain, [&](int64_t begin, int64_t end, int worker) {
          EXPECT_LE(end - begin, grain);
          EXPECT_LT(worker, threads);
          for (int64_t i = begin; i < end; ++i) ++seen[static_cast<size_t>(i)];
        });
        for (const auto& count : seen) ASSERT_EQ(count.load(), 1);
      }
    }
  }
}

TEST(ThreadPool, WorkerNumbersAreNeverSharedAtATime) {
  ThreadPool pool(4);
  std::vector<std::atomic<int>> busy(4);
  for (int round = 0; round < 200; ++round) {
    pool.parallel_for(64, 1, [&](int64_t, int64_t, int worker) {
      EXPECT_EQ(busy[static_cast<size_t>(worker)].fetch_add(1), 0);
      busy[static_cast<size_t>(worker)].fetch_sub(1);
    });
  }
}

TEST(ThreadPool, CallersTakeTurns) {
  ThreadPool pool(3);
  constexpr size_t kCallers = 3;
  std::array<std::atomic<int>, kCallers> running{};  // pieces of each caller's job
  const auto call = [&](size_t mine) {
    for (int i = 0; i < 200; ++i) {
      pool.parallel_for(30, 1, [&](int64_t, int64_t, int) {
        ++running[mine];
        for (size_t other = 0; other < kCallers; ++other) {
          EXPECT_TRUE(other == mine || running[other] == 0) << "two jobs ran at once";
        }
        --running[mine];
      });
    }
  };
  std::vector<std::thread> callers;
  for (size_t i = 0; i < kCallers; ++i) callers.emplace_back(call, i);
  for (std::thread& caller : callers) caller.join();
}

TEST(ThreadPool, RefusesToNest) {
  ThreadPool pool(2);
  std::atomic<int> refusals{0};
  pool.parallel_for(16, 1, [&](int64_t, int64_t, int) {
    try {
      pool.parallel_for(1, 1, [](int64_t, int64_t, int) {});
    } catch (const Error& e) {
      if (e.code() == Code::bug) ++refusals;
    }
  });
  EXPECT_EQ(refusals.load(), 16);
}

TEST(ThreadPool, DenormalsAreZeroInsideAndTheCallersModeReturns) {
  ThreadPool pool(2);
  volatile float smallest = 1e-40f, one = 1.0f;
  EXPECT_NE(smallest * one, 0.0f);
  std::atomic<int> kept{0};
  pool.parallel_for(64, 1, [&](int64_t, int64_t, int) {
    if (smallest * one != 0.0f) ++kept;
  });
  EXPECT_EQ(kept.load(), 0);
  EXPECT_NE(smallest * one, 0.0f);
}

}  // namespace
}  // namespace janus
