// POST /v1/chat/completions: one question to the model for each choice, answered whole or streamed.
// SPDX-License-Identifier: MIT
#include <optional>

#include "serve/events.h"
#include "serve/openai_chat.h"
#include "serve/routes.h"
#include "serve/serial.h"

namespace janus::serve {

namespace {

constexpr auto kSilence = std::chrono::seconds(10);

class ChatRun : public std::enable_shared_from_this<ChatRun> {
 public:
  ChatRun(Desk& desk, ChatCall call, const Request& request, std::shared_ptr<Reply> reply);
  void start();

 private:
  struct Choice {
    std::optional<Job> job;
    std::optional<Answer> answer;
    int64_t tokens = 0;  // told so far
    bool begun = false;
  };

  bool take(size_t number, std::string_view piece);
  void ended(size_t number);
  void finish();
  void fail(const std::exception_ptr& failure);
  void begin(size_t number);
  std::vector<AnswerToken> new_tokens(Choice& choice) const;
  void keep_alive();
  void count(const Answer& answer);

  Desk& desk_;
  ChatCall call_;
  ChatReply head_;
  std::string id_;
  std::shared_ptr<Reply> reply_;
  Ticket ticket_;
  EventStream events_;
  std::shared_ptr<Serial> serial_;
  std::mutex mutex_;  // of what follows
  std::vector<Choice> choices_;
  size_t over_ = 0;
  bool failed_ = false;
  bool first_seen_ = false;
};

ChatRun::ChatRun(Desk& desk, ChatCall call, const Request& request, std::shared_ptr<Reply> reply)
    : desk_(desk),
      call_(std::move(call)),
      id_(request.id),
      reply_(reply),
      ticket_(desk, "chat", call_.choices),
      events_(reply, ignored_header(call_.ignored)),
      serial_(std::make_shared<Serial>(desk.work)),
      choices_(static_cast<size_t>(call_.choices)) {
  const Served& served = desk.served();
  head_ = {desk.new_id("chatcmpl-"), desk.now(), served.name, "januspro-" + served.info.hash,
           call_.request.seed};
}

void ChatRun::start() {
  const auto self = shared_from_this();
  std::vector<Job> jobs;
  for (size_t i = 0; i < choices_.size(); ++i) {
    AskRequest asked = call_.request;
    asked.seed += i;
    jobs.push_back(desk_.engine().submit(
        asked, [self, i](std::string_view piece) { return self->take(i, piece); }));
    const std::lock_guard lock(mutex_);
    choices_[i].job = jobs.back();
  }
  call_.request = {};  // its pictures are the jobs' now
  for (size_t i = 0; i < jobs.size(); ++i) {
    jobs[i].on_end([self, i] { self->serial_->push([self, i] { self->ended(i); }); });
  }
  reply_->on_gone([jobs, self] {
    for (const Job& job : jobs) job.cancel();
    self->desk_.metrics.add("januspro_requests_cancelled_total", Metrics::label("kind", "chat"));
  });
  if (call_.stream) keep_alive();
}

void ChatRun::keep_alive() {
  desk_.after(2.5, [weak = weak_from_this()] {
    const auto self = weak.lock();
    if (self && self->events_.ping(kSilence)) self->keep_alive();
  });
}

// Under the lock.
void ChatRun::begin(size_t number) {
  if (choices_[number].begun) return;
  choices_[number].begun = true;
  events_.send(chat_begin(head_, call_, static_cast<int>(number)));
}

// Under the lock: what a stream has not told yet of the tokens' probabilities.
std::vector<AnswerToken> ChatRun::new_tokens(Choice& choice) const {
  if (!call_.stream || !call_.logprobs || !choice.job) return {};
  std::vector<AnswerToken> tokens = choice.job->tokens(choice.tokens);
  choice.tokens += std::ssize(tokens);
  return tokens;
}

// On the engine's thread, between two steps.
bool ChatRun::take(size_t number, std::string_view piece) {
  ticket_.begun();
  if (reply_->gone()) return false;
  const std::lock_guard lock(mutex_);
  const std::vector<AnswerToken> tokens = new_tokens(choices_[number]);
  if (piece.empty() && tokens.empty()) return true;  // a token whose text is not whole yet
  if (!first_seen_) {
    first_seen_ = true;
    desk_.metrics.observe("januspro_time_to_first_token_seconds", "", ticket_.seconds());
  }
  if (!call_.stream || failed_) return !failed_;
  begin(number);
  return events_.send(chat_piece(head_, call_, static_cast<int>(number), piece, tokens));
}

void ChatRun::ended(size_t number) {
  std::optional<Job> job;
  {
    const std::lock_guard lock(mutex_);
    job = choices_[number].job;
  }
  try {
    const Answer answer = job->answer();
    count(answer);
    const std::lock_guard lock(mutex_);
    if (call_.stream && !failed_) {
      begin(number);
      const std::vector<AnswerToken> tokens = new_tokens(choices_[number]);
      if (!tokens.empty())
        events_.send(chat_piece(head_, call_, static_cast<int>(number), "", tokens));
      events_.send(chat_finish(head_, call_, static_cast<int>(number), answer));
    }
    choices_[number].answer = answer;
    ++over_;
  } catch (...) {
    return fail(std::current_exception());
  }
  if (over_ == choices_.size() && !failed_) finish();
}

void ChatRun::count(const Answer& answer) {
  desk_.metrics.add("januspro_prompt_tokens_total", "",
                    static_cast<double>(answer.prompt_tokens - answer.cached_tokens));
  desk_.metrics.add("januspro_text_tokens_total", "", static_cast<double>(answer.answer_tokens));
}

void ChatRun::finish() {
  std::vector<Answer> answers;
  for (Choice& choice : choices_) answers.push_back(std::move(*choice.answer));
  if (!call_.stream) {
    return send_json(*reply_, chat_json(head_, call_, answers), ignored_header(call_.ignored));
  }
  if (call_.usage) events_.send(chat_usage(head_, call_, answers));
  events_.send_text("[DONE]");
  events_.end();
}

// The other choices are of no use then.
void ChatRun::fail(const std::exception_ptr& failure) {
  std::vector<Job> jobs;
  {
    const std::lock_guard lock(mutex_);
    if (failed_) return;
    failed_ = true;
    for (const Choice& choice : choices_) jobs.push_back(*choice.job);
  }
  for (const Job& job : jobs) job.cancel();
  if (!events_.begun()) {
    return desk_.answer_failure(failure, id_, "messages", Dialect::openai, *reply_);
  }
  events_.send(error_object(desk_.refusal_for(failure, id_, "messages")));
  events_.end();
}

}  // namespace

void serve_chat(Desk& desk, Request request, std::shared_ptr<Reply> reply) {
  const Served& served = desk.served();
  ChatCall call = parse_chat(parse_json(request.body), served);
  std::string().swap(request.body);
  const auto run = std::make_shared<ChatRun>(desk, std::move(call), request, reply);
  try {
    run->start();
  } catch (const Error& error) {
    throw refusal_of(error, "messages");
  }
}

void serve_models(Desk& desk, Request, std::shared_ptr<Reply> reply) {
  send_json(*reply,
            {{"object", "list"}, {"data", OrderedJson::array({model_json(desk.served())})}});
}

void serve_model(Desk& desk, Request request, std::shared_ptr<Reply> reply) {
  const Served& served = desk.served();
  const std::string& id = request.captures["id"];
  if (!served.answers_to(id)) {
    throw Refusal(404, "model_not_found", "the model loaded is " + served.name, "model");
  }
  send_json(*reply, model_json(served));
}

}  // namespace janus::serve
