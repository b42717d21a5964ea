// Memory told before it is taken: what is told equals what the work then allocates, more fits by
// doing less at once, and what is refused is refused with settings that do fit.
// SPDX-License-Identifier: MIT
#include "generate/plan.h"

#include <gtest/gtest.h>

#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/error.h"
#include "generate/ask.h"
#include "generate/draw.h"
#include "generate/state.h"
#include "generate/tiny.h"

namespace janus {
namespace {

constexpr int64_t kPlenty = int64_t{1} << 40;

Setup setup(int64_t allowed = 0, Dtype type = Dtype::f32, const Parts& parts = {}) {
  const Model& model = tiny().model;
  const std::shared_ptr<const Backend> backend(&model.backend(), [](const Backend*) {});
  Setup made = make_setup(model.config(), backend, type, type, parts, allowed);
  made.program_bytes = 0;  // so that small sizes tell
  return made;
}

std::vector<DrawRequest> prompts(std::initializer_list<const char*> texts, int images,
                                 float guidance = 5) {
  std::vector<DrawRequest> requests;
  for (const char* text : texts) {
    requests.push_back({.prompt = text, .images = images, .guidance = guidance});
  }
  return requests;
}

MemoryPlan plan_of(const Setup& setup, const std::vector<DrawRequest>& requests, int at_once) {
  return plan_drawing(setup, *draw_order(setup.config, tiny().prompts, requests), at_once);
}

AskRequest question(const std::string& text, int images, int max_tokens) {
  ChatMessage message{.role = "user", .text = text, .images = {}};
  const Image grey{.width = 90, .height = 60, .rgb = std::vector<uint8_t>(90 * 60 * 3, 127)};
  message.images.assign(static_cast<size_t>(images), grey);
  AskRequest request;
  request.messages.push_back(std::move(message));
  request.max_tokens = max_tokens;
  return request;
}

MemoryPlan plan_of(const Setup& setup, const AskRequest& request) {
  return plan_asking(setup, answer_shape(setup.config, tiny().prompts, request));
}

// Whether a cache of that many blocks holds these pictures to their ends, as draw.cc runs them.
bool blocks_suffice(std::span<const PromptRows* const> order, const BatchShape& shape,
                    int64_t blocks) {
  const Model& model = tiny().model;
  KvCache cache(model.backend(), model.config().llama, Dtype::f32, static_cast<int>(2 * shape.rows),
                shape.positions, blocks);
  std::map<std::vector<int32_t>, int32_t> roots;
  std::vector<int32_t> sequences;
  try {
    for (const PromptRows* prompt : order) {
      for (const auto* ids : {&prompt->guided, &prompt->unguided}) {
        if (ids->empty()) continue;
        const auto [root, is_new] = roots.try_emplace(*ids, 0);
        if (is_new) {
          root->second = cache.add();
          cache.extend(root->second, std::ssize(*ids));
        }
        sequences.push_back(cache.fork(root->second));
      }
    }
    for (const auto& [ids, root] : roots) cache.remove(root);
    for (int64_t i = 0; i + 1 < model.config().image_tokens(); ++i) {
      for (const int32_t sequence : sequences) cache.extend(sequence, 1);
    }
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::busy) << error.what();
    return false;
  }
  EXPECT_EQ(std::ssize(sequences), shape.rows);
  return true;
}

TEST(Plan, BlocksOfABatchAreThoseThatDrawingNeeds) {
  const std::string longer(90, 'x');
  for (const auto& requests :
       {prompts({"blue"}, 1), prompts({"blue"}, 5), prompts({"blue", "a red ball", "blue"}, 2),
        prompts({"blue", "a red ball"}, 2, 1), prompts({"blue"}, 3, 0),
        prompts({longer.c_str(), "blue"}, 2), prompts({longer.c_str()}, 3, 1)}) {
    const Config& config = tiny().model.config();
    const auto asked = draw_order(config, tiny().prompts, requests);
    const auto order = rows_of_pictures(*asked);
    const BatchShape shape = batch_shape(config, order);
    EXPECT_TRUE(blocks_suffice(order, shape, shape.blocks));
    EXPECT_FALSE(blocks_suffice(order, shape, shape.blocks - 1));
  }
}

// The workspace that was told is enough for every pass: from the first code on nothing is allocated
// but the pixels of each picture; the backend's own memory has grown in a drawing before.
TEST(Plan, TheWorkspaceIsTakenOnce) {
  const auto requests = prompts({"blue", "a red ball"}, 3);
  int64_t at_first_code = 0;
  const OnPicture pass = [](const Picture&) {};
  const OnStep on_step = [&](const Progress& progress) {
    const bool first = progress.phase == Progress::Phase::codes && at_first_code == 0;
    if (first) at_first_code = Buffer::allocations();
    return true;
  };
  const Drawing drawing{tiny().model, tiny().prompts, Dtype::f32, 6};
  draw(drawing, requests, pass);
  draw(drawing, requests, pass, on_step);
  EXPECT_EQ(Buffer::allocations(), at_first_code + 6);
}

TEST(Plan, FewerAtOnceWhereMemoryIsShort) {
  const auto requests = prompts({"blue", "a red ball"}, 8);
  const MemoryPlan all = plan_of(setup(kPlenty), requests, 16);
  EXPECT_TRUE(all.fits());
  EXPECT_EQ(all.pictures_at_once, 16);
  EXPECT_TRUE(all.refusal.empty());
  EXPECT_EQ(plan_of(setup(kPlenty), requests, 5).pictures_at_once, 5);
  EXPECT_EQ(plan_of(setup(kPlenty), prompts({"blue"}, 3), 8).pictures_at_once, 3);
  int before = 16;
  for (int64_t allowed = all.total(); before > 1; allowed -= 100'000) {
    const MemoryPlan plan = plan_of(setup(allowed), requests, 16);
    ASSERT_TRUE(plan.fits()) << allowed;
    EXPECT_LE(plan.total(), allowed);
    EXPECT_LE(plan.pictures_at_once, before);
    before = plan.pictures_at_once;
    if (plan.pictures_at_once == 16) continue;
    // One more would not have fitted.
    const MemoryPlan more = plan_of(setup(kPlenty), requests, plan.pictures_at_once + 1);
    EXPECT_GT(more.total(), allowed) << plan.pictures_at_once;
  }
}

TEST(Plan, PlacesAreWhatMemoryAllows) {
  EXPECT_EQ(together(setup(kPlenty)), kMostTogether);
  EXPECT_EQ(together(setup(1)), 1);
  const auto reading = setup(kPlenty, Dtype::f32, kReadingParts);
  EXPECT_EQ(together(reading), kMostTogether);
  for (const Parts& parts : {Parts{}, kReadingParts}) {
    int before = kMostTogether;
    std::set<int> seen;
    for (int64_t left = 300'000'000; left > 0; left -= 500'000) {
      auto held = setup(0, Dtype::f32, parts);
      held.allowed = held.weight_bytes + left;
      const int now = together(held);
      EXPECT_LE(now, before);
      seen.insert(now);
      before = now;
    }
    EXPECT_EQ(before, 1);
    EXPECT_GT(seen.size(), 4u);  // not all or nothing
  }
}

// Sizes in a text, "1.25 MB" -> bytes.
double bytes_in(const std::string& text) {
  const double value = std::stod(text);
  return value * (text.find("GB") != text.npos ? 1e9 : text.find("MB") != text.npos ? 1e6 : 1e3);
}

// What each way that a refusal offers is said to take.
std::vector<double> offered(const std::string& refusal) {
  std::vector<double> sizes;
  const size_t begin = refusal.find("what fits: ");
  for (size_t at = begin; at != refusal.npos; at = refusal.find("; ", at + 1)) {
    const size_t end = std::min(refusal.find(';', at + 1), refusal.size());
    sizes.push_back(bytes_in(refusal.substr(refusal.rfind(", ", end) + 2)));
  }
  return sizes;
}

void expect_refused(const MemoryPlan& plan, std::initializer_list<const char*> words) {
  EXPECT_FALSE(plan.fits());
  for (const char* word : words) {
    EXPECT_NE(plan.refusal.find(word), std::string::npos) << word << " in\n" << plan.refusal;
  }
  for (const double size : offered(plan.refusal)) {
    EXPECT_LE(size, static_cast<double>(plan.limit) * 1.005) << plan.refusal;
  }
  try {
    check_fits(plan);
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::out_of_memory);
    EXPECT_EQ(error.what(), plan.refusal);
  }
}

