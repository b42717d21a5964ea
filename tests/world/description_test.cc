// Texts and what they say: reading back, facts, agreement of two texts, facts of a picture.
// SPDX-License-Identifier: MIT
#include "world/description.h"

#include <gtest/gtest.h>

#include "world/render.h"

namespace janus {
namespace {

std::vector<std::string> texts(const std::string& text) {
  std::vector<std::string> all;
  for (const Fact& fact : facts_of(parse_description(text))) all.push_back(fact.text);
  return all;
}

using Texts = std::vector<std::string>;

TEST(Description, ReadsEveryThingThatIsSaid) {
  EXPECT_EQ(texts("a big red ball on the left, a small green star above a cup, on a sky "
                  "background with stripes"),
            (Texts{"ball", "red ball", "big red ball", "red ball at left", "star", "green star",
                   "small green star", "green star above cup", "cup", "background sky",
                   "background stripes"}));
  EXPECT_EQ(texts("A photo of 3 pink cars."), (Texts{"3 car", "3 pink car"}));
  EXPECT_EQ(texts("an orange arrow and a white fish"),
            (Texts{"arrow", "orange arrow", "fish", "white fish"}));
  EXPECT_EQ(
      texts("There is a red box at the bottom right. It is on a sand background with a "
            "soft glow."),
      (Texts{"box", "red box", "red box at bottom right", "background sand", "background glow"}));
}

TEST(Description, ADefiniteArticleMeansWhatWasMentioned) {
  const Description said =
      parse_description("a red ball, a blue cup right of the ball, a blue ball below the red ball");
  ASSERT_EQ(said.mentions.size(), 3u);
  EXPECT_EQ(said.mentions[1].other, 0);
  EXPECT_EQ(said.mentions[2].other, 0);
  EXPECT_EQ(parse_description("the red ball").mentions.size(), 1u);  // of nothing before
}

TEST(Description, PassesOverWhatItDoesNotKnow) {
  EXPECT_TRUE(texts("").empty());
  EXPECT_TRUE(texts("left of above the the on in 7 \xff\xfe of a").empty());
  EXPECT_EQ(texts("well, a nice ball left of").size(), 1u);
  EXPECT_EQ(texts("well, a red ball left of nothing").size(), 2u);
}

TEST(Description, AgreementIsOfFacts) {
  const auto f1 = [](const char* a, const char* b) {
    return fact_f1(parse_description(a), parse_description(b));
  };
  EXPECT_DOUBLE_EQ(f1("a pink star above a blue cup", "a blue cup below a pink star"), 1);
  EXPECT_DOUBLE_EQ(f1("a pink star", "a pink star and a blue cup"), 2 * 2 / 6.0);
  EXPECT_DOUBLE_EQ(f1("a red star", "a pink star"), .5);
  EXPECT_DOUBLE_EQ(f1("two stars", "three stars"), 0);
  EXPECT_DOUBLE_EQ(f1("nothing", "a star"), 0);
}

TEST(Description, FactsHoldOfPicturesThatHaveThem) {
  const Found ball{0, 0, 30, 64, 35, 1}, cup{16, 4, 100, 64, 17, 1};
  const Detection picture{1, 4, {ball, cup}};
  const auto truth = [&](const std::string& text) {
    const Description said = parse_description(text);
    std::string marks;
    for (const Fact& fact : facts_of(said)) marks += holds(fact, said, picture) ? '+' : '-';
    return marks;
  };
  EXPECT_EQ(truth("a big red ball on the left left of a small blue cup"), "++++++++");
  EXPECT_EQ(truth("a small red ball on the right right of a big red cup"),
            "++--"
            "-"
            "+--");
  EXPECT_EQ(truth("two red balls"), "--");
  EXPECT_EQ(truth("a red ball, a ball"), "++-");
  EXPECT_EQ(truth("a star on a sky background with stripes"), "-++");
  EXPECT_EQ(truth("a ball on a mint background with a table"), "+--");
}

}  // namespace
}  // namespace janus
