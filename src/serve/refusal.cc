// SPDX-License-Identifier: MIT
#include "serve/refusal.h"

#include <nlohmann/json.hpp>

namespace janus::serve {

namespace {

std::string type_of(int status) {
  if (status == 403) return "permission_error";
  if (status == 429) return "rate_limit_error";
  return status >= 500 ? "server_error" : "invalid_request_error";
}

}  // namespace

Refusal refusal_of(const Error& error, const std::string& param) {
  if (const auto* longer = dynamic_cast<const TooLong*>(&error)) {
    Refusal refusal(400, "context_length_exceeded", error.what(), param);
    refusal.counts = {{"prompt_tokens", longer->tokens()}, {"limit", longer->limit()}};
    return refusal;
  }
  switch (error.code()) {
    case Code::bad_input:
      return {400, "invalid_value", error.what(), param};
    case Code::not_supported:
      return {400, "unsupported_value", error.what(), param};
    case Code::out_of_memory:
      return {400, "does_not_fit", error.what(), param};
    case Code::busy:
      return Refusal(429, "queue_full", error.what()).with("Retry-After", "5");
    case Code::cancelled:
      return Refusal(503, "draining", "the server is ending and stopped this request; try again")
          .with("Retry-After", "5");
    case Code::bad_checkpoint:
    case Code::device_failure:
    case Code::bug:
      break;
  }
  return {500, "internal_error",
          "the server failed at this request; its log has the reason under the request's id"};
}

nlohmann::ordered_json error_object(const Refusal& refusal) {
  nlohmann::ordered_json error = {{"message", refusal.what()},
                                  {"type", type_of(refusal.status)},
                                  {"param", nullptr},
                                  {"code", refusal.code}};
  if (!refusal.param.empty()) error["param"] = refusal.param;
  for (const auto& [name, count] : refusal.counts) error[name] = count;
  return {{"error", std::move(error)}};
}

Response error_response(const Refusal& refusal, Dialect dialect) {
  Response response;
  response.status = refusal.status;
  response.headers = refusal.headers;
  nlohmann::ordered_json body = error_object(refusal);
  if (dialect == Dialect::a1111) {
    if (refusal.status == 400) response.status = 422;
    body = {{"error", refusal.code},
            {"detail", refusal.what()},
            {"body", ""},
            {"errors", refusal.what()}};
  }
  constexpr auto replace = nlohmann::ordered_json::error_handler_t::replace;
  response.body = body.dump(-1, ' ', false, replace);
  return response;
}

}  // namespace janus::serve
