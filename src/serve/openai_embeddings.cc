// SPDX-License-Identifier: MIT
#include "serve/openai_embeddings.h"

#include <bit>
#include <utility>

#include "io/base64.h"
#include "serve/openai_chat.h"

namespace janus::serve {

namespace {

EmbedRequest request_of(const Json& content, const std::string& path, const Served& served,
                        size_t& pictures) {
  Said said = read_content(content, path, served, pictures);
  if (said.text.empty()) {
    throw Refusal(400, "invalid_value", path + " is empty; there is nothing to embed", path);
  }
  return {std::move(said.text), std::move(said.images)};
}

OrderedJson numbers_of(const Embedding& embedding, bool base64) {
  if (!base64) return embedding.values;
  static_assert(std::endian::native == std::endian::little);
  return to_base64(std::as_bytes(std::span(embedding.values)));
}

}  // namespace

EmbedCall parse_embeddings(const Json& body, const Served& served) {
  Fields fields(body);
  check_model(fields, served);
  const Json* const input = fields.find("input");
  if (!input) throw Refusal(400, "missing_required_parameter", "input is missing", "input");
  EmbedCall call;
  size_t pictures = 0;
  const bool parts = input->is_array() && !input->empty() && input->front().is_object();
  if (input->is_string() || parts) {
    call.requests.push_back(request_of(*input, "input", served, pictures));
  } else if (input->is_array()) {
    if (input->empty() || input->size() > kMostInputs) {
      throw Refusal(400, "invalid_value",
                    "input has " + std::to_string(input->size()) + " texts; 1 to " +
                        std::to_string(kMostInputs) + " are taken",
                    "input");
    }
    for (size_t i = 0; i < input->size(); ++i) {
      const std::string path = "input[" + std::to_string(i) + "]";
      if (!(*input)[i].is_string()) {
        refuse_type(path, "a text; token ids of another tokenizer mean nothing here");
      }
      call.requests.push_back(request_of((*input)[i], path, served, pictures));
    }
  } else {
    refuse_type("input", "a text, a list of texts, or a list of parts");
  }
  call.base64 = fields.word("encoding_format", {"float", "base64"}).value_or("float") == "base64";
  const auto width = fields.whole("dimensions", 1, INT32_MAX);
  if (width && *width != served.info.width) {
    throw Refusal(400, "unsupported_value",
                  "dimensions is " + std::to_string(*width) + "; this model's vectors have " +
                      std::to_string(served.info.width),
                  "dimensions");
  }
  fields.pass({"user"});
  call.ignored = fields.unread();
  return call;
}

OrderedJson embeddings_json(const EmbedCall& call, const Served& served,
                            const std::vector<Embedding>& embeddings) {
  OrderedJson data = OrderedJson::array();
  int64_t tokens = 0;
  for (size_t i = 0; i < embeddings.size(); ++i) {
    data.push_back({{"object", "embedding"},
                    {"index", i},
                    {"embedding", numbers_of(embeddings[i], call.base64)}});
    tokens += embeddings[i].prompt_tokens;
  }
  return {{"object", "list"},
          {"data", std::move(data)},
          {"model", served.name},
          {"usage", {{"prompt_tokens", tokens}, {"total_tokens", tokens}}}};
}

}  // namespace janus::serve
