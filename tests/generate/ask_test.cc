// Answers on the small golden checkpoint, against the reference's ids.
// SPDX-License-Identifier: MIT
#include "generate/ask.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "base/error.h"
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

TEST(Ask, PicturesReadOneByOneStandWhereThoseReadTogetherDo) {
  const std::vector<Image> images{photo(), load_image(golden("images/astronaut-64.png"))};
  const std::vector<Message> messages{{Role::user, kQuestion, 2}};
  const std::vector<int32_t> ids = tiny().prompts.read(messages);
  const OwnedTensor pixels = reading_pixels(tiny().model.config(), images);
  const int32_t image_id = tiny().prompts.ids().image;
  Workspace space;
  Trace trace;
  const OwnedTensor apart = embed_prompt(tiny().model, ids, image_id, pixels.view, space);
  const OwnedTensor together =
      embed_prompt(tiny().model, ids, image_id, pixels.view, space, &trace);
  const auto values = [](const OwnedTensor& x) {
    return std::vector<float>(x.view.f32(), x.view.f32() + x.view.count());
  };
  EXPECT_EQ(values(apart), values(together));
  const auto first = std::find(ids.begin(), ids.end(), image_id) - ids.begin();
  const auto row = [&](int64_t t) { return *apart.view.row(t); };
  EXPECT_NE(row(first), row(first + 64 + 2 + 1));  // another picture: after its marks and a newline
  EXPECT_EQ(ids[static_cast<size_t>(first + 64 + 2 + 1)], image_id);
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
