// Multiple choice: right answers are right and wrong ones wrong, letters are even, the benchmark's
// prompt, columns and reading of answers. SPDX-License-Identifier: MIT
#include "world/choices.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "world/captions.h"
#include "world/relation.h"

namespace janus {
namespace {

std::string named(const Object& o) { return "the " + std::string(shape_name(o.shape).one); }

const Object* of_class(const Scene& scene, const std::string& phrase) {
  for (const Object& o : scene.objects) {
    if (named(o) == phrase ||
        "the " + std::string(colour_name(o.colour)) + named(o).substr(3) == phrase) {
      return &o;
    }
  }
  return nullptr;
}

// Whether an option is true of the scene, for the leaves where words alone decide it.
bool is_true(const ChoiceSample& sample, const std::string& option) {
  const auto& objects = sample.scene.objects;
  if (sample.leaf == "object identity") return named(objects[0]) == "the " + option;
  if (sample.leaf == "scene topic") return short_caption(sample.scene) == option;
  if (sample.leaf == "backdrop") {
    return kPalettes[static_cast<size_t>(sample.scene.palette)].name == option;
  }
  if (sample.leaf == "size") {
    return std::all_of(objects.begin(), objects.end(),
                       [&](const Object& o) { return o.r <= of_class(sample.scene, option)->r; });
  }
  for (const Object& o : objects) {  // the one that the question names
    if (sample.question.find(named(o) + "?") == sample.question.npos) continue;
    if (sample.leaf == "object colour") return colour_name(o.colour) == option;
    if (sample.leaf == "place") return kCells[static_cast<size_t>(cell_of(o))] == option;
  }
  return sample.options[static_cast<size_t>(sample.answer)] == option;
}

TEST(Choices, OneOptionIsRight) {
  std::map<std::string, int> leaves;
  std::map<char, int> letters;
  for (uint64_t index = 0; index < 2600; ++index) {
    const ChoiceSample sample = choice_sample(Split::test, index);
    ++leaves[sample.leaf];
    ++letters[choice_letter(sample)];
    ASSERT_TRUE(sample.options.size() >= 2 && sample.options.size() <= 4) << sample.question;
    EXPECT_EQ(std::set<std::string>(sample.options.begin(), sample.options.end()).size(),
              sample.options.size());
    for (size_t j = 0; j < sample.options.size(); ++j) {
      ASSERT_EQ(is_true(sample, sample.options[j]), static_cast<int>(j) == sample.answer)
          << sample.leaf << ": " << sample.question << ' ' << sample.options[j];
    }
  }
  EXPECT_EQ(static_cast<int>(leaves.size()), choice_leaves());
  for (const auto& [leaf, count] : leaves) EXPECT_EQ(count, 200) << leaf;
  EXPECT_NEAR(letters['A'] / 2600.0, .29, .05);
  EXPECT_NEAR(letters['B'] / 2600.0, .29, .05);
}

TEST(Choices, TheOddOneIsTheOnlyOne) {
  for (uint64_t index = 0; index < 2600; ++index) {
    const ChoiceSample sample = choice_sample(Split::test, index);
    if (sample.leaf != "odd one out") continue;
    const bool by_class = sample.question.find("shape") != sample.question.npos;
    const Object* odd = of_class(sample.scene, sample.options[static_cast<size_t>(sample.answer)]);
    ASSERT_NE(odd, nullptr);
    for (const Object& o : sample.scene.objects) {
      if (&o == odd) continue;
      ASSERT_NE(by_class ? o.shape : o.colour, by_class ? odd->shape : odd->colour);
    }
  }
}

ChoiceSample sample_of(int options) {
  ChoiceSample sample;
  sample.leaf = "object colour";
  sample.group = "FP-S";
  sample.question = "what color is the cup?";
  sample.options = {"red", "blue", "green", "pink"};
  sample.options.resize(static_cast<size_t>(options));
  sample.answer = 1;
  return sample;
}

TEST(Choices, PromptsAreTheBenchmarks) {
  EXPECT_EQ(choice_prompt(sample_of(3)),
            "what color is the cup?\nA. red\nB. blue\nC. green\n"
            "Answer with the option's letter from the given choices directly.");
  EXPECT_EQ(choice_prompt(sample_of(2), 1),
            "what color is the cup?\nA. blue\nB. red\n"
            "Answer with the option's letter from the given choices directly.");
  EXPECT_EQ(choice_letter(sample_of(4)), 'B');
  EXPECT_EQ(choice_letter(sample_of(4), 1), 'A');
  EXPECT_EQ(choice_letter(sample_of(4), 2), 'D');
  EXPECT_EQ(choice_row(sample_of(3), Split::test, 7),
            "7\twhat color is the cup?\t\tred\tblue\tgreen\t\tB\tobject colour\tFP-S\ttest");
}

TEST(Choices, AnswersAreReadAsTheToolkitDoes) {
  const auto read = [](const std::string& answer) {
    return chosen_letter(answer, {"red", "dark blue", "green", "pink"}).value_or('-');
  };
  EXPECT_EQ(read("B"), 'B');
  EXPECT_EQ(read("(C)."), 'C');
  EXPECT_EQ(read("The option is D"), 'D');
  EXPECT_EQ(read("A or B"), '-');
  EXPECT_EQ(read("b"), '-');
  EXPECT_EQ(read("E"), '-');
  EXPECT_EQ(read("the correct answer is c, of all those that are here to be seen"), 'C');
  EXPECT_EQ(read("it is Dark Blue"), 'B');
  EXPECT_EQ(read("red or green"), '-');
  EXPECT_EQ(read("A good picture shows many things and some of them are red and some are not so"),
            '-');
  EXPECT_EQ(read(""), '-');
}

}  // namespace
}  // namespace janus
