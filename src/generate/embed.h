// Text and pictures -> one vector: what the language tower makes of them, averaged.
// D width. SPDX-License-Identifier: MIT
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "generate/ask.h"

namespace janus {

using OnEmbedding = std::function<void(Embedding)>;

// Ids of the text as it stands, pictures at their places, behind the begin token; no chat template.
// Throws Code::bad_input where they do not fit the context, or places do not fit the pictures.
std::vector<int32_t> embedding_ids(const Config& config, const PromptBuilder& prompts,
                                   const EmbedRequest& request);

// Its part in a running batch. It fails of Code::cancelled when `wanted` says no. `prompts` and
// `shared` must outlive it.
std::unique_ptr<Member> make_embedding(const Shared& shared, const PromptBuilder& prompts,
                                       std::shared_ptr<const EmbedRequest> request,
                                       std::function<bool()> wanted, OnEmbedding on_embedding);

// The same alone in a batch.
Embedding embed(const Asking& asking, const EmbedRequest& request);

// What it takes: that of a prompt which nothing answers. Throws as embedding_ids() does.
AnswerShape embedding_shape(const Config& config, const PromptBuilder& prompts,
                            const EmbedRequest& request);

}  // namespace janus