TEST(Plan, ADrawingThatDoesNotFitIsRefusedWithWhatDoes) {
  const auto requests = prompts({"blue"}, 4);
  const MemoryPlan one = plan_of(setup(kPlenty), requests, 1);
  const MemoryPlan refused = plan_of(setup(one.total() - 1), requests, 8);
  expect_refused(refused, {"drawing 4 pictures, one at a time, takes", "weights", "(f32)",
                           "are allowed (--memory)", "--kv bf16", "--type bf16",
                           "only the half that draws", "3 pictures in one call"});
  EXPECT_NE(refused.refusal.find("weights in q8_0 (--type q8_0)"), std::string::npos);
  EXPECT_NE(refused.refusal.find("weights in q4_0 (--type q4_0)"), std::string::npos);
  EXPECT_NE(refused.refusal.find("keys and values in 8 bits (--kv q8)"), std::string::npos);
  EXPECT_EQ(offered(refused.refusal).size(), 8u) << refused.refusal;
  const int64_t half = plan_of(setup(kPlenty, Dtype::bf16, kDrawingParts), requests, 1).total();
  expect_refused(plan_of(setup(half), requests, 8), {"that half in bf16"});
  expect_refused(plan_of(setup(1000), requests, 8), {"no setting is small enough", "the least is"});
  const MemoryPlan small = plan_of(setup(1000, Dtype::bf16, kDrawingParts), requests, 8);
  EXPECT_EQ(small.refusal.find("--kv"), std::string::npos) << small.refusal;
}

