// All streams alike: the records behind them are stable, their answers are graded right, and
// training sees neither what is held out nor how questions of the tests are put.
// SPDX-License-Identifier: MIT
#include "world/streams.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

#include "base/error.h"
#include "base/sha256.h"
#include "io/bpe_train.h"
#include "io/tokenizer.h"
#include "world/diagram_tasks.h"
#include "world/edits.h"
#include "world/layout.h"

namespace janus {
namespace {

std::string record(const Lesson& lesson, Split split, std::string_view stream, uint64_t index) {
  std::string text = lesson_record(lesson, split, stream, index);
  for (const Turn& turn : lesson.turns) {
    text += '|' + turn.category + '|' + turn.question + '|' + turn.answer;
  }
  return text + '\n';
}

// Of the first 1000 records and texts of every split.
std::map<std::string, std::string> hashes() {
  std::map<std::string, std::string> texts;
  for (const Split split : {Split::train, Split::val, Split::test}) {
    for (uint64_t i = 0; i < 1000; ++i) {
      for (const std::string_view stream : drawing_streams()) {
        const DrawSample s = drawing(stream, split, i);
        texts[std::string(stream)] +=
            scene_record(s.scene, split, stream, i) + s.category + '|' + s.prompt + '\n';
      }
      for (const std::string_view stream : reading_streams()) {
        texts[std::string(stream)] += record(reading(stream, split, i, 3), split, stream, i);
      }
      for (const std::string_view stream : codec_streams()) {
        texts[std::string(stream)] += record(codec_picture(stream, split, i), split, stream, i);
      }
    }
  }
  for (auto& [stream, text] : texts) text = sha256_hex(text);
  return texts;
}

TEST(Streams, RecordsAreStable) {
  const std::map<std::string, std::string> expected = {
      {"captions", "aa29375830483a6faebd9de0a47396210d5f21c9087c43ab446d6f91e500abfb"},
      {"choices", "e3a4d9544a868a19706551197d57d60a1b57cac3d21a13f4e6f76d88290984c4"},
      {"charts", "94f6d8c03f2ec8873ed960a95cc3a2269d7cb764593738aefbd9380201fee602"},
      {"circuits", "30780c6ffca1b5994baee4ea17bbb39630180e5c9fda99cfbbeaa40713b0da12"},
      {"dense", "75068ec902b9d1a66ae3550c4edf17be19ccaa600f175995c238793262e20eeb"},
      {"exists", "fa0dc19a418c7544b02f86c95cf511dffa6d3ed8f7368b71b4311a4883446096"},
      {"flows", "9b36075afe7d2d1bc62c365e0ebda84c17d1dedcd37742e109a702279a946bda"},
      {"gallery", "51e7c729f9dedfa8ecd99fed83df20f56e59d43d4725b6acc502a8dc104eb9d3"},
      {"few", "cba37f207e5a70899c9901591247d07120ec6decfbe87e94253bcbe7f9cb5991"},
      {"open", "67ba5ab15a19b8159750e6955afb85c2e005adadc8089f6b458bc6968b61df19"},
      {"pairs", "985663ed0db207b26b4836505208332383d4c577f9571f976a8e3ac299c9d991"},
      {"pictures", "0d332361b90159400de9983fcd2a8083ac4742d48145a9848694c4baa25e19e3"},
      {"prompts", "f88be7740787b35cbe906fbdefbe4bedf24a04e8835d488e589b95ce9b6888e3"},
      {"short", "824683acb565f2280a4b012c515a8dbd9fa1d0dd6a7992b2b8e6a761cca05a01"},
      {"single", "97c3cd6bb6e517fd03273e88726e8f95a9db8e62cfd358e4183041923ef48100"},
      {"talk", "ebc69c66f0f7d05c6d519b1640a0dc34bf8fafe599b00281e4baff15f9995d4e"},
  };
  const std::map<std::string, std::string> all = hashes();
  EXPECT_EQ(all.size(), expected.size());
  for (const auto& [stream, hash] : all) {
    const auto stored = expected.find(stream);
    EXPECT_TRUE(stored != expected.end() && stored->second == hash)
        << "{\"" << stream << "\", \"" << hash << "\"},";
  }
}

TEST(Streams, TheirOwnAnswersAreRight) {
  for (const std::string_view stream : reading_streams()) {
    for (uint64_t index = 0; index < 2000; ++index) {
      const Lesson lesson = reading(stream, Split::test, index, 2);
      ASSERT_FALSE(lesson.turns.empty());
      for (const Turn& turn : lesson.turns) {
        ASSERT_EQ(reading_grade(stream, turn, turn.answer), 1) << turn.question << turn.answer;
        ASSERT_LT(reading_grade(stream, turn, ""), 1) << turn.question;
        ASSERT_FALSE(turn.question.empty());
        ASSERT_FALSE(turn.category.empty());
      }
    }
  }
}

TEST(Streams, TrainingHoldsNothingHeldOut) {
  for (const std::string_view stream : reading_streams()) {
    int held = 0;
    for (uint64_t index = 0; index < 3000; ++index) {
      const Lesson lesson = reading(stream, Split::train, index, 3);
      if (const auto* scene = std::get_if<Scene>(&lesson.picture)) {
        ASSERT_FALSE(shows_held_out(*scene)) << stream << ' ' << index;
      }
      if (const auto* diagram = std::get_if<Diagram>(&lesson.picture)) {
        ASSERT_FALSE(shows_held_out(*diagram)) << stream << ' ' << index;
      }
      for (const Turn& turn : lesson.turns) {
        ASSERT_FALSE(turn.held) << stream << ' ' << index << turn.question;
        for (const std::string* text : {&turn.question, &turn.answer}) {
          const Description said = parse_description(*text);
          for (const Mention& m : said.mentions) {
            ASSERT_FALSE(m.colour >= 0 && held_out(m.shape, m.colour)) << *text;
          }
        }
      }
      for (const Turn& turn : reading(stream, Split::test, index, 1).turns) held += turn.held;
    }
    EXPECT_GT(held, 300) << stream;
  }
}

TEST(Streams, UnknownNamesAreRefused) {
  EXPECT_THROW(drawing("short", Split::train, 0), Error);
  EXPECT_THROW(reading("dense", Split::train, 0, 1), Error);
  EXPECT_THROW(codec_picture("", Split::train, 0), Error);
}

TEST(Streams, TextsAreOfAllStreams) {
  std::set<std::string> texts;
  const size_t streams = drawing_streams().size() + reading_streams().size() + 1;
  EXPECT_EQ(world_text(0), ' ' + drawing("single", Split::train, 0).prompt);
  EXPECT_EQ(world_text(streams + 1), ' ' + drawing("prompts", Split::train, 1).prompt);
  const Turn turn = reading(reading_streams()[0], Split::train, 7, 1).turns[0];
  EXPECT_TRUE(world_text(7 * streams + drawing_streams().size())
                  .starts_with(turn.question + "\n " + turn.answer + '\n'));
  EXPECT_EQ(world_text(4 * streams - 1), edit_sample(Split::train, 3).instruction + '\n');
}

// A tokenizer that learns from the texts has each word of diagrams and edits as one token; digits
// stand alone.
TEST(Streams, WordsOfDiagramsAndEditsAreTokens) {
  BpeTrainer trainer;
  for (uint64_t i = 0; i < 14'000; ++i) trainer.add(world_text(i));
  const Tokenizer tokenizer = Tokenizer::parse(trainer.train(2033, {}), "test");
  for (const char* word :
       {"source", "series", "parallel", "open", "closed", "start", "to",      "yes",   "no",
        "end",    "R",      "L",        "S",    "A",      "H",     "circuit", "chart", "bar",
        "flow",   "lamps",  "(",        ")",    ",",      ";",     "none",    "and",   "bigger"}) {
    EXPECT_EQ(tokenizer.encode(std::string(" ") + word).size(), 1u) << word;
  }
  for (const char* word : {"paint", "remove", "replace", "move", "swap", "change", "make", "add"}) {
    EXPECT_EQ(tokenizer.encode(word).size(), 1u) << word;
  }
  EXPECT_EQ(tokenizer.encode(" 7").size(), 2u);
}

// What a fact of a yes/no question or a caption says is true of the scene, by the words alone.
TEST(Streams, YesAndNoAreEven) {
  for (const char* stream : {"exists", "pairs"}) {
    std::map<std::string, double> yes, first;
    for (uint64_t index = 0; index < 3000; ++index) {
      const Lesson lesson = reading(stream, Split::train, index, 2);
      ASSERT_EQ(lesson.turns.size(), 2u);
      ASSERT_NE(lesson.turns[0].answer, lesson.turns[1].answer);
      first[lesson.turns[0].category] += lesson.turns[0].answer == "yes";
      yes[lesson.turns[0].category] += 1;
    }
    for (const auto& [part, count] : yes) EXPECT_NEAR(first[part] / count, .5, .06) << part;
  }
}

}  // namespace
}  // namespace janus
