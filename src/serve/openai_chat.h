// OpenAI's chat completions: JSON -> AskRequest, answers -> JSON. Nothing here waits or sends.
// SPDX-License-Identifier: MIT
#pragma once

#include "serve/served.h"

namespace janus::serve {

struct ChatCall {
  AskRequest request = {};  // of choice 0; choice k has seed + k
  int choices = 1;
  bool stream = false;
  bool usage = false;  // at the end of a stream
  bool logprobs = false;
  int64_t image_tokens = 0;  // of the prompt, those of pictures
  std::vector<std::string> ignored = {};
};

// What a message or another input says: pictures are marked in the text at their places.
struct Said {
  std::string text = {};
  std::vector<Image> images = {};
};

// A text, or a list of parts at `path`; `pictures` of the request so far. Throws Refusal.
Said read_content(const Json& content, const std::string& path, const Served& served,
                  size_t& pictures);

// Throws Refusal.
ChatCall parse_chat(const Json& body, const Served& served);

// What is the same in every part of one reply.
struct ChatReply {
  std::string id = {};
  int64_t created = 0;
  std::string model = {};
  std::string fingerprint = {};
  uint64_t seed = 0;
};

OrderedJson chat_json(const ChatReply& reply, const ChatCall& call,
                      const std::vector<Answer>& answers);

// --- streamed, each an event's JSON
OrderedJson chat_begin(const ChatReply& reply, const ChatCall& call, int choice);
OrderedJson chat_piece(const ChatReply& reply, const ChatCall& call, int choice,
                       std::string_view text, const std::vector<AnswerToken>& tokens);
OrderedJson chat_finish(const ChatReply& reply, const ChatCall& call, int choice,
                        const Answer& answer);
OrderedJson chat_usage(const ChatReply& reply, const ChatCall& call,
                       const std::vector<Answer>& answers);

OrderedJson model_json(const Served& served);

}  // namespace janus::serve
