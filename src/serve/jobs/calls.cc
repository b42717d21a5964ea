// SPDX-License-Identifier: MIT
#include "serve/jobs/calls.h"

#include <algorithm>

#include "base/sha256.h"
#include "io/utf8.h"
#include "serve/openai_edits.h"

namespace janus::serve {

namespace {

constexpr size_t kMostRequests = 256;
constexpr size_t kMostMetadata = 16 * 1024;  // bytes; a list of jobs shows a hundred of them
constexpr size_t kLongestKey = 255;

// Results are fetched whole, one by one.
void check_whole(Fields& fields) {
  if (fields.flag("stream").value_or(false)) {
    throw Refusal(400, "unsupported_parameter",
                  "stream cannot be done in a job: its results are fetched when they are there",
                  "stream");
  }
}

// A question and its pictures as the turn of a conversation.
Json turn_of(Fields& fields) {
  Json content = Json::array();
  if (const Json* const images = fields.find("images")) {
    if (!images->is_array()) refuse_type("images", "a list of data URLs");
    for (size_t i = 0; i < images->size(); ++i) {
      const Json& url = (*images)[i];
      if (!url.is_string()) refuse_type("images[" + std::to_string(i) + "]", "a data URL");
      content.push_back({{"type", "image_url"}, {"image_url", {{"url", url}}}});
    }
  }
  content.push_back({{"type", "text"}, {"text", fields.required_text("question")}});
  return Json::array({{{"role", "user"}, {"content", std::move(content)}}});
}

// The path in a chat's messages as the one in the request that they were made of.
std::string path_of_turn(const std::string& param, size_t pictures) {
  constexpr std::string_view kContent = "messages[0].content[";
  if (!param.starts_with(kContent)) return param;
  const size_t place = std::stoul(param.substr(kContent.size()));
  return place < pictures ? "images[" + std::to_string(place) + "]" : "question";
}

ChatCall parse_question(const Json& request, const Served& served) {
  Fields fields(request);
  check_whole(fields);
  Json chat = request;
  chat["messages"] = turn_of(fields);
  for (const char* const name : {"question", "images", "stream", "logprobs", "top_logprobs"}) {
    chat.erase(name);
  }
  const size_t pictures = chat["messages"][0]["content"].size() - 1;
  try {
    ChatCall call = parse_chat(chat, served);
    for (const char* const name : {"logprobs", "top_logprobs"}) {
      if (request.contains(name)) call.ignored.emplace_back(name);
    }
    return call;
  } catch (Refusal& refusal) {
    refusal.param = path_of_turn(refusal.param, pictures);
    throw;
  }
}

DrawCall parse_drawing(const std::string& type, const Json& request, const Served& served) {
  Fields fields(request);
  check_whole(fields);
  Json fitting = request;
  fitting.erase("response_format");
  DrawCall call =
      type == "edit" ? parse_edit(std::move(fitting), served) : parse_generation(fitting, served);
  if (request.contains("response_format")) call.ignored.emplace_back("response_format");
  return call;
}

int count_of(const JobWork& work) {
  return work.draw ? work.draw->request.images : work.ask->choices;
}

uint64_t seed_of(const JobWork& work) {
  return work.draw ? work.draw->request.seed : work.ask->request.seed;
}

// What a request is refused for, with its place in the list.
Refusal at(const std::string& path, const Refusal& refusal) {
  Refusal placed(refusal.status, refusal.code, path + ": " + refusal.what(),
                 refusal.param.empty() ? path : path + "." + refusal.param);
  placed.headers = refusal.headers;
  placed.counts = refusal.counts;
  return placed;
}

void add_request(JobCall& call, const Json& request, const Served& served,
                 const std::function<void(const JobWork&)>& check) {
  const auto number = static_cast<int>(call.job.requests.size());
  const std::string path = "requests[" + std::to_string(number) + "]";
  try {
    const JobWork work = parse_work(call.job.type, request, served);
    check(work);
    for (const std::string& name : work.draw ? work.draw->ignored : work.ask->ignored) {
      call.ignored.push_back(path + "." + name);
    }
    for (int k = 0; k < count_of(work); ++k) {
      call.job.items.push_back({number, seed_of(work) + static_cast<uint64_t>(k)});
    }
  } catch (const Refusal& refusal) {
    throw at(path, refusal);
  } catch (const Error& error) {
    throw at(path, refusal_of(error, call.job.type == "ask" ? "question" : "prompt"));
  }
  call.job.requests.push_back(request.dump());
}

// Of the header or the field; both may say the same.
std::string read_key(Fields& fields, const std::string& header) {
  const std::string field = fields.text("idempotency_key").value_or("");
  const std::string& key = header.empty() ? field : header;
  const bool printable = std::all_of(key.begin(), key.end(), [](char c) {
    return static_cast<unsigned char>(c) >= ' ' && c != 0x7f;
  });
  if (key.size() > kLongestKey || !printable || valid_utf8_prefix(key) != key.size() ||
      (!field.empty() && field != key)) {
    throw Refusal(400, "invalid_value",
                  "the Idempotency-Key must have 1 to 255 characters that can be printed, the same "
                  "in the header and in idempotency_key",
                  "idempotency_key");
  }
  return key;
}

std::string read_metadata(Fields& fields) {
  const Json* const metadata = fields.find("metadata");
  if (!metadata) return "{}";
  if (!metadata->is_object()) refuse_type("metadata", "an object");
  std::string text = metadata->dump();
  if (text.size() <= kMostMetadata) return text;
  throw Refusal(400, "invalid_value", "metadata has more than 16 KiB; keep it elsewhere",
                "metadata");
}

const Json& read_requests(Fields& fields) {
  const Json* const requests = fields.find("requests");
  if (!requests) {
    throw Refusal(400, "missing_required_parameter",
                  "requests is missing; it is a list of 1 to 256 requests", "requests");
  }
  if (!requests->is_array()) refuse_type("requests", "a list of requests");
  if (requests->empty() || requests->size() > kMostRequests) {
    throw Refusal(400, "invalid_value",
                  "requests has " + std::to_string(requests->size()) +
                      " entries; a job has 1 to 256 requests",
                  "requests");
  }
  return *requests;
}

// When a request that arrived twice is the same: names may come in another order.
std::string digest_of(Json body) {
  body.erase("idempotency_key");
  return sha256_hex(body.dump());
}

OrderedJson time_json(double seconds) {
  if (seconds == 0) return nullptr;
  return static_cast<int64_t>(seconds);
}

OrderedJson error_json(const std::string& error) {
  return error.empty() ? OrderedJson() : OrderedJson::parse(error);
}

OrderedJson result_json(const KeptJob& job, const KeptItem& item) {
  const bool ended = item.status == "done" || item.status == "failed";
  OrderedJson json = {{"index", item.index},
                      {"request_index", item.request},
                      {"status", ended ? item.status : "waiting"},
                      {"seed", item.seed},
                      {"url", nullptr},
                      {"error", error_json(item.error)}};
  if (item.status == "done") {
    json["url"] = "/v1/jobs/" + job.id + "/results/" + std::to_string(item.index);
  }
  return json;
}

}  // namespace

JobWork parse_work(const std::string& type, const Json& request, const Served& served) {
  JobWork work;
  if (type == "ask") {
    work.ask = parse_question(request, served);
  } else {
    work.draw = parse_drawing(type, request, served);
  }
  return work;
}

JobWork work_of(const Lease& lease, const Served& served) {
  JobWork work = parse_work(lease.type, parse_json(lease.request), served);
  if (work.ask) {
    work.ask->request.seed = lease.seed;
    return work;
  }
  work.draw->request.images = 1;
  work.draw->request.seed = lease.seed;
  if (!work.draw->edit) return work;
  EditRequest edit = *work.draw->edit;
  edit.drawing.images = 1;
  edit.drawing.seed = lease.seed;
  work.draw->edit = std::make_shared<const EditRequest>(std::move(edit));
  return work;
}

JobCall parse_job(Json body, const std::string& key, const Served& served,
                  const std::function<void(const JobWork&)>& check) {
  JobCall call;
  {
    Fields fields(body);
    fields.required_text("type");
    call.job.type = *fields.word("type", {"draw", "edit", "ask"});
    call.job.key = read_key(fields, key);
    call.job.metadata = read_metadata(fields);
    for (const Json& request : read_requests(fields)) add_request(call, request, served, check);
    const std::vector<std::string> unread = fields.unread();
    call.ignored.insert(call.ignored.begin(), unread.begin(), unread.end());
  }
  call.job.digest = digest_of(std::move(body));
  return call;
}

OrderedJson job_json(const KeptJob& job, double under_way) {
  const auto count = [&](std::string_view status) {
    return std::count_if(job.items.begin(), job.items.end(),
                         [&](const KeptItem& item) { return item.status == status; });
  };
  const auto done = count("done"), failed = count("failed");
  const auto total = static_cast<double>(job.items.size());
  OrderedJson results = OrderedJson::array();
  OrderedJson error = nullptr;
  int tries = 0;
  for (const KeptItem& item : job.items) {
    tries = std::max(tries, item.tries);
    if (job.status == "failed" && error.is_null()) error = error_json(item.error);
    results.push_back(result_json(job, item));
  }
  OrderedJson json = {{"id", job.id},
                      {"object", "job"},
                      {"type", job.type},
                      {"status", job.status},
                      {"created_at", time_json(job.created)},
                      {"started_at", time_json(job.started)},
                      {"finished_at", time_json(job.finished)},
                      {"position", nullptr},
                      {"total", job.items.size()},
                      {"done", done},
                      {"failed", failed},
                      {"progress", 0},
                      {"attempts", tries},
                      {"error", std::move(error)},
                      {"metadata", OrderedJson::parse(job.metadata)},
                      {"results", std::move(results)}};
  if (job.status == "queued") json["position"] = job.position;
  if (job.over()) under_way = 0;
  json["progress"] = std::min(1.0, (static_cast<double>(done + failed) + under_way) / total);
  return json;
}

// Without what the engine remembered: a second try may find more of it.
std::string answer_file(const ChatCall& call, const Answer& answer) {
  return dump({{"text", answer.text},
               {"finish_reason", answer.finish == Answer::Finish::length ? "length" : "stop"},
               {"usage",
                {{"prompt_tokens", answer.prompt_tokens},
                 {"completion_tokens", answer.answer_tokens},
                 {"total_tokens", answer.prompt_tokens + answer.answer_tokens},
                 {"prompt_tokens_details", {{"image_tokens", call.image_tokens}}}}}});
}

}  // namespace janus::serve
