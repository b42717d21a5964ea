// OpenAI's embeddings: JSON -> EmbedRequest, vectors -> JSON. Nothing here waits or sends.
// SPDX-License-Identifier: MIT
#pragma once

#include "serve/served.h"

namespace janus::serve {

struct EmbedCall {
  std::vector<EmbedRequest> requests = {};  // one for each input
  bool base64 = false;                      // little-endian f32, else numbers
  std::vector<std::string> ignored = {};
};

inline constexpr size_t kMostInputs = 64;

// Throws Refusal.
EmbedCall parse_embeddings(const Json& body, const Served& served);

OrderedJson embeddings_json(const EmbedCall& call, const Served& served,
                            const std::vector<Embedding>& embeddings);

}  // namespace janus::serve
