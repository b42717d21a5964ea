// Samples: stable records, nothing held out in training, texts that parse back to the facts of
// their scenes, answers that are balanced, and the verdicts.
// SPDX-License-Identifier: MIT
#include "world/tasks.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "base/sha256.h"
#include "world/relation.h"
#include "world/render.h"

namespace janus {
namespace {

constexpr Split kSplits[] = {Split::train, Split::val, Split::test};

// Lower case, words alone.
std::vector<std::string> words_of(const std::string& text) {
  std::vector<std::string> words(1);
  for (const char raw : text) {
    const char c = static_cast<char>(std::tolower(static_cast<unsigned char>(raw)));
    if (std::isalnum(static_cast<unsigned char>(c))) {
      words.back() += c;
    } else if (!words.back().empty()) {
      words.emplace_back();
    }
  }
  if (words.back().empty()) words.pop_back();
  return words;
}

// The index of a class by its singular or plural, of a colour; -1 for other words.
int shape_of(const std::string& word) {
  for (int i = 0; i < kShapeCount; ++i) {
    if (word == shape_name(i).one || word == shape_name(i).many) return i;
  }
  return -1;
}
int colour_of(const std::string& word) {
  for (int i = 0; i < kColourCount; ++i) {
    if (word == colour_name(i)) return i;
  }
  return -1;
}

std::vector<int> shapes_in(const std::vector<std::string>& words) {
  std::vector<int> found;
  for (const std::string& word : words) {
    if (shape_of(word) >= 0) found.push_back(shape_of(word));
  }
  return found;
}
std::vector<int> colours_in(const std::vector<std::string>& words) {
  std::vector<int> found;
  for (const std::string& word : words) {
    if (colour_of(word) >= 0) found.push_back(colour_of(word));
  }
  return found;
}

TEST(Tasks, RecordsAndTextsAreStable) {
  std::map<std::string, std::string> hashes;
  for (const Split split : kSplits) {
    std::string codec, draw, ask;
    for (uint64_t i = 0; i < 1000; ++i) {
      codec += scene_record(codec_scene(split, i), split, "codec", i) + '\n';
      const DrawSample d = draw_sample(split, i);
      draw += scene_record(d.scene, split, "draw", i) + d.category + '|' + d.prompt + '\n';
      const AskSample a = ask_sample(split, i);
      ask += scene_record(a.scene, split, "ask", i) + a.kind + '|' + a.question + '|' + a.answer +
             '\n';
    }
    const std::string name(split_name(split));
    hashes[name + " codec"] = sha256_hex(codec);
    hashes[name + " draw"] = sha256_hex(draw);
    hashes[name + " ask"] = sha256_hex(ask);
  }
  EXPECT_EQ(hashes,
            (std::map<std::string, std::string>{
                {"test ask", "4775a4729d8463d39b3cb4df9fe564ea08ed9b3d9c2552d77c2d93234f1420a5"},
                {"test codec", "b443ffb846e9961dd6ae334d77e2a5ef744cd658b4c4bc77782b9800235a9e52"},
                {"test draw", "e4ddc96055bf6c6e96ac01aa87a10b7ed4ffdd2b6a890cd60a04920127d89eaf"},
                {"train ask", "a81023680da63ac1d81b3f4c25a2620d1828025edb3bd5ca92082bd37ddcbfd3"},
                {"train codec", "9374b559eee78f82c36efbc383a7f25c61087df7677e4339691dcc21a630fad6"},
                {"train draw", "e37f1a597f6879548c55c39d41a9d6427a9e93cb7f296590dda45bd27124f914"},
                {"val ask", "1d96fb64f7119a794631600792dc311cac406e6419f3fba3d720497740020f67"},
                {"val codec", "ea263eac20e5e729597e1119bb279677855e36f013bef8a77f81521522fc066c"},
                {"val draw", "ad744bd6b1e5e0fdd608acd803327596ad692db92ed911967ee7144b0d5fce9c"}}));
}

void expect_nothing_held(const Scene& scene, uint64_t index) {
  std::map<int, int> counts;
  for (const Object& object : scene.objects) {
    ASSERT_FALSE(held_out(object.shape, object.colour)) << index;
    ++counts[object.shape];
  }
  for (const auto& [shape, count] : counts) ASSERT_FALSE(held_out_count(shape, count)) << index;
}

// A pair is named where a colour stands right before a class.
void expect_no_pair_named(const std::string& text) {
  const std::vector<std::string> words = words_of(text);
  for (size_t i = 0; i + 1 < words.size(); ++i) {
    const int colour = colour_of(words[i]), shape = shape_of(words[i + 1]);
    if (colour >= 0 && shape >= 0) {
      ASSERT_FALSE(held_out(shape, colour)) << text;
    }
  }
}

// Whether the question is in the last phrasing of a list that begins like no other.
bool has_held_phrasing(const std::string& question) {
  std::string text = question;
  text[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(text[0])));
  constexpr const char* kHeld[] = {
      "what is shown",    "which color is", "which colour is",       "in the picture, where",
      "from the",         "which one is",   "how is the background", "which object in the",
      "which object lies"};
  return std::any_of(std::begin(kHeld), std::end(kHeld),
                     [&](const char* start) { return text.starts_with(start); });
}

void expect_training_is_clean(uint64_t count) {
  for (uint64_t index = 0; index < count; ++index) {
    const DrawSample draw = draw_sample(Split::train, index);
    expect_nothing_held(draw.scene, index);
    expect_no_pair_named(draw.prompt);
    ASSERT_FALSE(draw.held);
    const AskSample ask = ask_sample(Split::train, index);
    expect_nothing_held(ask.scene, index);
    expect_no_pair_named(ask.question);
    expect_no_pair_named(ask.answer);
    ASSERT_FALSE(ask.held);
    ASSERT_FALSE(has_held_phrasing(ask.question)) << ask.question;
    const auto& objects = ask.scene.objects;
    if (ask.kind == "relation" || ask.kind == "beside") {
      ASSERT_FALSE(held_out_relation(objects[0].shape, objects[1].shape)) << index;
    }
  }
}

TEST(Tasks, TrainingHoldsNothingHeldOut) { expect_training_is_clean(20000); }
TEST(FullTasks, TrainingHoldsNothingHeldOut) { expect_training_is_clean(1000000); }

TEST(Tasks, CodecSeesEveryPair) {
  std::set<std::pair<int, int>> pairs;
  std::map<size_t, int> counts;
  for (uint64_t index = 0; index < 5000; ++index) {
    const Scene scene = codec_scene(Split::train, index);
    ++counts[scene.objects.size()];
    for (const Object& object : scene.objects) pairs.insert({object.shape, object.colour});
  }
  EXPECT_EQ(pairs.size(), 200u);
  EXPECT_NEAR(counts[0], 200, 60);
  EXPECT_NEAR(counts[1], 2400, 150);
  EXPECT_NEAR(counts[2], 2400, 150);
}

TEST(Tasks, PlainPromptsAreTheTemplatesOfTheirScenes) {
  int held = 0, colours = 0;
  for (uint64_t index = 0; index < 5000; ++index) {
    const DrawSample sample = draw_sample(Split::test, index);
    ASSERT_EQ(sample.scene.objects.size(), 1u);
    const Object& object = sample.scene.objects[0];
    std::string words(shape_name(object.shape).one);
    if (sample.category == "colors") words = std::string(colour_name(object.colour)) + " " + words;
    const bool vowel = words[0] == 'a' || words[0] == 'o';
    EXPECT_EQ(sample.prompt, std::string("a photo of ") + (vowel ? "an " : "a ") + words);
    colours += sample.category == "colors";
    held += sample.held;
    EXPECT_EQ(sample.held, sample.category == "colors" && held_out(object.shape, object.colour));
  }
  EXPECT_NEAR(colours, 3250, 150);
  EXPECT_NEAR(static_cast<double>(held) / colours, .4, .04);
}

// Typing slips spoil at most a few.
TEST(Tasks, TypedPromptsParseBackToTheirScenes) {
  int unreadable = 0, capital = 0, stop = 0, please = 0, wrong_article = 0;
  for (uint64_t index = 0; index < 20000; ++index) {
    const DrawSample sample = draw_sample(Split::train, index);
    const Object& object = sample.scene.objects[0];
    const std::vector<std::string> words = words_of(sample.prompt);
    const std::vector<int> shapes = shapes_in(words), colours = colours_in(words);
    const bool named = sample.category == "colors";
    if (shapes.size() != 1 || colours.size() != (named ? 1u : 0u)) {
      ++unreadable;
      continue;
    }
    EXPECT_EQ(shapes[0], object.shape) << sample.prompt;
    if (named) {
      EXPECT_EQ(colours[0], object.colour) << sample.prompt;
    }
    capital += std::isupper(static_cast<unsigned char>(sample.prompt[0])) != 0;
    stop += sample.prompt.back() == '.';
    please += words.back() == "please";
    wrong_article += sample.prompt.find("an b") != sample.prompt.npos;
  }
  EXPECT_NEAR(unreadable / 20000.0, .012, .01);
  EXPECT_NEAR(capital / 20000.0, .3, .02);
  EXPECT_NEAR(stop / 20000.0, .2, .02);
  EXPECT_NEAR(please / 20000.0, .05, .01);
  EXPECT_GT(wrong_article, 10);
}

const Object* only(const Scene& scene, const auto& suits) {
  const Object* found = nullptr;
  for (const Object& object : scene.objects) {
    if (!suits(object)) continue;
    if (found) return nullptr;
    found = &object;
  }
  return found;
}

// The class named after "of the", "to the", "from the" and the like is what the place is told from.
int reference_in(const std::vector<std::string>& words) {
  static constexpr const char* kBefore[] = {"of", "to", "from", "above", "below"};
  for (size_t i = 2; i < words.size(); ++i) {
    if (shape_of(words[i]) < 0 || words[i - 1] != "the") continue;
    if (std::find(std::begin(kBefore), std::end(kBefore), words[i - 2]) != std::end(kBefore)) {
      return shape_of(words[i]);
    }
  }
  return -1;
}

std::string words_for(const Object& object) {
  return std::string(colour_name(object.colour)) + " " + std::string(shape_name(object.shape).one);
}

// The answer worked out again from the question's words and the scene; empty if not unique.
std::string solve_place(const Scene& scene, const std::string& kind,
                        const std::vector<std::string>& words) {
  const int reference = reference_in(words);
  const Object* from = only(scene, [&](const Object& o) { return o.shape == reference; });
  const Object* what = only(scene, [&](const Object& o) { return o.shape != reference; });
  if (!from || !what) return "";
  const auto holds = relation(*what, *from);
  if (!holds) return "";
  const std::string word(kRelations[static_cast<size_t>(*holds)]);
  if (kind == "relation") return word + " it";
  return std::find(words.begin(), words.end(), word.substr(0, word.find(' '))) != words.end()
             ? words_for(*what)
             : "";
}

std::string solve(const Scene& scene, const std::string& kind, const std::string& question) {
  const std::vector<std::string> words = words_of(question);
  const std::vector<int> shapes = shapes_in(words), colours = colours_in(words);
  const auto asked = [&](const Object& o) {
    return (shapes.empty() || o.shape == shapes[0]) && (colours.empty() || o.colour == colours[0]);
  };
  if (kind == "relation" || kind == "beside") return solve_place(scene, kind, words);
  if (kind == "backdrop") {
    return std::string(kPalettes[static_cast<size_t>(scene.palette)].name) + ", " +
           std::string(kBackdrops[static_cast<size_t>(scene.backdrop)]);
  }
  if (kind == "count") {
    const char* numbers[] = {"zero", "one", "two"};
    return numbers[std::count_if(scene.objects.begin(), scene.objects.end(), asked)];
  }
  if (kind == "exists") {
    return std::any_of(scene.objects.begin(), scene.objects.end(), asked) ? "yes" : "no";
  }
  if (kind == "bigger") {
    const Object &a = scene.objects[0], &b = scene.objects[1];
    if (std::set<int>(shapes.begin(), shapes.end()) != std::set<int>{a.shape, b.shape}) return "";
    const double ratio = a.r / b.r;
    if (ratio < 1.25 && ratio > .8) return "";
    return "the " + std::string(shape_name(ratio > 1 ? a.shape : b.shape).one);
  }
  const Object* object = only(scene, asked);
  if (!object) return "";
  if (kind == "what") return with_article(words_for(*object));
  if (kind == "colour") return std::string(colour_name(object->colour));
  if (kind == "shape") return std::string(shape_name(object->shape).one);
  return std::string(kCells[static_cast<size_t>(cell_of(*object))]);
}

TEST(Tasks, QuestionsHaveTheirOneAnswer) {
  int held_phrasings = 0;
  for (const Split split : {Split::val, Split::test}) {
    for (uint64_t index = 0; index < 10000; ++index) {
      const AskSample sample = ask_sample(split, index);
      ASSERT_EQ(solve(sample.scene, sample.kind, sample.question), sample.answer)
          << index << ": " << sample.question;
      ASSERT_TRUE(answer_right(sample.answer, sample));
      if (has_held_phrasing(sample.question)) {
        ASSERT_TRUE(sample.held) << sample.question;
        ++held_phrasings;
      }
    }
  }
  EXPECT_GT(held_phrasings, 1000);
}

TEST(Tasks, AnswersAreBalanced) {
  std::map<std::string, std::map<std::string, double>> share;
  std::map<std::string, double> total;
  constexpr int kSamples = 30000;
  for (uint64_t index = 0; index < kSamples; ++index) {
    const AskSample sample = ask_sample(Split::train, index);
    share[sample.kind][sample.answer] += 1;
    total[sample.kind] += 1;
  }
  EXPECT_EQ(total.size(), 10u);
  for (auto& [kind, answers] : share) {
    EXPECT_GT(total[kind] / kSamples, .05) << kind;
    for (auto& [answer, count] : answers) count /= total[kind];
  }
  EXPECT_NEAR(share["exists"]["yes"], .5, .03);
  for (const char* number : {"zero", "one", "two"})
    EXPECT_NEAR(share["count"][number], 1. / 3, .04);
  for (const auto cell : kCells) EXPECT_NEAR(share["where"][std::string(cell)], 1. / 9, .03);
  for (const auto word : kRelations) {
    EXPECT_NEAR(share["relation"][std::string(word) + " it"], .25, .05);
  }
  for (const auto& colour : kColours) {
    EXPECT_NEAR(share["colour"][std::string(colour.name)], .1, .02);
  }
}

TEST(Tasks, DrawingVerdict) {
  DrawSample sample;
  sample.scene.objects = {{3, 6, 0, 0, 20, 0}};
  sample.category = "colors";
  sample.said.mentions = {{.shape = 3, .colour = 6}};
  const Found pink_star{3, 6, 0, 0, 20, 1}, red_star{3, 0, 0, 0, 20, 1}, box{1, 6, 0, 0, 20, 1};
  EXPECT_TRUE(draw_right({0, 0, {pink_star}}, sample));
  EXPECT_FALSE(draw_right({0, 0, {red_star}}, sample));
  EXPECT_FALSE(draw_right({0, 0, {pink_star, box}}, sample));
  EXPECT_FALSE(draw_right({0, 0, {}}, sample));
  sample.category = "single_object";
  sample.said.mentions[0].colour = -1;
  EXPECT_TRUE(draw_right({0, 0, {red_star}}, sample));
  EXPECT_FALSE(draw_right({0, 0, {box}}, sample));
}

TEST(Tasks, AnswerVerdict) {
  const auto right = [](const char* kind, const char* truth, const char* answer) {
    AskSample sample;
    sample.kind = kind;
    sample.answer = truth;
    return answer_right(answer, sample);
  };
  EXPECT_TRUE(right("what", "a red ball", "A red ball."));
  EXPECT_TRUE(right("what", "a red ball", "red ball"));
  EXPECT_FALSE(right("what", "a red ball", "a red box"));
  EXPECT_FALSE(right("what", "a red ball", "a ball"));
  EXPECT_FALSE(right("what", "a red ball", "a red ball and a blue ball"));
  EXPECT_FALSE(right("what", "a red ball", ""));
  EXPECT_TRUE(right("count", "two", "2"));
  EXPECT_TRUE(right("count", "two", "There are Two"));
  EXPECT_FALSE(right("count", "two", "one or two"));
  EXPECT_TRUE(right("where", "top left", "at the top left"));
  EXPECT_FALSE(right("where", "top left", "top"));
  EXPECT_TRUE(right("relation", "left of it", "left"));
  EXPECT_FALSE(right("relation", "left of it", "left or right"));
  EXPECT_TRUE(right("exists", "no", "No, there is no ball"));
  EXPECT_FALSE(right("exists", "no", "yes"));
  EXPECT_TRUE(right("bigger", "the cup", "cup"));
  EXPECT_TRUE(right("backdrop", "sky, table", "sky table"));
  EXPECT_FALSE(right("backdrop", "sky, table", "sky, fade"));
  EXPECT_TRUE(right("colour", "orange", "It is orange!"));
  EXPECT_FALSE(right("no such kind", "", ""));
}

TEST(Tasks, TrueScenesPassTheDrawingVerdict) {
  const Detector detector(96);
  for (uint64_t index = 0; index < 200; ++index) {
    const DrawSample sample = draw_sample(Split::test, index);
    EXPECT_TRUE(draw_right(detector.detect(render(sample.scene, 96).image), sample)) << index;
  }
}

// Verdicts on the pictures of other prompts fall to chance: about one class in twenty.
TEST(Tasks, ShuffledPromptsFail) {
  const Detector detector(96);
  int right = 0;
  for (uint64_t index = 0; index < 300; ++index) {
    const Scene other = draw_sample(Split::test, index + 300).scene;
    right += draw_right(detector.detect(render(other, 96).image), draw_sample(Split::test, index));
  }
  EXPECT_LE(right, 15);
}

}  // namespace
}  // namespace janus
