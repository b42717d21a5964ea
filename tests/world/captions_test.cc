// Captions say what is true of their scenes, all of it, and read back.
// SPDX-License-Identifier: MIT
#include "world/captions.h"

#include <gtest/gtest.h>

namespace janus {
namespace {

TEST(Captions, AreTrueAndComplete) {
  for (uint64_t index = 0; index < 5000; ++index) {
    const CaptionSample sample = caption_sample(Split::test, index);
    Detection picture{sample.scene.palette, sample.scene.backdrop, {}};
    for (const Object& o : sample.scene.objects) {
      picture.objects.push_back({o.shape, o.colour, o.cx, o.cy, o.r, 1});
    }
    const Description said = parse_description(sample.answer);
    size_t named = 0;
    for (const Mention& mention : said.mentions) named += static_cast<size_t>(mention.count);
    ASSERT_EQ(named, sample.scene.objects.size()) << sample.answer;
    for (const Fact& fact : facts_of(said)) {
      ASSERT_TRUE(holds(fact, said, picture)) << sample.answer << ": " << fact.text;
    }
    if (sample.long_form) {
      ASSERT_EQ(facts_of(said).size(), 3 * named + 2) << sample.answer;  // class, colour, place
    }
    ASSERT_EQ(caption_score(sample.answer, sample), 1);
    ASSERT_EQ(sample.long_form, index % 2 == 1);
  }
}

TEST(Captions, HaveTheirForms) {
  const Object star{3, 6, 40, 30, 20, 0}, cup{16, 4, 40, 90, 20, 0};
  EXPECT_EQ(short_caption({0, 0, {star}}), "a pink star at the top left");
  EXPECT_EQ(short_caption({0, 0, {cup, star}}), "a pink star above a blue cup");
  Object red = star;
  red.colour = 0;
  red.cx = 100;
  EXPECT_EQ(short_caption({0, 0, {cup, red, star, star}}),
            "two pink stars, a red star and a blue cup");
  EXPECT_EQ(long_caption({1, 4, {cup, star}}),
            "There is a pink star at the top left. There is a blue cup at the bottom left. It is "
            "on a sky background with stripes.");
}

// Neither caption of a training scene names a relation that is held out.
TEST(Captions, TellNoHeldOutRelation) {
  int told = 0;
  for (uint64_t index = 0; index < 5000; ++index) {
    const CaptionSample sample = caption_sample(Split::train, index);
    const Description said = parse_description(sample.answer);
    for (const Mention& m : said.mentions) {
      if (m.relation < 0) continue;
      ++told;
      ASSERT_FALSE(held_out_relation(m.shape, said.mentions[static_cast<size_t>(m.other)].shape));
    }
  }
  EXPECT_GT(told, 300);
}

}  // namespace
}  // namespace janus
