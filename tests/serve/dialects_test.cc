// Requests in every dialect and what becomes of them: pairs in files under tests/serve/pairs, each
// a list of {"request", and "becomes" or "refused"}; and results as each dialect tells them.
// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "made_up.h"
#include "serve/a1111.h"
#include "serve/openai_chat.h"
#include "serve/openai_embeddings.h"
#include "serve/openai_images.h"

namespace janus::serve {
namespace {

std::filesystem::path pairs() {
  return std::filesystem::path(JANUSPRO_SOURCE_DIR) / "tests" / "serve" / "pairs";
}

OrderedJson drawing_json(const DrawCall& call) {
  return {{"prompt", call.request.prompt},
          {"negative", call.request.negative},
          {"images", call.request.images},
          {"seed", call.request.seed},
          {"guidance", call.request.guidance.value_or(-1)},
          {"temperature", call.request.temperature},
          {"top_k", call.request.top_k},
          {"top_p", call.request.top_p},
          {"width", call.form.width},
          {"height", call.form.height},
          {"url", call.form.as_url},
          {"format", call.form.format},
          {"quality", call.form.options.quality},
          {"stream", call.stream},
          {"partials", call.partials},
          {"ignored", call.ignored}};
}

OrderedJson chat_call_json(const ChatCall& call) {
  OrderedJson messages = OrderedJson::array();
  for (const ChatMessage& message : call.request.messages) {
    messages.push_back({message.role, message.text, message.images.size()});
  }
  return {{"messages", std::move(messages)},
          {"system", call.request.system ? OrderedJson(*call.request.system) : OrderedJson()},
          {"max_tokens", call.request.max_tokens},
          {"temperature", call.request.temperature},
          {"top_p", call.request.top_p},
          {"top_k", call.request.top_k},
          {"seed", call.request.seed},
          {"stop", call.request.stop},
          {"logprobs", call.request.logprobs},
          {"choices", call.choices},
          {"stream", call.stream},
          {"usage", call.usage},
          {"image_tokens", call.image_tokens},
          {"ignored", call.ignored}};
}

OrderedJson embed_call_json(const EmbedCall& call) {
  OrderedJson texts = OrderedJson::array(), pictures = OrderedJson::array();
  for (const EmbedRequest& request : call.requests) {
    texts.push_back(request.text);
    pictures.push_back(request.images.size());
  }
  return {{"texts", std::move(texts)},
          {"pictures", std::move(pictures)},
          {"base64", call.base64},
          {"ignored", call.ignored}};
}

OrderedJson parsed(const std::string& dialect, const Json& request) {
  const Json body = request.is_string() ? parse_json(request.get<std::string>()) : request;
  if (dialect == "chat") return chat_call_json(parse_chat(body, made_up()));
  if (dialect == "embeddings") return embed_call_json(parse_embeddings(body, made_up()));
  if (dialect == "images") return drawing_json(parse_generation(body, made_up()));
  return drawing_json(parse_txt2img(body, made_up()).draw);
}

// What a pair says must be so; what it does not say may be anything.
void expect_pair(const std::string& dialect, const Json& pair) {
  const std::string shown = dialect + ": " + pair["request"].dump();
  try {
    const Json becomes = parsed(dialect, pair["request"]);
    ASSERT_TRUE(pair.contains("becomes")) << shown << "\n" << becomes;
    for (const auto& [name, value] : pair["becomes"].items()) {
      EXPECT_EQ(becomes[name], value) << shown << "\n" << name;
    }
  } catch (const Refusal& refusal) {
    ASSERT_TRUE(pair.contains("refused")) << shown << "\n" << refusal.what();
    const Json expected = pair["refused"];
    EXPECT_EQ(refusal.status, expected[0]) << shown;
    EXPECT_EQ(refusal.code, expected[1]) << shown << "\n" << refusal.what();
    EXPECT_EQ(refusal.param, expected[2]) << shown << "\n" << refusal.what();
    EXPECT_GT(std::string(refusal.what()).size(), 10u);
  }
}

TEST(Dialects, RequestsBecomeWhatTheirPairsSay) {
  int count = 0;
  for (const std::string dialect : {"chat", "images", "a1111", "embeddings"}) {
    std::ifstream file(pairs() / (dialect + ".json"));
    ASSERT_TRUE(file.is_open()) << dialect;
    for (const Json& pair : Json::parse(file)) {
      expect_pair(dialect, pair);
      ++count;
    }
  }
  EXPECT_GT(count, 60);
}

TEST(Dialects, AnAnswerIsToldAsOpenAiTellsIt) {
  ChatCall call;
  call.logprobs = true;
  call.usage = true;
  call.image_tokens = 576;
  const ChatReply reply{"chatcmpl-1", 7, "janus", "januspro-0123", 99};
  Answer answer;
  answer.text = "Hi";
  answer.finish = Answer::Finish::length;
  answer.prompt_tokens = 600;
  answer.cached_tokens = 20;
  answer.answer_tokens = 2;
  answer.tokens = {{{"Hi", -0.5f}, {{"Hi", -0.5f}, {"\xff", -2.f}}}};
  const std::vector<Answer> answers = {answer};
  std::ifstream file(pairs() / "answers.json");
  const Json expected = Json::parse(file);
  const auto same = [&](const char* name, const OrderedJson& json) {
    EXPECT_EQ(Json::parse(dump(json)), expected[name]) << name << "\n" << dump(json);
  };
  same("whole", chat_json(reply, call, answers));
  same("begin", chat_begin(reply, call, 0));
  same("piece", chat_piece(reply, call, 1, "H", answer.tokens));
  same("finish", chat_finish(reply, call, 1, answer));
  same("usage", chat_usage(reply, call, answers));
  same("model", model_json(made_up()));

  EmbedCall embedding;
  same("embeddings", embeddings_json(embedding, made_up(), {{{.5f, -1}, 3}, {{.25f, 0}, 4}}));
  embedding.base64 = true;
  same("packed", embeddings_json(embedding, made_up(), {{{.5f, -1}, 3}}));

  DrawCall drawing;
  drawing.form.size_field = "512x512";
  const DrawUsage usage{5, 0, 1152};
  same("images",
       images_json(drawing, made_up(), 7, {{3, "abc", ""}, {4, "", "http://x/y.png"}}, usage));
  same("partial", partial_json(drawing, made_up(), "image_generation", 7,
                               {.index = 1, .number = 2, .rows = 18}, "abc"));
  same("completed",
       completed_json(drawing, made_up(), "image_generation", 7, 1, {4, "abc", ""}, usage));
}

TEST(Dialects, A1111sRepliesHaveWhatItsClientsRead) {
  const SdCall call =
      parse_txt2img({{"prompt", "a cat"}, {"seed", 5}, {"batch_size", 2}}, made_up());
  const Json reply = Json::parse(
      dump(txt2img_json(call, made_up(), "20260101", {{5, "abc", ""}, {6, "abd", ""}})));
  EXPECT_EQ(reply["images"], (Json{"YWJj", "YWJk"}));
  EXPECT_EQ(reply["parameters"]["prompt"], "a cat");
  const Json info = Json::parse(reply["info"].get<std::string>());
  EXPECT_EQ(info["all_seeds"], (Json{5, 6}));
  EXPECT_EQ(info["width"], 512);
  EXPECT_NE(info["infotexts"][1].get<std::string>().find("Seed: 6"), std::string::npos);
  const Json idle = progress_json({});
  EXPECT_EQ(idle["progress"], 0.0);
  EXPECT_EQ(idle["state"]["job_count"], 0);
}

}  // namespace
}  // namespace janus::serve
