// Refusal: a request that is answered with an error, thrown by whoever finds the fault and written
// out in one place. Statuses, types and codes are promises to clients (docs/server.md).
// SPDX-License-Identifier: MIT
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "januspro/error.hpp"
#include "serve/message.h"

namespace janus::serve {

struct Refusal : std::runtime_error {
  Refusal(int status_, std::string code_, const std::string& message, std::string param_ = {})
      : std::runtime_error(message),
        status(status_),
        code(std::move(code_)),
        param(std::move(param_)) {}

  int status;
  std::string code;
  std::string param;  // path of the field; empty: none
  Headers headers = {};
  std::vector<std::pair<std::string, int64_t>> counts = {};  // further numbers in the error object

  Refusal&& with(std::string name, std::string value) && {
    headers.emplace_back(std::move(name), std::move(value));
    return std::move(*this);
  }
};

// What the library throws, as a client sees it. `param`: the field at fault, where it is known.
// Faults of ours keep their words for the log: `internal_error` says only that there was one.
Refusal refusal_of(const Error& error, const std::string& param = {});

nlohmann::ordered_json error_object(const Refusal& refusal);  // {"error": {…}}
// Written as the dialect of the route has it.
Response error_response(const Refusal& refusal, Dialect dialect);

}  // namespace janus::serve
