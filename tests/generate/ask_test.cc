// Answers on the small golden checkpoint, against the reference's ids.
// SPDX-License-Identifier: MIT
#include "generate/ask.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include "base/error.h"
#include "generate/observe.h"
#include "generate/tiny.h"
#include "io/image.h"
#include "io/safetensors.h"

namespace janus {
namespace {

constexpr const char* kQuestion = "What is shown in this image?";

Answer run(const AskRequest& request, const OnText& on_text = {}) {
  return ask({tiny().model, tiny().prompts, Dtype::f32}, request, on_text);
}

AskRequest question(const std::string& text, std::vector<Image> images = {}) {
  AskRequest request;
  request.messages.push_back({"user", text, std::move(images)});
  return request;
}

Image photo() { return load_image(golden("images/coffee-portrait.png")); }

std::vector<int32_t> stored_ids(const StoredTensor& tensor) {
  std::vector<int32_t> ids;
  for (size_t i = 0; i + 8 <= tensor.data.size(); i += 8) {
    ids.push_back(static_cast<int32_t>(std::to_integer<uint32_t>(tensor.data[i]) |
                                       std::to_integer<uint32_t>(tensor.data[i + 1]) << 8));
  }
  return ids;
}

TEST(Ask, PicturesAreReadByTheCheckpointsOwnRule) {
  Config config = tiny().model.config();
  config.preprocessing.mean = {0.25f, 0.5f, 0.5f};
  const auto side = static_cast<size_t>(config.vision.image);
  const Image image{.width = config.vision.image,
                    .height = config.vision.image,
                    .rgb = std::vector<uint8_t>(side * side * 3, 51)};
  const OwnedTensor pixels = reading_pixels(config, std::span(&image, 1));
  EXPECT_EQ(pixels.view.f32()[0], (0.2f - 0.25f) / 0.5f);
  EXPECT_EQ(pixels.view.f32()[1], (0.2f - 0.5f) / 0.5f);
}

TEST(Ask, GreedyAnswerIsTheReferences) {
  const StoredTensors reference = read_safetensors(golden("ask.safetensors"));
  const std::vector<int32_t> greedy = stored_ids(reference.at("greedy_ids"));
  AskRequest request = question(kQuestion, {photo()});
  request.max_tokens = static_cast<int>(greedy.size());
  const Answer answer = run(request);
  EXPECT_EQ(answer.text, tiny().prompts.tokenizer().decode(greedy, false));
  EXPECT_EQ(answer.prompt_tokens, reference.at("input_ids").shape[0]);
  EXPECT_EQ(answer.answer_tokens, static_cast<int64_t>(greedy.size()));
  EXPECT_EQ(answer.finish, Answer::Finish::length);
}

TEST(Ask, StreamedPiecesAreWholeCharactersAndTheAnswer) {
  AskRequest request = question("hi");
  request.max_tokens = 60;
  request.temperature = 1.5f;
  request.seed = 4;
  std::string joined;
  const Answer answer = run(request, [&](std::string_view piece) {
    if (!piece.empty()) {
      EXPECT_NE(static_cast<uint8_t>(piece[0]) & 0xC0, 0x80);  // no piece begins inside one
    }
    joined += piece;
    return true;
  });
  EXPECT_EQ(joined, answer.text);
  EXPECT_FALSE(answer.text.empty());
}

TEST(Ask, EveryTurnAndEveryPictureIsRead) {
  AskRequest request = question(kQuestion, {photo(), photo()});
  request.messages.push_back({"assistant", "A cup.", {}});
  request.messages.push_back({"user", "Which colour?", {photo()}});
  request.max_tokens = 1;
  const std::vector<Message> messages{
      {Role::user, kQuestion, 2}, {Role::assistant, "A cup.", 0}, {Role::user, "Which colour?", 1}};
  const Answer answer = run(request);
  EXPECT_EQ(answer.prompt_tokens, static_cast<int64_t>(tiny().prompts.read(messages).size()));
  EXPECT_GT(answer.prompt_tokens, 3 * 64);
}

// The trace reads all pictures at once and by another path.
TEST(Ask, SeveralPicturesStandInTheirOrder) {
  AskRequest request =
      question(kQuestion, {photo(), load_image(golden("images/china-progressive.jpg"))});
  request.max_tokens = 12;
  const std::vector<int32_t> ids =
      tiny().prompts.read(std::vector<Message>{{Role::user, kQuestion, 2}});
  Trace trace;
  observe_ask(tiny().model, tiny().prompts.ids(), ids, request.messages[0].images, 12, Dtype::f32,
              trace);
  const auto& bytes = trace.entries().at("greedy_ids").bytes;
  std::vector<int32_t> greedy;
  for (size_t i = 0; i < bytes.size(); i += sizeof(int64_t)) {
    int64_t id = 0;
    std::memcpy(&id, bytes.data() + i, sizeof id);
    greedy.push_back(static_cast<int32_t>(id));
  }
  const std::string text = run(request).text;
  EXPECT_EQ(text, tiny().prompts.tokenizer().decode(greedy, false));
  std::swap(request.messages[0].images[0], request.messages[0].images[1]);
  EXPECT_NE(run(request).text, text);
}

TEST(Ask, AnEmptySystemPromptDisablesIt) {
  AskRequest request = question("hi");
  request.max_tokens = 1;
  const int64_t usual = run(request).prompt_tokens;
  request.system = "";
  const int64_t without = run(request).prompt_tokens;
  EXPECT_LT(without, usual);
  request.system = std::string(default_system_prompt());
  EXPECT_EQ(run(request).prompt_tokens, usual);
}

TEST(Ask, SeedDecidesTheAnswer) {
  AskRequest request = question("hi");
  request.max_tokens = 20;
  request.temperature = 1;
  request.seed = 8;
  const std::string first = run(request).text;
  EXPECT_EQ(run(request).text, first);
  request.seed = 9;
  EXPECT_NE(run(request).text, first);
}

TEST(Ask, StopStringsEndTheAnswerAndAreNotPartOfIt) {
  AskRequest request = question(kQuestion);
  request.max_tokens = 40;
  const std::string whole = run(request).text;
  ASSERT_GT(whole.size(), 8u);
  const size_t middle = whole.find_first_not_of("\x80\xBF", whole.size() / 2);
  std::string stop = whole.substr(middle, 3);
  request.stop = {"never there", stop};
  const Answer answer = run(request);
  EXPECT_EQ(answer.finish, Answer::Finish::stop);
  EXPECT_EQ(answer.text, whole.substr(0, whole.find(stop)));
}

TEST(Ask, PicturesReadOneByOneAreThoseReadTogether) {
  const std::vector<Image> images{photo(), load_image(golden("images/astronaut-64.png"))};
  const Config& config = tiny().model.config();
  const OwnedTensor pixels = reading_pixels(config, images);
  const int64_t tokens = config.vision.tokens();
  OwnedTensor together(Dtype::f32, {2 * tokens, config.llama.width});
  Workspace space;
  tiny().model.read_images(pixels.view, space, together.view);
  const auto values = [](Tensor x) { return std::vector<float>(x.f32(), x.f32() + x.count()); };
  for (int64_t i = 0; i < 2; ++i) {
    const OwnedTensor alone = read_picture(tiny().model, images[static_cast<size_t>(i)], space);
    EXPECT_EQ(values(alone.view), values(together.view.slice(i * tokens, tokens)));
  }
}

TEST(Ask, VectorsOfPicturesStandInTheirPlaces) {
  const std::vector<Message> messages{{Role::user, kQuestion, 2}};
  const std::vector<int32_t> ids = tiny().prompts.read(messages);
  const int32_t image_id = tiny().prompts.ids().image;
  const int64_t width = tiny().model.config().llama.width;
  OwnedTensor vectors(Dtype::f32, {2 * 64, width});
  for (int64_t i = 0; i < vectors.view.count(); ++i) {
    vectors.view.f32()[i] = 1000 + static_cast<float>(i);
  }
  const OwnedTensor x = embed_prompt(tiny().model, ids, image_id, vectors.view);
  float next = 1000;
  for (size_t t = 0; t < ids.size(); ++t) {
    const float* row = x.view.row(static_cast<int64_t>(t));
    if (ids[t] != image_id) {
      EXPECT_LT(row[0], 1000);
      continue;
    }
    EXPECT_EQ(row[0], next);
    next += static_cast<float>(width);
    EXPECT_EQ(row[width - 1], next - 1);
  }
  EXPECT_EQ(next, 1000 + static_cast<float>(vectors.view.count()));
  EXPECT_THROW(embed_prompt(tiny().model, ids, image_id, vectors.view.slice(0, 64)), Error);
  EXPECT_THROW(embed_prompt(tiny().model, ids, image_id, {}), Error);
}

std::string refusal(const AskRequest& request) {
  try {
    run(request);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::bad_input);
    return error.what();
  }
  return "accepted";
}

TEST(Ask, RefusesWithTheCause) {
  std::string text;
  for (int i = 0; i < 17000; ++i) text += "x ";
  EXPECT_NE(refusal(question(text)).find("context is 16384"), std::string::npos);
  EXPECT_NE(refusal({}).find("no message"), std::string::npos);
  AskRequest order = question("hi");
  order.messages[0].role = "assistant";
  EXPECT_NE(refusal(order).find("\"user\" is due"), std::string::npos);
  AskRequest two = question("hi");
  two.messages.push_back({"assistant", "hello", {}});
  EXPECT_NE(refusal(two).find("take turns"), std::string::npos);
  EXPECT_NE(refusal(question("<image_placeholder> and <image_placeholder>", {photo()})),
            "accepted");
}

TEST(Ask, StopsWhenToldAndCanGoOn) {
  AskRequest request = question("hi");
  request.max_tokens = 50;
  int pieces = 0;
  try {
    run(request, [&](std::string_view) { return ++pieces < 3; });
    FAIL() << "was not stopped";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::cancelled);
  }
  EXPECT_EQ(pieces, 3);
  request.max_tokens = 1;
  EXPECT_EQ(run(request).answer_tokens, 1);
}

}  // namespace
}  // namespace janus
