// See answer.h. SPDX-License-Identifier: MIT
#include "apps/answer.h"

#include "apps/command.h"

namespace janus {

namespace {

const char* finish_name(Answer::Finish finish) {
  switch (finish) {
    case Answer::Finish::end:
      return "end";
    case Answer::Finish::stop:
      return "stop";
    case Answer::Finish::length:
      return "length";
  }
  return "?";
}

}  // namespace

void AnswerStream::push(std::string_view piece) {
  if (!begun_) {
    const size_t first = piece.find_first_not_of(kAnswerSpace);
    if (first == std::string_view::npos) return;
    piece.remove_prefix(first);
    begun_ = true;
  }
  print(piece);
}

nlohmann::ordered_json answer_json(const Answer& answer, const AskRequest& asked,
                                   const std::string& model, double seconds) {
  nlohmann::ordered_json line{{"text", answer.text},
                              {"finish", finish_name(answer.finish)},
                              {"prompt_tokens", answer.prompt_tokens},
                              {"cached_tokens", answer.cached_tokens},
                              {"answer_tokens", answer.answer_tokens}};
  if (asked.temperature > 0) line["seed"] = asked.seed;
  line["model"] = model;
  line["seconds"] = seconds;
  return line;
}

}  // namespace janus
