// Embeddings: the mean of the language tower's last hidden states, whatever runs beside.
// SPDX-License-Identifier: MIT
#include "generate/embed.h"

#include <gtest/gtest.h>

#include <cmath>
#include <string>

#include "base/error.h"
#include "generate/state.h"
#include "generate/tiny.h"
#include "io/image.h"

namespace janus {
namespace {

Asking asking(RunningBatch* batch = nullptr) {
  return {tiny().model, tiny().prompts, Dtype::f32, batch};
}

// The same told once more, in one piece and by another path.
std::vector<float> expected(const EmbedRequest& request) {
  const std::vector<int32_t> ids = embedding_ids(tiny().model.config(), tiny().prompts, request);
  Workspace space;
  const OwnedTensor pixels = reading_pixels(tiny().model.config(), request.images);
  const int64_t width = tiny().model.config().llama.width;
  const int64_t rows = std::ssize(request.images) * tiny().prompts.image_tokens();
  OwnedTensor vectors(Dtype::f32, {std::max<int64_t>(rows, 1), width});
  if (rows > 0) tiny().model.read_images(pixels.view, space, vectors.view);
  OwnedTensor x = embed_prompt(tiny().model, ids, tiny().prompts.ids().image,
                               rows > 0 ? vectors.view : vectors.view.slice(0, 0));
  const auto length = std::ssize(ids);
  State state(tiny().model, Dtype::f32, 1, length, KvCache::blocks_for(length));
  state.prefill(state.cache().add(), x.view);
  std::vector<double> sum(static_cast<size_t>(width));
  double square = 0;
  for (size_t i = 0; i < sum.size(); ++i) {
    for (int64_t t = 0; t < length; ++t) sum[i] += static_cast<double>(x.view.row(t)[i]);
    square += sum[i] * sum[i];
  }
  std::vector<float> values;
  for (const double value : sum) values.push_back(static_cast<float>(value / std::sqrt(square)));
  return values;
}

std::vector<EmbedRequest> several() {
  const Image cup = load_image(golden("images/coffee-portrait.png"));
  const Image man = load_image(golden("images/astronaut-64.png"));
  std::string much;
  for (int i = 0; i < 300; ++i) much += "word after word ";
  return {{"a red ball", {}},
          {"", {cup}},
          {"between <image_placeholder> and <image_placeholder>", {cup, man}},
          {much, {}},
          {"", {}}};
}

TEST(Embed, IsTheMeanOfTheLastHiddenStates) {
  for (const EmbedRequest& request : several()) {
    const Embedding embedding = embed(asking(), request);
    EXPECT_EQ(embedding.values, expected(request)) << request.text.substr(0, 20);
    EXPECT_EQ(embedding.prompt_tokens,
              std::ssize(embedding_ids(tiny().model.config(), tiny().prompts, request)));
    double square = 0;
    for (const float value : embedding.values) square += static_cast<double>(value) * value;
    EXPECT_NEAR(square, 1, 1e-5);
  }
}

TEST(Embed, DoesNotDependOnWhatRunsBeside) {
  RunningBatch batch(tiny().model, Dtype::f32, 600, true);
  std::vector<Embedding> made;
  const std::vector<EmbedRequest> requests = several();
  made.resize(requests.size());
  AskRequest question;
  question.messages = {{"user", "hi", {}}};
  question.max_tokens = 30;
  std::string said;
  batch.join(
      make_asking(
          batch.shared(), tiny().prompts, std::make_shared<const AskRequest>(question),
          [&](std::string_view) { return true; }, [&](Answer answer) { said = answer.text; }),
      [](const std::exception_ptr& failure) { EXPECT_FALSE(failure); });
  for (size_t i = 0; i < requests.size(); ++i) {
    batch.join(make_embedding(batch.shared(), tiny().prompts,
                              std::make_shared<const EmbedRequest>(requests[i]), {},
                              [&made, i](Embedding embedding) { made[i] = std::move(embedding); }),
               [](const std::exception_ptr& failure) { EXPECT_FALSE(failure); });
    batch.advance();
  }
  while (!batch.empty()) batch.advance();
  for (size_t i = 0; i < requests.size(); ++i) {
    EXPECT_EQ(made[i].values, embed(asking(), requests[i]).values) << i;
  }
  EXPECT_EQ(said, ask(asking(), question).text);
  batch.forget();
  EXPECT_EQ(batch.shared().cache.free_blocks(), 600);
}

Code code_of(const std::function<void()>& work) {
  try {
    work();
  } catch (const Error& error) {
    return error.code();
  }
  return Code::bug;
}

TEST(Embed, RefusesWhatItCannotDo) {
  std::string endless;
  for (int64_t i = 0; i < tiny().model.config().llama.context; ++i) endless += "word ";
  EXPECT_EQ(code_of([&] { embed(asking(), {endless, {}}); }), Code::bad_input);
  EXPECT_EQ(code_of([&] { embed(asking(), {"<image_placeholder>", {}}); }), Code::bad_input);
  RunningBatch batch(tiny().model, Dtype::f32, 600, true);
  EXPECT_EQ(
      code_of([&] {
        batch.run_alone(make_embedding(
            batch.shared(), tiny().prompts, std::make_shared<const EmbedRequest>(several()[1]),
            [] { return false; }, [](const Embedding&) { FAIL(); }));
      }),
      Code::cancelled);
  EXPECT_EQ(batch.shared().cache.free_blocks(), 600);
}

}  // namespace
}  // namespace janus
