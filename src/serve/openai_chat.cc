// SPDX-License-Identifier: MIT
#include "serve/openai_chat.h"

#include <algorithm>

#include "serve/pictures.h"

namespace janus::serve {

namespace {

constexpr std::string_view kPlace = "<image_placeholder>";

void add_line(std::string& text, std::string_view line) {
  if (!text.empty()) text += "\n";
  text += line;
}

std::string checked_text(std::string text, const std::string& param) {
  if (text.find(kPlace) != text.npos) {
    throw Refusal(400, "invalid_value",
                  param +
                      " holds <image_placeholder>, which stands for a picture; send pictures as "
                      "image_url parts",
                  param);
  }
  return text;
}

std::string url_of(Fields& part) {
  const Json* const value = part.find("image_url");
  if (!value) {
    throw Refusal(400, "missing_required_parameter", part.at("image_url") + " is missing",
                  part.at("image_url"));
  }
  if (value->is_string()) return value->get<std::string>();
  Fields inner(*value, part.at("image_url"));
  inner.pass({"detail"});
  return inner.required_text("url");
}

void read_part(const Json& json, const std::string& path, const Served& served, Said& said,
               size_t& pictures) {
  Fields part(json, path);
  const std::string type = part.required_text("type");
  if (type == "text" || type == "input_text" || type == "output_text") {
    return add_line(said.text, checked_text(part.required_text("text"), part.at("text")));
  }
  if (type != "image_url") {
    throw Refusal(400, "unsupported_value",
                  part.at("type") + " is \"" + type + "\"; text and image_url are understood",
                  part.at("type"));
  }
  if (++pictures > kMostPictures) {
    throw Refusal(400, "too_many_images", "more than 16 pictures in one request", path);
  }
  said.images.push_back(picture_of_url(url_of(part), path + ".image_url.url", served.max_pixels));
  add_line(said.text, kPlace);
}

}  // namespace

Said read_content(const Json& content, const std::string& path, const Served& served,
                  size_t& pictures) {
  Said said;
  if (content.is_string()) {
    said.text = checked_text(content.get<std::string>(), path);
  } else if (content.is_array()) {
    for (size_t i = 0; i < content.size(); ++i) {
      read_part(content[i], path + "[" + std::to_string(i) + "]", served, said, pictures);
    }
  } else {
    refuse_type(path, "a string or a list of parts");
  }
  return said;
}

namespace {

// Turns of the same side become one; who begins as the assistant follows an empty turn.
void add_turn(AskRequest& request, const std::string& role, Said said) {
  if (request.messages.empty() && role == "assistant") request.messages.push_back({"user", "", {}});
  if (request.messages.empty() || request.messages.back().role != role) {
    request.messages.push_back({role, std::move(said.text), std::move(said.images)});
    return;
  }
  ChatMessage& last = request.messages.back();
  add_line(last.text, said.text);
  std::move(said.images.begin(), said.images.end(), std::back_inserter(last.images));
}

// An instruction at the end, which nobody else's words follow, is what is answered.
void read_message(const Json& json, const std::string& path, bool last, const Served& served,
                  AskRequest& request, size_t& pictures) {
  Fields message(json, path);
  std::string role = message.required_text("role");
  message.cannot("tool_calls", "the model calls no tools");
  if (role != "system" && role != "developer" && role != "user" && role != "assistant") {
    throw Refusal(400, "unsupported_value",
                  path + ".role is \"" + role +
                      "\"; system, developer, user and assistant are "
                      "understood",
                  path + ".role");
  }
  const Json* const content = message.find("content");
  Said said;
  if (content) said = read_content(*content, message.at("content"), served, pictures);
  const bool instructs = role == "system" || role == "developer";
  if (instructs && last && (request.messages.empty() || request.messages.back().role != "user")) {
    role = "user";
  }
  if (role == "user" || role == "assistant") return add_turn(request, role, std::move(said));
  if (!said.images.empty()) {
    throw Refusal(400, "invalid_value", path + " holds a picture; they belong to user or assistant",
                  path);
  }
  if (!request.system) request.system.emplace();
  add_line(*request.system, said.text);
}

void read_messages(Fields& fields, const Served& served, AskRequest& request) {
  const Json* const messages = fields.find("messages");
  if (!messages) {
    throw Refusal(400, "missing_required_parameter", "messages is missing", "messages");
  }
  if (!messages->is_array()) refuse_type("messages", "a list");
  size_t pictures = 0;
  for (size_t i = 0; i < messages->size(); ++i) {
    read_message((*messages)[i], "messages[" + std::to_string(i) + "]", i + 1 == messages->size(),
                 served, request, pictures);
  }
  if (request.messages.empty() || request.messages.back().role != "user") {
    throw Refusal(400, "invalid_value",
                  "messages must end with one of the user's, or with an instruction, which is "
                  "answered",
                  "messages");
  }
}

std::vector<std::string> read_stops(Fields& fields) {
  const Json* const stop = fields.find("stop");
  if (!stop) return {};
  if (stop->is_string()) return {stop->get<std::string>()};
  if (!stop->is_array()) refuse_type("stop", "a string or a list of strings");
  if (stop->size() > 4) {
    throw Refusal(400, "invalid_value", "stop has more than 4 strings", "stop");
  }
  std::vector<std::string> stops;
  for (const Json& each : *stop) {
    if (!each.is_string()) refuse_type("stop", "a string or a list of strings");
    stops.push_back(each.get<std::string>());
  }
  return stops;
}

void read_logprobs(Fields& fields, ChatCall& call) {
  call.logprobs = fields.flag("logprobs").value_or(false);
  const auto top = fields.whole("top_logprobs", 0, 20);
  if (top && *top > 0 && !call.logprobs) {
    throw Refusal(400, "invalid_value", "top_logprobs goes with logprobs: true", "top_logprobs");
  }
  if (call.logprobs) call.request.logprobs = static_cast<int>(top.value_or(0));
}

void read_others(Fields& fields) {
  const std::string why = "the model answers in plain text";
  for (const char* const name : {"tools", "functions", "audio", "web_search_options"}) {
    fields.cannot(name, why);
  }
  fields.cannot("tool_choice", why, {"none", "auto"});
  fields.cannot("function_call", why, {"none", "auto"});
  if (const Json* const format = fields.find("response_format")) {
    Fields inner(*format, "response_format");
    inner.cannot("type", why, {"text"});
  }
  if (const Json* const kinds = fields.find("modalities")) {
    if (*kinds != Json::array({"text"})) fields.cannot("modalities", why);
  }
  for (const char* const name : {"presence_penalty", "frequency_penalty"}) {
    if (fields.number(name, -2, 2).value_or(0) != 0) {
      throw Refusal(400, "unsupported_value", std::string(name) + " must be 0", name);
    }
  }
  if (const Json* const bias = fields.find("logit_bias"); bias && !bias->empty()) {
    fields.cannot("logit_bias", "the sampler knows no bias");
  }
  fields.pass({"user", "metadata", "store", "service_tier", "safety_identifier",
               "parallel_tool_calls", "reasoning_effort", "verbosity", "prediction",
               "prompt_cache_key"});
}

OrderedJson token_json(const ScoredToken& token) {
  OrderedJson bytes = OrderedJson::array();
  for (const char c : token.bytes) bytes.push_back(static_cast<uint8_t>(c));
  return {{"token", token.bytes}, {"logprob", token.logprob}, {"bytes", std::move(bytes)}};
}

OrderedJson logprobs_json(const ChatCall& call, const std::vector<AnswerToken>& tokens) {
  if (!call.logprobs) return nullptr;
  OrderedJson content = OrderedJson::array();
  for (const AnswerToken& token : tokens) {
    OrderedJson one = token_json(token.chosen);
    one["top_logprobs"] = OrderedJson::array();
    for (const ScoredToken& each : token.likeliest) one["top_logprobs"].push_back(token_json(each));
    content.push_back(std::move(one));
  }
  return {{"content", std::move(content)}, {"refusal", nullptr}};
}

OrderedJson head(const ChatReply& reply, const char* object) {
  return {{"id", reply.id},
          {"object", object},
          {"created", reply.created},
          {"model", reply.model},
          {"system_fingerprint", reply.fingerprint}};
}

OrderedJson chunk(const ChatReply& reply, const ChatCall& call, int choice, OrderedJson delta,
                  OrderedJson logprobs, OrderedJson finish) {
  OrderedJson json = head(reply, "chat.completion.chunk");
  json["choices"] = OrderedJson::array({{{"index", choice},
                                         {"delta", std::move(delta)},
                                         {"logprobs", std::move(logprobs)},
                                         {"finish_reason", std::move(finish)}}});
  if (call.usage) json["usage"] = nullptr;
  return json;
}

const char* finish_word(const Answer& answer) {
  return answer.finish == Answer::Finish::length ? "length" : "stop";
}

OrderedJson usage_json(const ChatCall& call, const std::vector<Answer>& answers) {
  int64_t written = 0;
  for (const Answer& answer : answers) written += answer.answer_tokens;
  const int64_t read = answers.front().prompt_tokens;
  return {
      {"prompt_tokens", read},
      {"completion_tokens", written},
      {"total_tokens", read + written},
      {"prompt_tokens_details",
       {{"cached_tokens", answers.front().cached_tokens}, {"image_tokens", call.image_tokens}}}};
}

}  // namespace

bool Served::answers_to(const std::string& model) const {
  return model.empty() || model == name ||
         std::find_if(aliases.begin(), aliases.end(), [&](const std::string& alias) {
           return alias == model || alias == "*";
         }) != aliases.end();
}

void check_model(Fields& fields, const Served& served) {
  const std::string model = fields.text("model").value_or("");
  if (served.answers_to(model)) return;
  throw Refusal(404, "model_not_found",
                "the model asked for is not the one loaded, " + served.name +
                    "; leave `model` out, or start the server with --alias for further names",
                "model");
}

ChatCall parse_chat(const Json& body, const Served& served) {
  Fields fields(body);
  check_model(fields, served);
  ChatCall call;
  AskRequest& request = call.request;
  read_messages(fields, served, request);
  for (const ChatMessage& message : request.messages) {
    call.image_tokens += std::ssize(message.images) * served.info.vision_tokens;
  }
  const auto newer = fields.whole("max_completion_tokens", 1, INT32_MAX);
  const auto older = fields.whole("max_tokens", 1, INT32_MAX);
  const int64_t limit = newer ? *newer : older.value_or(served.info.context);
  request.max_tokens = static_cast<int>(std::min(limit, served.info.context));
  request.temperature = static_cast<float>(fields.number("temperature", 0, 2).value_or(0));
  request.top_p = static_cast<float>(fields.number("top_p", 0, 1).value_or(1));
  request.top_k = static_cast<int>(fields.whole("top_k", 0, INT32_MAX).value_or(0));
  const auto seed = fields.whole("seed", INT64_MIN, INT64_MAX);
  request.seed = seed ? static_cast<uint64_t>(*seed) : served.random_seed();
  call.choices = static_cast<int>(fields.whole("n", 1, 8).value_or(1));
  request.stop = read_stops(fields);
  read_logprobs(fields, call);
  call.stream = fields.flag("stream").value_or(false);
  if (const Json* const options = fields.find("stream_options")) {
    Fields inner(*options, "stream_options");
    call.usage = inner.flag("include_usage").value_or(false);
  }
  read_others(fields);
  call.ignored = fields.unread();
  return call;
}

OrderedJson chat_json(const ChatReply& reply, const ChatCall& call,
                      const std::vector<Answer>& answers) {
  OrderedJson json = head(reply, "chat.completion");
  json["seed"] = reply.seed;
  json["choices"] = OrderedJson::array();
  for (size_t i = 0; i < answers.size(); ++i) {
    json["choices"].push_back(
        {{"index", i},
         {"message", {{"role", "assistant"}, {"content", answers[i].text}, {"refusal", nullptr}}},
         {"logprobs", logprobs_json(call, answers[i].tokens)},
         {"finish_reason", finish_word(answers[i])}});
  }
  json["usage"] = usage_json(call, answers);
  return json;
}

OrderedJson chat_begin(const ChatReply& reply, const ChatCall& call, int choice) {
  OrderedJson json =
      chunk(reply, call, choice, {{"role", "assistant"}, {"content", ""}, {"refusal", nullptr}},
            nullptr, nullptr);
  json["seed"] = reply.seed;
  return json;
}

OrderedJson chat_piece(const ChatReply& reply, const ChatCall& call, int choice,
                       std::string_view text, const std::vector<AnswerToken>& tokens) {
  return chunk(reply, call, choice, {{"content", text}}, logprobs_json(call, tokens), nullptr);
}

OrderedJson chat_finish(const ChatReply& reply, const ChatCall& call, int choice,
                        const Answer& answer) {
  return chunk(reply, call, choice, OrderedJson::object(), nullptr, finish_word(answer));
}

OrderedJson chat_usage(const ChatReply& reply, const ChatCall& call,
                       const std::vector<Answer>& answers) {
  OrderedJson json = head(reply, "chat.completion.chunk");
  json["choices"] = OrderedJson::array();
  json["usage"] = usage_json(call, answers);
  return json;
}

OrderedJson model_json(const Served& served) {
  OrderedJson capabilities = OrderedJson::array();
  if (served.info.reads) capabilities.push_back("chat");
  if (served.info.draws) capabilities.push_back("draw");
  if (served.info.edits) capabilities.push_back("edit");
  if (served.info.reads) capabilities.push_back("embed");
  return {{"id", served.name},
          {"object", "model"},
          {"created", served.created},
          {"owned_by", "januspro"},
          {"januspro",
           {{"image_size", served.info.image},
            {"image_tokens", served.info.image_tokens},
            {"image_grid", served.grid()},
            {"context", served.info.context},
            {"capabilities", std::move(capabilities)},
            {"edit_by_instruction", served.edits_by_instruction()},
            {"dtype", served.info.weights},
            {"hash", served.info.hash},
            {"batch_invariant", true}}}};
}

}  // namespace janus::serve
