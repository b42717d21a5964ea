// Batches are functions of their number; codes and replies line up with the outputs that give them.
// SPDX-License-Identifier: MIT
#include "train/data.h"

#include <gtest/gtest.h>
#include <algorithm>
#include <chrono>
#include <cmath>
#include <map>

#include "base/error.h"
#include "files.h"
#include "io/file.h"
#include "io/special_tokens.h"
#include "train/inputs.h"
#include "train/row_source.h"
#include "train/vocabulary.h"
#include "world/tasks.h"

namespace janus::train {
namespace {

Recipe tiny(bool codec, const std::vector<std::string>& overrides = {}) {
  return parse_recipe(tiny_recipe(codec), "tiny", overrides);
}

PromptBuilder tiny_prompts() {
  return PromptBuilder(Tokenizer::load(golden("tiny-hf/tokenizer.json")), 16, std::string());
}

LanguageBatch first_batch(const Recipe& recipe, const PromptBuilder& prompts) {
  return language_batch(recipe, prompts, open_sources(recipe, prompts), 0);
}

// The places of the first batch that teach `task`, in the order of its rows.
std::vector<Slot> slots(const Recipe& recipe, Teaches task) {
  std::vector<Slot> all;
  for (int64_t place = 0; place < recipe.batch.micro; ++place) {
    const Slot slot = slot_of(recipe, static_cast<uint64_t>(place));
    if (slot.source->task == task) all.push_back(slot);
  }
  return all;
}

TEST(Data, SourcesGetTheirSharesInEveryRunOfPlaces) {
  const std::string data = R"([[data]]
path = "toyland/prompts"
task = "generate"
weight = 6.0
[[data]]
path = "toyland/open"
task = "understand"
weight = 3.0
samples = 10
[[data]]
path = "toyland/captions"
task = "understand"
weight = 1.0
)";
  std::string text = tiny_recipe(false);
  text = text.substr(0, text.find("[[data]]")) + data;
  const Recipe recipe = parse_recipe(text, "tiny");
  for (const uint64_t first : {uint64_t{0}, uint64_t{77}, uint64_t{12345678901}}) {
    std::map<std::string, int> counts;
    for (uint64_t place = first; place < first + 100; ++place) {
      const Slot slot = slot_of(recipe, place);
      ++counts[slot.source->stream];
      EXPECT_EQ(slot.index, slot.source->samples > 0 ? place % 10 : place);
    }
    EXPECT_NEAR(counts["prompts"], 60, 2);
    EXPECT_NEAR(counts["open"], 30, 2);
    EXPECT_NEAR(counts["captions"], 10, 2);
  }
}

// A place of a file's is told how many came before it, however far the training has gone.
TEST(Data, PlacesOfAFileAreCounted) {
  std::string text = tiny_recipe(false);
  text = text.substr(0, text.find("[[data]]")) +
         "[[data]]\npath = \"a.jsonl\"\nformat = \"jsonl\"\nweight = 0.7\n"
         "[[data]]\npath = \"toyland\"\ntask = \"understand\"\n"
         "[[data]]\npath = \"b.jsonl\"\nformat = \"jsonl\"\nweight = 1.9\n";
  const Recipe recipe = parse_recipe(text, "tiny");
  std::map<std::string, uint64_t> next = {{"a.jsonl", 0}, {"b.jsonl", 0}};
  uint64_t place = 0;
  const auto expect_counted = [&](uint64_t end) {
    for (; place < end; ++place) {
      const Slot slot = slot_of(recipe, place);
      if (!slot.source->from_file()) continue;
      ASSERT_EQ(slot.index, next.at(slot.source->path)++) << place;
    }
  };
  expect_counted(5000);
  EXPECT_NEAR(static_cast<double>(next.at("a.jsonl")), 5000 * 0.7 / 3.6, 2);
  place = 1'000'000'000'000;
  std::map<std::string, uint64_t> first;
  for (uint64_t at = place; first.size() < 2; ++at) {
    const Slot slot = slot_of(recipe, at);
    if (slot.source->from_file()) first.emplace(slot.source->path, slot.index);
  }
  EXPECT_NEAR(static_cast<double>(first.at("b.jsonl")), 1e12 * 1.9 / 3.6, 100);
  next = first;
  expect_counted(place + 1000);
}

TEST(Data, SourcesThatTheWorldLacksAreRefused) {
  const auto refused = [](const std::string& path) {
    std::string text = tiny_recipe(false);
    text = text.substr(0, text.find("[[data]]")) + "[[data]]\ntask = \"understand\"\npath = \"" +
           path + "\"\n";
    EXPECT_THROW(parse_recipe(text, "tiny"), Error) << path;
  };
  refused("toyland/dense");  // is drawn from, not read
  refused("toyland/");
  refused("toylands");
  refused("elsewhere");
}

TEST(Data, CodecBatchIsAFunctionOfItsNumber) {
  const Recipe recipe = tiny(true, {"codec.crop=16", "codec.crop_until=0.5"});
  const PictureBatch a = codec_batch(recipe, 0, 3);
  const PictureBatch b = codec_batch(recipe, 0, 3);
  EXPECT_EQ(a.pixels, b.pixels);
  EXPECT_EQ(a.side, 16);
  EXPECT_EQ(a.pixels.size(), static_cast<size_t>(8 * 3 * 16 * 16));
  EXPECT_EQ(a.coverage.size(), static_cast<size_t>(8 * 16 * 16));
  EXPECT_EQ(codec_batch(recipe, 4, 3).side, 32);  // half of the eight steps are over
  EXPECT_TRUE(
      std::all_of(a.pixels.begin(), a.pixels.end(), [](float v) { return v >= -1 && v <= 1; }));
}

TEST(Data, CropsShowTheirObject) {
  const Recipe recipe = parse_recipe(
      tiny_recipe(true), "tiny",
      std::vector<std::string>{"codec.crop=16", "codec.crop_until=1.0", "batch.micro=64"});
  const PictureBatch batch = codec_batch(recipe, 0, 0);
  int covered = 0;
  for (int64_t i = 0; i < batch.count; ++i) {
    const auto begin = batch.coverage.begin() + i * 16 * 16;
    covered += *std::max_element(begin, begin + 16 * 16) > 0.5f;
  }
  EXPECT_GE(covered, 48);  // scenes without objects are a few
}

// A row is a picture with the whole of it or some questions; no patch of it has a toy.
TEST(Data, DiagramsAreRowsToAnswer) {
  std::string text = tiny_recipe(false);
  text = text.substr(0, text.find("[[data]]"));
  for (const std::string stream : {"flows", "charts", "circuits"}) {
    text += "[[data]]\npath = \"toyland/" + stream + "\"\ntask = \"understand\"\nturns = 3\n";
  }
  const Recipe recipe = parse_recipe(
      text, "tiny", std::vector<std::string>{"batch.micro=12", "model.language.vocabulary=640"});
  const LanguageBatch batch = first_batch(recipe, tiny_prompts());
  ASSERT_EQ(batch.ask.size(), 12u);
  const auto side = static_cast<size_t>(recipe.model.config.image);
  for (const AskRow& row : batch.ask) {
    EXPECT_EQ(row.pixels.size(), 3 * side * side);
    EXPECT_EQ(std::count(row.covered.begin(), row.covered.end(), true), 0);
    EXPECT_EQ(row.shapes, std::vector<int64_t>(row.covered.size(), kShapeCount));
  }
}

TEST(Data, ConditionsAreDroppedAsOftenAsSaid) {
  const PromptBuilder prompts = tiny_prompts();
  const Recipe recipe =
      parse_recipe(tiny_recipe(false), "tiny",
                   std::vector<std::string>{"condition_drop=0.25", "batch.micro=800",
                                            "model.image=16", "model.language.vocabulary=640"});
  Recipe unbounded = recipe;
  for (Source& source : unbounded.data) source.samples = 0;
  const LanguageBatch batch = first_batch(unbounded, prompts);
  ASSERT_NEAR(static_cast<double>(batch.draw.size()), 400, 2);
  int dropped = 0;
  for (const DrawRow& row : batch.draw) {
    EXPECT_EQ(row.prompt.front(), prompts.ids().bos);
    EXPECT_EQ(row.prompt.back(), prompts.ids().boi);
    dropped += std::all_of(row.prompt.begin() + 1, row.prompt.end() - 1,
                           [&](int32_t id) { return id == prompts.ids().pad; });
  }
  EXPECT_NEAR(dropped, 100, 35);  // four standard deviations
}

TEST(Data, CodesAlignWithTheOutputsThatGiveThem) {
  Config config = tiny(false).model.config;
  config.image = 8;  // two codes a side: N = 4
  SpecialIds ids;
  ids.pad = 7;
  std::vector<DrawRow> rows(2);
  rows[0].prompt = {1, 5, 2};
  rows[1].prompt = {1, 5, 5, 2};
  const Inputs inputs = draw_inputs(rows, config, ids);
  const int64_t v = config.llama.vocabulary;
  EXPECT_EQ(inputs.length, 7);
  EXPECT_EQ(inputs.slots, (std::vector<int64_t>{1, 5, 2, v, v + 1, v + 2, 7,  //
                                                1, 5, 5, 2, v + 4, v + 5, v + 6}));
  EXPECT_EQ(inputs.at, (std::vector<int64_t>{2, 3, 4, 5, 10, 11, 12, 13}));
}

// Codes and patches with an object on them are those where the picture differs from its backdrop by
// more than a shadow.
TEST(Data, CoveredPlacesAreWhereTheObjectIs) {
  const PromptBuilder prompts = tiny_prompts();
  const Recipe recipe = tiny(false, {"model.language.vocabulary=640"});
  const LanguageBatch batch = first_batch(recipe, prompts);
  const int side = recipe.model.config.image, cell = recipe.model.config.vq.downsample();
  const int grid = side / cell;
  ASSERT_FALSE(batch.draw.empty());
  for (size_t i = 0; i < batch.draw.size(); ++i) {
    const std::vector<bool>& covered = batch.draw[i].covered;
    ASSERT_EQ(covered.size(), static_cast<size_t>(grid * grid));
    const uint64_t index = slots(recipe, Teaches::generate)[i].index;
    const Object object = draw_sample(Split::train, index).scene.objects.front();
    EXPECT_EQ(batch.draw[i].shapes, std::vector<int64_t>(covered.size(), object.shape));
    EXPECT_EQ(batch.draw[i].colours, std::vector<int64_t>(covered.size(), object.colour));
    for (int place = 0; place < grid * grid; ++place) {
      const double scale = kCanvas / grid;
      const double x = (place % grid + 0.5) * scale - object.cx;
      const double y = (place / grid + 0.5) * scale - object.cy;
      if (std::hypot(x, y) > object.r + scale) {
        EXPECT_FALSE(covered[static_cast<size_t>(place)]);
      }
    }
    EXPECT_TRUE(covered[static_cast<size_t>(object.cy / kCanvas * grid) * grid +
                        static_cast<size_t>(object.cx / kCanvas * grid)] ||
                object.shape == 8 || object.shape == 9)  // a ring and a moon are hollow there
        << i;
  }
  for (const AskRow& row : batch.ask) {
    ASSERT_EQ(row.covered.size(), row.shapes.size());
    for (size_t k = 0; k < row.shapes.size(); ++k) {
      EXPECT_EQ(row.covered[k], row.shapes[k] != kShapeCount);
    }
  }
}

TEST(Data, SupervisedTokensAreTheRepliesAndTheirEnds) {
  const PromptBuilder prompts = tiny_prompts();
  Recipe recipe = tiny(false, {"model.language.vocabulary=640", "batch.max_len=1000"});
  for (Source& source : recipe.data) source.turns = 3;
  const LanguageBatch batch = first_batch(recipe, prompts);
  ASSERT_FALSE(batch.ask.empty());
  for (size_t i = 0; i < batch.ask.size(); ++i) {
    const AskRow& row = batch.ask[i];
    const Inputs inputs = ask_inputs({&row, 1}, recipe.model.config, prompts.ids());
    std::string replies;
    const std::vector<AskSample> samples =
        ask_dialogue(Split::train, slots(recipe, Teaches::understand)[i].index, 3);
    EXPECT_GT(samples.size(), 1u);
    for (const AskSample& sample : samples) {
      replies.append(" ").append(sample.answer).append(kEosToken);
    }
    EXPECT_EQ(prompts.tokenizer().decode(
                  std::vector<int32_t>(inputs.labels.begin(), inputs.labels.end()), true),
              replies);
    for (size_t k = 0; k < inputs.at.size(); ++k) {
      EXPECT_EQ(row.dialogue.ids[static_cast<size_t>(inputs.at[k]) + 1], inputs.labels[k]);
    }
    // Up to its last question the dialogue is what the engine would be asked with.
    std::vector<Message> messages;
    for (const AskSample& sample : samples) {
      messages.push_back({Role::user, sample.question, messages.empty() ? 1 : 0});
      messages.push_back({Role::assistant, sample.answer, 0});
    }
    messages.pop_back();
    const std::vector<int32_t> asked = prompts.read(messages);
    ASSERT_LT(asked.size(), row.dialogue.ids.size());
    EXPECT_TRUE(std::equal(asked.begin(), asked.end(), row.dialogue.ids.begin()));
    EXPECT_EQ(std::count_if(inputs.slots.begin(), inputs.slots.end(),
                            [](int64_t slot) { return slot >= 640; }),
              16);
    EXPECT_EQ(row.shapes.size(), 16u);
  }
}

// Each code is told of the object nearest to it.
TEST(Data, CodesOfSeveralObjectsKnowTheirs) {
  const PromptBuilder prompts = tiny_prompts();
  Recipe recipe = tiny(false, {"model.language.vocabulary=640"});
  recipe.data[0].stream = "prompts";
  recipe.data[0].samples = 0;
  recipe.data.resize(1);
  const LanguageBatch batch = first_batch(recipe, prompts);
  int several = 0;
  for (size_t i = 0; i < batch.draw.size(); ++i) {
    const Scene scene = prompt_sample(Split::train, i).scene;
    several += scene.objects.size() > 1;
    const int grid = recipe.model.config.grid();
    for (const Object& object : scene.objects) {
      const auto cell = static_cast<size_t>(object.cy / kCanvas * grid) * grid +
                        static_cast<size_t>(object.cx / kCanvas * grid);
      EXPECT_EQ(batch.draw[i].shapes[cell], object.shape);
      EXPECT_EQ(batch.draw[i].colours[cell], object.colour);
    }
  }
  EXPECT_GT(several, 1);
}

std::string refusal(const std::vector<Message>& messages) {
  try {
    teach(tiny_prompts(), messages);
  } catch (const Error& error) {
    return error.what();
  }
  return "accepted";
}

TEST(Data, RepliesThatCannotBeToldApartAreRefused) {
  const Message one = {Role::user, "one", 0};
  const auto two = [](const std::string& text) { return Message{Role::assistant, text, 0}; };
  EXPECT_EQ(refusal({one, two("two"), one, two("four")}), "accepted");
  EXPECT_NE(refusal({one, two(" "), one, two("four")}).find("of 2 replies 2 begin and 1 end"),
            std::string::npos);
  EXPECT_NE(
      refusal({one, two(std::string("a") + std::string(kEosToken))}).find("1 begin and 2 end"),
      std::string::npos);
  EXPECT_NE(
      refusal({{Role::user, "<|Assistant|>: me", 0}, two("two")}).find("of 1 replies 2 begin"),
      std::string::npos);
  EXPECT_NE(refusal({one, two("two"), one}).find("ends with a reply"), std::string::npos);
  EXPECT_NE(refusal({}).find("ends with a reply"), std::string::npos);
}

// Whatever a reply begins with, it is supervised from its space on.
TEST(Data, RepliesBeginBehindTheColon) {
  const PromptBuilder prompts = tiny_prompts();
  for (const std::string text :
       {"Two", "3 red stars.", "(none)", "是", "é!", "...", ": :", "\"x"}) {
    const Dialogue dialogue =
        teach(prompts, std::vector<Message>{{Role::user, "One", 0}, {Role::assistant, text, 0}});
    std::vector<int32_t> taught;
    for (size_t i = 0; i < dialogue.ids.size(); ++i) {
      if (dialogue.taught[i]) taught.push_back(dialogue.ids[i]);
    }
    EXPECT_EQ(prompts.tokenizer().decode(taught, true), " " + text + std::string(kEosToken));
    const std::vector<int32_t> asked = prompts.read(std::vector<Message>{{Role::user, "One", 0}});
    ASSERT_EQ(asked.size() + taught.size(), dialogue.ids.size()) << text;
    EXPECT_TRUE(std::equal(asked.begin(), asked.end(), dialogue.ids.begin())) << text;
  }
}

TEST(Data, ShuffledReadsAllOfAFileBeforeAnyAgain) {
  for (const uint64_t count : {1u, 2u, 5u, 16u, 17u, 1000u}) {
    std::vector<std::vector<uint64_t>> orders;
    for (uint64_t round = 0; round < 3; ++round) {
      std::vector<uint64_t> order;
      for (uint64_t i = 0; i < count; ++i) order.push_back(shuffled(round * count + i, count, 7));
      std::vector<uint64_t> sorted = order;
      std::sort(sorted.begin(), sorted.end());
      for (uint64_t i = 0; i < count; ++i) EXPECT_EQ(sorted[i], i);
      orders.push_back(order);
    }
    if (count >= 16) {
      EXPECT_NE(orders[0], orders[1]);
      EXPECT_NE(shuffled(0, count, 7) == shuffled(0, count, 8) &&
                    shuffled(1, count, 7) == shuffled(1, count, 8),
                true);
    }
  }
}

// Rows of a file beside those of the world: by weight, each of the file's once before any again,
// a mixed file's rows by their own task.
TEST(Data, FilesAreSourcesLikeTheWorld) {
  const Folder folder("files");
  AtomicFile file(folder / "rows.jsonl");
  std::string codes = "[1";
  for (int i = 1; i < 64; ++i) codes += ",1";
  codes += "]";
  for (int i = 0; i < 4; ++i) {
    file.write(i % 2 == 0 ? "{\"prompt\": \"p" + std::to_string(i) +
                                "\", \"target_codes\": " + codes + "}\n"
                          : R"({"messages": [{"role": "user", "content": "q"}, )"
                            R"({"role": "assistant", "content": "a)" +
                                std::to_string(i) + "\"}]}\n");
  }
  file.commit();
  std::string text = tiny_recipe(false);
  text = text.substr(0, text.find("samples = 4\ntask = \"understand\"")) +
         "task = \"understand\"\n" + "[[data]]\nformat = \"jsonl\"\npath = \"" +
         (folder / "rows.jsonl").string() + "\"\n";
  const Recipe recipe = parse_recipe(
      text, "tiny",
      std::vector<std::string>{"model.image=64", "model.vision.patch=8", "batch.micro=12",
                               "model.vq.multipliers=[1, 2, 2, 2]", "batch.max_len=1000"});
  const PromptBuilder prompts(Tokenizer::load(golden("tiny-hf/tokenizer.json")), 64, std::string());
  const RowSources sources = open_sources(recipe, prompts);
  std::map<std::string, int> said;
  for (int64_t pass = 0; pass < 2; ++pass) {
    const LanguageBatch batch = language_batch(recipe, prompts, sources, pass);
    EXPECT_EQ(batch.draw.size() + batch.ask.size(), 12u);
    for (const DrawRow& row : batch.draw) {
      if (!row.codes.empty()) ++said[prompts.tokenizer().decode(row.prompt, false)];
    }
    for (const AskRow& row : batch.ask) {
      if (row.pixels.empty()) ++said[prompts.tokenizer().decode(row.dialogue.ids, false)];
    }
  }
  ASSERT_EQ(said.size(), 4u);
  for (const auto& [row, times] : said) EXPECT_NEAR(times, 2, 1) << row;  // a third of 24 places
  Recipe narrow = recipe;
  narrow.batch.max_len = 40;
  EXPECT_THROW(language_batch(narrow, prompts, sources, 0), Error);  // the world's fit nowhere
}

TEST(Data, AheadGivesItemsInOrderAndHandsOnFailures) {
  Ahead<int64_t> numbers(
      [](int64_t i) {
        check(i < 9, Code::bad_input, "nine is enough");
        return i * i;
      },
      5);
  for (int64_t i = 5; i < 9; ++i) EXPECT_EQ(numbers.next(), i * i);
  EXPECT_THROW(numbers.next(), Error);
  EXPECT_THROW(numbers.next(), Error);
}

// Whatever their number and whoever is first.
TEST(Data, WorkersDoNotChangeTheOrder) {
  for (const int64_t workers : {1, 3, 8}) {
    Ahead<int64_t> numbers(
        [](int64_t i) {
          std::this_thread::sleep_for(std::chrono::microseconds(i * 7919 % 500));
          return i;
        },
        100, workers);
    for (int64_t i = 100; i < 200; ++i) ASSERT_EQ(numbers.next(), i) << workers;
  }
}

}  // namespace
}  // namespace janus::train
