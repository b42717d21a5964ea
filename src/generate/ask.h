// Messages and pictures -> text: the reading loop. Prompts are prompt.h, the towers model/model.h.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "base/buffer.h"
#include "generate/prompt.h"
#include "generate/room.h"
#include "generate/running.h"
#include "januspro/requests.hpp"
#include "model/model.h"

namespace janus {

// What every request of one engine shares.
struct Asking {
  const Model& model;
  const PromptBuilder& prompts;
  Dtype cache = Dtype::f32;       // of keys and values
  RunningBatch* batch = nullptr;  // an empty one of this model and type; none: one of its own
  int ahead = 0;                  // of that; positions in one pass (ahead.h)
};

// The prompt of a request, its pictures' places included. Throws Code::bad_input for messages out
// of order, settings out of range, and a prompt that fills the context.
std::vector<int32_t> prompt_ids(const Config& config, const PromptBuilder& prompts,
                                const AskRequest& request);

using OnAnswer = std::function<void(Answer)>;
using OnToken = std::function<void(AnswerToken)>;

// A question's part in a running batch. Streams whole characters to `on_text`, and nothing, to ask
// whether the answer is still wanted, while the prompt is run. Throws as prompt_ids() does; it
// fails of Code::cancelled when on_text says so. `prompts` and `shared` must outlive it.
// Where the request asks for them, `on_token` has each token before `on_text` has its text.
std::unique_ptr<Member> make_asking(const Shared& shared, const PromptBuilder& prompts,
                                    std::shared_ptr<const AskRequest> request, OnText on_text,
                                    OnAnswer on_answer, OnToken on_token = {});

// The same alone in a batch.
Answer ask(const Asking& asking, const AskRequest& request, const OnText& on_text = {},
           const OnToken& on_token = {});

// What the answer is made in. Throws as prompt_ids() does.
AnswerShape answer_shape(const Config& config, const PromptBuilder& prompts,
                         const AskRequest& request);

// The probability of `id`, and of the `likeliest` likeliest ids. logits [V].
AnswerToken score_token(const Tokenizer& tokenizer, std::span<const float> logits, int32_t id,
                        int likeliest);

// Pictures as the vision tower reads them: [n, S, S, 3] in -1..1; empty for none.
OwnedTensor reading_pixels(const Config& config, std::span<const Image> images);

// One picture -> vision tower -> adaptor -> [P, D].
OwnedTensor read_picture(const Model& model, const Image& image, Workspace& space,
                         const Model::Between& between = {});

// ids [T] -> [T, D]: token vectors, with `vectors` of pictures, one a row, in place of `image_id`,
// in order. Throws Code::bad_input when the places do not fit the pictures.
OwnedTensor embed_prompt(const Model& model, std::span<const int32_t> ids, int32_t image_id,
                         Tensor vectors);

}  // namespace janus
