// Yes/no questions are true or false of their scenes by their words alone; near classes are near.
// SPDX-License-Identifier: MIT
#include "world/yes_no.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "world/description.h"
#include "world/silhouette.h"

namespace janus {
namespace {

Detection perfect(const Scene& scene) {
  Detection picture{scene.palette, scene.backdrop, {}};
  for (const Object& o : scene.objects) {
    picture.objects.push_back({o.shape, o.colour, o.cx, o.cy, o.r, 1});
  }
  return picture;
}

// The question's words as a statement about the scene.
bool is_true(const std::string& question, const std::string& part, const Scene& scene) {
  Description said = parse_description(question);
  const auto count = [&](int shape) {
    return std::count_if(scene.objects.begin(), scene.objects.end(),
                         [&](const Object& o) { return o.shape == shape; });
  };
  if (part == "color") {
    for (int colour = 0; colour < kColourCount; ++colour) {
      if (question.find(colour_name(colour)) != question.npos) said.mentions[0].colour = colour;
    }
  }
  if (part == "count") return count(said.mentions[0].shape) == said.mentions[0].count;
  const std::vector<Fact> facts = facts_of(said);
  return std::all_of(facts.begin(), facts.end(),
                     [&](const Fact& fact) { return holds(fact, said, perfect(scene)); });
}

TEST(YesNo, AnswersFollowFromTheScene) {
  for (uint64_t index = 0; index < 4000; ++index) {
    for (const YesNoSample& sample :
         {exists_sample(Split::test, index), pairs_sample(Split::test, index)}) {
      EXPECT_NE(sample.questions[0].yes, sample.questions[1].yes);
      for (const auto& question : sample.questions) {
        ASSERT_EQ(is_true(question.text, sample.part, sample.scene), question.yes)
            << question.text << ' ' << scene_record(sample.scene, Split::test, sample.part, index);
      }
    }
  }
}

TEST(YesNo, PartsFollowEachOther) {
  const char* exists[] = {"random", "popular", "adversarial"};
  const char* pairs[] = {"existence", "count", "position", "color"};
  for (uint64_t index = 0; index < 24; ++index) {
    EXPECT_EQ(exists_sample(Split::val, index).part, exists[index % 3]);
    EXPECT_EQ(pairs_sample(Split::val, index).part, pairs[index % 4]);
  }
}

TEST(YesNo, NearestShapesAreThoseOfTheSilhouettes) {
  const std::vector<Silhouette> bank = silhouettes();
  for (int shape = 0; shape < kShapeCount; ++shape) {
    std::vector<std::pair<double, int>> others;
    for (int other = 0; other < kShapeCount; ++other) {
      double best = 0;
      for (const Silhouette& a : bank) {
        if (a.shape != shape) continue;
        for (const Silhouette& b : bank) {
          if (b.shape == other) best = std::max(best, overlap(a.frame, b.frame));
        }
      }
      if (other != shape) others.emplace_back(-best, other);
    }
    std::sort(others.begin(), others.end());
    for (size_t k = 0; k < kNearest; ++k) {
      EXPECT_EQ(nearest_shapes(shape)[k], others[k].second) << shape_name(shape).one;
    }
  }
}

TEST(YesNo, ReadsAnswers) {
  EXPECT_EQ(yes_or_no("Yes."), Verdict::yes);
  EXPECT_EQ(yes_or_no("no, there is none"), Verdict::no);
  EXPECT_EQ(yes_or_no("yes and no"), Verdict::unknown);
  EXPECT_EQ(yes_or_no("yesterday"), Verdict::unknown);
  EXPECT_EQ(yes_or_no(""), Verdict::unknown);
}

}  // namespace
}  // namespace janus