TEST(Plan, WhatIsKeptStaysOnlyWhereItFits) {
  const auto requests = prompts({"blue"}, 4);
  const AskRequest asked = question("What is this?", 1, 20);
  janus::Setup roomy = setup(kPlenty);
  roomy.kept = 1000;
  const int64_t drawing = plan_of(setup(kPlenty), requests, 4).total();
  const int64_t asking = plan_of(setup(kPlenty), asked).total();
  EXPECT_EQ(plan_of(roomy, requests, 4).total(), drawing + 1000);
  EXPECT_EQ(plan_of(roomy, asked).total(), asking + 1000);
  janus::Setup tight = setup(drawing + 999);
  tight.kept = 1000;
  const MemoryPlan without = plan_of(tight, requests, 4);
  EXPECT_EQ(without.kept, 0);
  EXPECT_EQ(without.pictures_at_once, 4);  // it goes before pictures have to wait
  tight = setup(asking);
  tight.kept = 1000;
  EXPECT_TRUE(plan_of(tight, asked).fits());
}

TEST(Plan, AQuestionThatDoesNotFitIsRefusedWithWhatDoes) {
  const AskRequest asked = question("What is this?", 3, 200);
  const MemoryPlan whole = plan_of(setup(kPlenty), asked);
  EXPECT_TRUE(whole.fits());
  const MemoryPlan refused = plan_of(setup(whole.total() - 1), asked);
  expect_refused(refused,
                 {"and 3 pictures with an answer of up to 200 tokens takes", "--max-tokens ",
                  "2 pictures in one question", "only the half that reads"});
  // The answer that it offers does fit, and a longer one does not.
  const size_t at = refused.refusal.find("--max-tokens ") + std::string("--max-tokens ").size();
  const int tokens = std::stoi(refused.refusal.substr(at));
  EXPECT_TRUE(plan_of(setup(whole.total() - 1), question("What is this?", 3, tokens)).fits());
  EXPECT_FALSE(plan_of(setup(whole.total() - 1), question("What is this?", 3, tokens + 1)).fits());
  expect_refused(plan_of(setup(1000), asked), {"no setting is small enough"});
}

TEST(Plan, AModelThatDoesNotFitIsRefusedBeforeItIsRead) {
  const int64_t whole = plan_loading(setup(kPlenty)).total();
  EXPECT_TRUE(plan_loading(setup(whole)).fits());
  expect_refused(plan_loading(setup(whole - 1)),
                 {"loading this model takes", "--type bf16", "half that reads", "half that draws"});
}

TEST(Plan, WrongRequestsAreToldAsBefore) {
  EXPECT_THROW(plan_of(setup(), prompts({"x"}, 0), 8), Error);
  EXPECT_THROW(plan_of(setup(), question("x", 0, 0)), Error);
  EXPECT_THROW(plan_of(setup(), question(std::string(100000, 'x'), 0, 5)), Error);
}

}  // namespace
}  // namespace janus
