// How verbs that answer show an answer: as text while it comes, or as one JSON object.
// SPDX-License-Identifier: MIT
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "januspro/januspro.hpp"

namespace janus {

// White space in front of an answer is the template's, not the answer's.
inline constexpr std::string_view kAnswerSpace = " \t\r\n";

// An answer on stdout as it comes.
class AnswerStream {
 public:
  void push(std::string_view piece);

 private:
  bool begun_ = false;
};

// `model`: what the model is called.
nlohmann::ordered_json answer_json(const Answer& answer, const AskRequest& asked,
                                   const std::string& model, double seconds);

}  // namespace janus
