// Turns of text: many families, sums that add up, refusals in their share, the verdict.
// SPDX-License-Identifier: MIT
#include "world/talk.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

#include "world/talk_facts.h"

namespace janus {
namespace {

TEST(Talk, HasItsFamiliesAndRefusals) {
  std::map<std::string, int> families;
  for (uint64_t index = 0; index < 20000; ++index) {
    const TalkSample sample = talk_sample(Split::train, index);
    ++families[sample.family];
    ASSERT_FALSE(sample.held);
  }
  EXPECT_GE(families.size(), 40u);
  EXPECT_NEAR(families["refusal"] / 20000.0, .15, .01);
  int outside = 0;
  for (uint64_t index = 0; index < 600; ++index) {
    outside += talk_sample(Split::test, index).family == "refusal";
  }
  EXPECT_EQ(outside, 120);
  size_t templates = 0;
  for (const OutsideFrames& frames : outside_frames()) {
    templates += frames.frames.size() * frames.subjects.size();
  }
  EXPECT_GE(templates, 300u);
}

TEST(Talk, NumbersAreRight) {
  int seen = 0;
  for (uint64_t index = 0; index < 20000; ++index) {
    const TalkSample sample = talk_sample(Split::val, index);
    if (sample.family != "add" && sample.family != "subtract" && sample.family != "add_twice")
      continue;
    std::vector<int> numbers;
    int sum = 0;
    for (const auto& [question, answer] : sample.turns) {
      std::string digits;
      for (const char c : question + ' ') {
        if (c >= '0' && c <= '9') {
          digits += c;
        } else if (!digits.empty()) {
          numbers.push_back(std::stoi(digits));
          digits.clear();
        }
      }
      sum = std::stoi(answer);
    }
    ++seen;
    ASSERT_GE(numbers.size(), 2u);
    int truth = sample.family == "subtract" && sample.turns[0].question.starts_with("take")
                    ? numbers[1] - numbers[0]
                : sample.family == "subtract" ? numbers[0] - numbers[1]
                                              : numbers[0] + numbers[1];
    if (sample.family == "add_twice") truth += numbers[2];
    ASSERT_EQ(sum, truth) << sample.turns[0].question;
    ASSERT_TRUE(sum >= 0 && sum <= 20);
  }
  EXPECT_GT(seen, 800);
}

// A question has one answer, whatever the index.
TEST(Talk, EqualQuestionsHaveEqualAnswers) {
  std::map<std::string, std::string> answers;
  for (uint64_t index = 0; index < 20000; ++index) {
    const TalkSample sample = talk_sample(Split::test, index);
    const auto& [question, answer] = sample.turns[0];
    const auto [known, fresh] = answers.emplace(question, answer);
    ASSERT_EQ(known->second, answer) << question;
  }
}

TEST(Talk, AnswersAreComparedByTheirWords) {
  EXPECT_TRUE(says_the_same("  You are welcome!", "you are welcome."));
  EXPECT_TRUE(says_the_same("3, 5, 9", "3 5 9"));
  EXPECT_FALSE(says_the_same("35 9", "3, 5, 9"));
  EXPECT_FALSE(says_the_same("", "no"));
}

}  // namespace
}  // namespace janus
