// Who of several processes is missing, on a board in memory.
// SPDX-License-Identifier: MIT
#include "train/roll_call.h"

#include <gtest/gtest.h>

#include <atomic>

#include "base/error.h"

namespace janus::train {
namespace {

constexpr std::chrono::milliseconds kFast(5);

struct Wall {
  std::mutex mutex;
  std::map<std::string, std::string> words;
  std::map<std::string, int64_t> numbers;
  std::atomic<bool> gone = false;
};

class WallBoard final : public Board {
 public:
  explicit WallBoard(Wall& wall) : wall_(wall) {}
  void write(const std::string& key, const std::string& text) override {
    const auto lock = locked();
    wall_.words[key] = text;
  }
  std::optional<std::string> read(const std::string& key) override {
    const auto lock = locked();
    const auto found = wall_.words.find(key);
    return found == wall_.words.end() ? std::nullopt : std::optional(found->second);
  }
  int64_t add(const std::string& key, int64_t number) override {
    const auto lock = locked();
    return wall_.numbers[key] += number;
  }

 private:
  std::unique_lock<std::mutex> locked() {
    if (wall_.gone) fail(Code::device_failure, "the board is gone");
    return std::unique_lock(wall_.mutex);
  }
  Wall& wall_;
};

std::unique_ptr<RollCall> call(Wall& wall, int rank, int size) {
  return std::make_unique<RollCall>(std::make_unique<WallBoard>(wall), rank, size,
                                    "host, process id " + std::to_string(100 + rank), kFast);
}

bool within(const std::function<bool()>& true_by_now) {
  for (int i = 0; i < 1000; ++i) {
    if (true_by_now()) return true;
    std::this_thread::sleep_for(kFast);
  }
  return false;
}

TEST(RollCall, OfThoseWhoAreThereNobodyIsMissing) {
  Wall wall;
  const auto a = call(wall, 0, 3), b = call(wall, 1, 3), c = call(wall, 2, 3);
  std::this_thread::sleep_for(kFast * 90);
  for (const auto* one : {a.get(), b.get(), c.get()}) EXPECT_FALSE(one->missing().has_value());
}

// Rank 0 sees that one is silent, and the others read it there.
TEST(RollCall, OneThatFallsSilentIsNamedToAll) {
  Wall wall;
  auto a = call(wall, 0, 3), b = call(wall, 1, 3), c = call(wall, 2, 3);
  c.reset();
  ASSERT_TRUE(within([&] { return a->missing() && b->missing(); }));
  EXPECT_EQ(*a->missing(),
            "process 2 of 3 (host, process id 102) has died, or does nothing any more");
  EXPECT_EQ(b->missing(), a->missing());
}

// Who was cut off asks sooner than half a minute.
TEST(RollCall, ItIsSoonKnownWhoWhereSomebodyIsCutOff) {
  Wall wall;
  auto a = call(wall, 0, 2), b = call(wall, 1, 2);
  b.reset();
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_NE(a->who_is_missing().find("process 1 of 2"), std::string::npos);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, kFast * 40);
}

TEST(RollCall, TheFirstOneIsWatchedByTheOthers) {
  Wall wall;
  auto a = call(wall, 0, 2), b = call(wall, 1, 2);
  a.reset();
  EXPECT_NE(b->who_is_missing().find("process 0 of 2"), std::string::npos);
}

TEST(RollCall, AReasonGivenIsTheReasonTold) {
  Wall wall;
  auto a = call(wall, 0, 2), b = call(wall, 1, 2);
  b->leave("no space left");
  ASSERT_TRUE(within([&] { return a->missing().has_value(); }));
  const auto begin = std::chrono::steady_clock::now();
  a->who_is_missing();  // nobody is to be told any more
  EXPECT_LT(std::chrono::steady_clock::now() - begin, kFast * 10);
  EXPECT_EQ(*a->missing(), "process 1 of 2 (host, process id 101) stopped: no space left");
}

// The first keeps the board: it waits until all have read what it leaves there.
TEST(RollCall, TheFirstGoesWhenAllHaveHeard) {
  Wall wall;
  auto a = call(wall, 0, 3), b = call(wall, 1, 3), c = call(wall, 2, 3);
  a->leave("no space left");
  wall.gone = true;
  EXPECT_EQ(b->missing(), "process 0 of 3 (host, process id 100) stopped: no space left");
  EXPECT_EQ(c->missing(), b->missing());
}

TEST(RollCall, ABoardThatIsGoneWentWithTheFirst) {
  Wall wall;
  auto b = call(wall, 1, 2);
  wall.gone = true;
  EXPECT_NE(b->who_is_missing().find("process 0 of 2"), std::string::npos);
}

}  // namespace
}  // namespace janus::train
