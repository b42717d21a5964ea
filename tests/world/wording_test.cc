// Choice by weight, phrasings, gaps, and the variations of training texts.
// SPDX-License-Identifier: MIT
#include "world/wording.h"

#include <gtest/gtest.h>

#include <array>
#include <map>
#include <set>

namespace janus {
namespace {

TEST(Wording, PicksInProportion) {
  Philox random(31, 0);
  std::array<int, 3> seen{};
  for (int i = 0; i < 30000; ++i) {
    ++seen[static_cast<size_t>(pick(random, std::array<double, 3>{1, 0, 2}))];
  }
  EXPECT_NEAR(seen[0], 10000, 300);
  EXPECT_EQ(seen[1], 0);
  EXPECT_NEAR(seen[2], 20000, 300);
}

TEST(Wording, TheLastSixthIsHeldOutOfTraining) {
  Philox random(32, 0);
  for (const size_t length : {3u, 6u, 8u, 12u}) {
    const std::vector<std::string_view> list = [&] {
      constexpr std::array<std::string_view, 12> kAll = {"0", "1", "2", "3", "4",  "5",
                                                         "6", "7", "8", "9", "10", "11"};
      return std::vector<std::string_view>(kAll.begin(), kAll.begin() + static_cast<long>(length));
    }();
    const size_t held = (length + 5) / 6;
    std::set<std::string_view> train, test, marked;
    for (int i = 0; i < 500; ++i) {
      const Phrasing seen = choose_phrasing(random, Split::train, list);
      EXPECT_FALSE(seen.held);
      train.insert(seen.text);
      const Phrasing any = choose_phrasing(random, Split::test, list);
      test.insert(any.text);
      if (any.held) marked.insert(any.text);
    }
    EXPECT_EQ(train,
              (std::set<std::string_view>(list.begin(), list.end() - static_cast<long>(held))));
    EXPECT_EQ(test.size(), length);
    EXPECT_EQ(marked,
              (std::set<std::string_view>(list.end() - static_cast<long>(held), list.end())));
  }
}

TEST(Wording, FillsGaps) {
  EXPECT_EQ(fill("is the {class} left of the {other}?", {{"class", "cup"}, {"other", "car"}}),
            "is the cup left of the car?");
}

TEST(Wording, TypesAsPeopleDo) {
  Philox random(33, 0);
  std::map<std::string, int> seen;
  for (int i = 0; i < 20000; ++i) ++seen[as_typed(random, "what color is the cup?")];
  for (const char* text :
       {"what color is the cup?", "What color is the cup?", "what colour is the cup?",
        "what color is the cup", "what color is cup?", "what color is the cup please?"}) {
    EXPECT_GT(seen[text], 20) << text;
  }
  EXPECT_EQ(seen["what color is the cup."], 0);
  EXPECT_GT(seen.size(), 100u);  // slips
  seen.clear();
  for (int i = 0; i < 20000; ++i) ++seen[as_typed(random, "draw an arrow")];
  for (const char* text :
       {"draw an arrow", "draw a arrow", "Draw an arrow.", "draw an arrow please"}) {
    EXPECT_GT(seen[text], 20) << text;
  }
}

}  // namespace
}  // namespace janus
