// The story of an answer: messages -> ids -> what is known of them already stays, the rest ->
// pictures become vectors in their places -> keys and values -> token after token.
// (deepseek-ai/Janus, inference.py, modeling_vlm.py, prepare_inputs_embeds) It is told in the order
// in which a running batch calls it. P tokens of a picture · D width · V text ids.
// SPDX-License-Identifier: MIT
#include "generate/ask.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <optional>
#include <tuple>
#include <utility>

#include "base/error.h"
#include "generate/reading.h"
#include "generate/sampler.h"
#include "generate/stop.h"
#include "io/preprocess.h"
#include "io/tokenizer.h"

namespace janus {

namespace {

std::vector<Message> check_messages(const AskRequest& request) {
  check(!request.messages.empty(), Code::bad_input, "there is no message to answer");
  check(request.messages.size() % 2 == 1, Code::bad_input, "there are ", request.messages.size(),
        " messages; user and assistant take turns, and the last message is the user's");
  std::vector<Message> messages;
  for (size_t i = 0; i < request.messages.size(); ++i) {
    const ChatMessage& message = request.messages[i];
    const Role role = i % 2 == 0 ? Role::user : Role::assistant;
    const std::string_view name = role == Role::user ? "user" : "assistant";
    check(message.role == name, Code::bad_input, "message ", i + 1, " has role \"", message.role,
          "\" where \"", name, "\" is due; a system prompt goes into its own field");
    messages.push_back({role, message.text, static_cast<int64_t>(message.images.size())});
  }
  return messages;
}

void check_context(int64_t tokens, const Config& config) {
  const int64_t context = config.llama.context;
  if (tokens < context) return;
  too_long(tokens, context - 1, "the prompt has ", tokens, " tokens and the model's context is ",
           context, ", which leaves no room for an answer; shorten the prompt by at least ",
           tokens - context + 1, " tokens (a picture takes ", config.vision.tokens() + 2, ")");
}

// The text of an answer while it grows.
class AnswerText {
 public:
  AnswerText(const PromptBuilder& prompts, const AskRequest& request, OnText on_text,
             OnToken on_token, int64_t limit);

  // The id chosen from these logits; false: the answer ends here.
  bool accept(int32_t id, std::span<const float> logits);
  Answer finish();
  // Throws Code::cancelled where nobody wants the answer any more.
  void check_wanted() const;

 private:
  void show(std::string text);

  const Tokenizer& tokenizer_;
  const OnText on_text_;
  const OnToken on_token_;
  int logprobs_;
  TextStream stream_;
  StopFilter filter_;
  std::vector<int32_t> stop_ids_;  // stop strings that are one token of the table
  int32_t eos_;
  int64_t limit_;  // tokens there is room for
  Answer answer_;
};

AnswerText::AnswerText(const PromptBuilder& prompts, const AskRequest& request, OnText on_text,
                       OnToken on_token, int64_t limit)
    : tokenizer_(prompts.tokenizer()),
      on_text_(std::move(on_text)),
      on_token_(std::move(on_token)),
      logprobs_(request.logprobs),
      stream_(prompts.tokenizer(), false),
      filter_(request.stop),
      eos_(prompts.ids().eos),
      limit_(limit) {
  for (const std::string& stop : prompts.stop_strings()) {
    if (const auto id = prompts.tokenizer().find(stop)) stop_ids_.push_back(*id);
  }
}

void AnswerText::check_wanted() const {
  check(!on_text_ || on_text_({}), Code::cancelled, "the answer was stopped before it began");
}

// Asks after every token, so that a stop is seen at once also where text is held back.
void AnswerText::show(std::string text) {
  answer_.text += text;
  check(!on_text_ || on_text_(text), Code::cancelled, "the answer was stopped after ",
        answer_.answer_tokens, " tokens");
}

bool AnswerText::accept(int32_t id, std::span<const float> logits) {
  ++answer_.answer_tokens;
  if (id == eos_) return false;
  if (std::find(stop_ids_.begin(), stop_ids_.end(), id) != stop_ids_.end()) {
    answer_.finish = Answer::Finish::stop;
    return false;
  }
  if (logprobs_ >= 0 && on_token_) on_token_(score_token(tokenizer_, logits, id, logprobs_));
  show(filter_.push(stream_.push(id)));
  if (filter_.stopped()) {
    answer_.finish = Answer::Finish::stop;
    return false;
  }
  if (answer_.answer_tokens < limit_) return true;
  answer_.finish = Answer::Finish::length;
  return false;
}

Answer AnswerText::finish() {
  if (!filter_.stopped()) {
    show(filter_.push(stream_.finish()));
    show(filter_.finish());
  }
  return std::move(answer_);
}

std::vector<const Image*> images_of(const AskRequest& request) {
  std::vector<const Image*> images;
  for (const ChatMessage& message : request.messages) {
    for (const Image& image : message.images) images.push_back(&image);
  }
  return images;
}

class AskingMember : public Member {
 public:
  AskingMember(const Shared& shared, const PromptBuilder& prompts,
               std::shared_ptr<const AskRequest> request, OnText on_text, OnAnswer on_answer,
               OnToken on_token);

  int64_t scratch() const override { return workspace_bytes(shared_.model.config(), shape_); }
  void offer_steps(Pass& pass) override;
  void offer_prompts(Pass& pass, int64_t room) override;
  void accept(const Pass& pass) override;
  bool has_slow_work() const override { return prompt_.has_picture_to_read(); }
  void do_slow_work(Workspace& space, const Between& between) override;
  bool over() const override { return over_; }
  void leave() noexcept override;

 private:
  void begin();
  bool accept_window(const Pass& pass);

  const Shared& shared_;
  const std::shared_ptr<const AskRequest> held_;
  const AskRequest& request_;
  OnAnswer on_answer_;
  std::vector<int32_t> said_;  // tokens of prompt and answer, -1 for pictures
  AnswerShape shape_;
  ReadingPrompt prompt_;
  AnswerText text_;
  Sampler sampler_;

  int32_t sequence_ = -1;
  int64_t kept_ = 0;              // positions that were known
  std::vector<Fed> fed_;          // what its sequence has run
  int64_t offered_ = 0;           // positions of the prompt that were offered
  std::vector<int64_t> rows_;     // of the present pass, whose logits it waits for
  std::vector<int32_t> guesses_;  // that were fed to all but the first of them
  Window window_;
  int64_t steps_ = 0;  // tokens chosen
  int32_t last_ = -1;  // the one chosen last
  bool over_ = false;
};

AskingMember::AskingMember(const Shared& shared, const PromptBuilder& prompts,
                           std::shared_ptr<const AskRequest> request, OnText on_text,
                           OnAnswer on_answer, OnToken on_token)
    : shared_(shared),
      held_(std::move(request)),
      request_(*held_),
      on_answer_(std::move(on_answer)),
      said_(prompt_ids(shared.model.config(), prompts, request_)),
      shape_(answer_shape(shared.model.config(), std::ssize(said_), request_.max_tokens,
                          images_of(request_))),
      prompt_(shared, prompts, said_, images_of(request_)),
      text_(prompts, request_, std::move(on_text), std::move(on_token),
            shape_.positions - shape_.prompt),
      window_(shared.ahead) {
  std::replace(said_.begin(), said_.end(), prompts.ids().image, -1);
}

// As late as the first call, when what others have run meanwhile is known as well.
void AskingMember::begin() {
  std::tie(sequence_, kept_) = shared_.prompts.begin(prompt_.fed());
  offered_ = kept_;
  fed_.assign(prompt_.fed().begin(), prompt_.fed().begin() + kept_);
  prompt_.begin(kept_);
}

void AskingMember::offer_prompts(Pass& pass, int64_t room) {
  const int64_t length = shape_.prompt;
  if (offered_ == length) return;
  text_.check_wanted();
  if (sequence_ < 0) begin();
  if (has_slow_work()) return;
  for (; room > 0 && offered_ < length; --room) {
    const bool last = offered_ + 1 == length;
    const int64_t row =
        prompt_.offer(pass, sequence_, offered_++, last ? Wants::text : Wants::nothing);
    if (last) rows_ = {row};
  }
}

// The token chosen last, and guesses behind it.
void AskingMember::offer_steps(Pass& pass) {
  if (last_ < 0) return;
  const int64_t left = shape_.positions - shape_.prompt - steps_;
  const int64_t most = std::clamp<int64_t>(left, 1, kMostTextWindow);
  const int64_t window =
      window_.choose(shared_.pace.costs(), pass.rows(), 1, most, shared_.pace.longest_pass());
  guesses_ = guess_text(said_, static_cast<size_t>(window - 1));
  rows_ = {pass.add(sequence_, fed_text(last_), Wants::text)};
  for (const int32_t guess : guesses_) {
    rows_.push_back(pass.add(sequence_, fed_text(guess), Wants::text));
  }
}

void AskingMember::do_slow_work(Workspace& space, const Between& between) {
  const auto wanted = [&] {
    text_.check_wanted();
    between();
  };
  prompt_.read_picture(space, wanted);
}

void AskingMember::accept(const Pass& pass) {
  if (last_ < 0) {
    fed_.assign(prompt_.fed().begin(), prompt_.fed().begin() + offered_);
  } else {
    fed_.push_back(fed_text(last_));
  }
  if (rows_.empty()) return;
  const bool goes_on = accept_window(pass);
  rows_.clear();
  shared_.cache.truncate(sequence_, std::ssize(fed_));
  if (goes_on) return;
  last_ = -1;
  Answer answer = text_.finish();
  answer.prompt_tokens = shape_.prompt;
  answer.cached_tokens = kept_;
  over_ = true;
  on_answer_(std::move(answer));
}

// The tokens that its rows give, up to the first whose guess was wrong; false: the answer ends.
bool AskingMember::accept_window(const Pass& pass) {
  const Sampling sampling{request_.temperature, request_.top_k, request_.top_p};
  for (size_t i = 0; i < rows_.size(); ++i) {
    const std::span<const float> logits = pass.logits(rows_[i]);
    last_ = sampler_.pick(logits, sampling, request_.seed, static_cast<uint64_t>(steps_++));
    said_.push_back(last_);
    if (!text_.accept(last_, logits)) return false;
    if (i < guesses_.size() && guesses_[i] == last_) {
      fed_.push_back(fed_text(last_));
      continue;
    }
    if (!guesses_.empty()) window_.saw(std::ssize(rows_), static_cast<int64_t>(i) + 1);
    return true;
  }
  return true;
}

// What has run is true whatever ended the answer.
void AskingMember::leave() noexcept {
  if (sequence_ < 0) return;
  shared_.cache.truncate(sequence_, std::ssize(fed_));
  shared_.end(std::exchange(sequence_, -1), std::move(fed_));
}

}  // namespace

OwnedTensor reading_pixels(const Config& config, std::span<const Image> images) {
  if (images.empty()) return {};
  const int64_t side = config.vision.image;
  const auto count = static_cast<int64_t>(images.size());
  OwnedTensor pixels(Dtype::f32, {count, side, side, 3});
  for (int64_t i = 0; i < count; ++i) {
    const Tensor one = pixels.view.slice(i * side * side, side * side);
    prepare_for_reading(images[static_cast<size_t>(i)], config.vision.image, config.preprocessing,
                        std::span(one.f32(), static_cast<size_t>(one.count())));
  }
  return pixels;
}

OwnedTensor read_picture(const Model& model, const Image& image, Workspace& space,
                         const Model::Between& between) {
  const Config& config = model.config();
  const OwnedTensor pixels = reading_pixels(config, std::span(&image, 1));
  OwnedTensor vectors(Dtype::f32, {config.vision.tokens(), config.llama.width});
  model.read_images(pixels.view, space, vectors.view, nullptr, between);
  return vectors;
}

OwnedTensor embed_prompt(const Model& model, std::span<const int32_t> ids, int32_t image_id,
                         Tensor vectors) {
  const int64_t width = model.config().llama.width;
  const int64_t tokens = model.config().vision.tokens();
  const int64_t rows = vectors ? vectors.rows() : 0;
  const auto places = static_cast<int64_t>(std::count(ids.begin(), ids.end(), image_id));
  check(places == rows, Code::bad_input, "the prompt has room for ", places,
        " picture vectors, but ", rows, " were given (", tokens, " a picture)");
  OwnedTensor x(Dtype::f32, {static_cast<int64_t>(ids.size()), width});
  model.embed_text(ids, x.view);
  int64_t next = 0;
  for (size_t t = 0; t < ids.size(); ++t) {
    if (ids[t] != image_id) continue;
    const float* from = vectors.row(next++);
    std::copy(from, from + width, x.view.row(static_cast<int64_t>(t)));
  }
  return x;
}

std::vector<int32_t> prompt_ids(const Config& config, const PromptBuilder& prompts,
                                const AskRequest& request) {
  check(request.max_tokens >= 1, Code::bad_input, "max tokens is ", request.max_tokens,
        "; it must be 1 or more");
  check(request.logprobs >= -1, Code::bad_input, "logprobs is ", request.logprobs,
        "; it must be -1 (none), 0 (of the tokens chosen) or more");
  check_sampling({request.temperature, request.top_k, request.top_p});
  std::vector<int32_t> ids = prompts.read(check_messages(request), request.system);
  check_context(static_cast<int64_t>(ids.size()), config);
  return ids;
}

AnswerShape answer_shape(const Config& config, const PromptBuilder& prompts,
                         const AskRequest& request) {
  const auto tokens = static_cast<int64_t>(prompt_ids(config, prompts, request).size());
  return answer_shape(config, tokens, request.max_tokens, images_of(request));
}

AnswerToken score_token(const Tokenizer& tokenizer, std::span<const float> logits, int32_t id,
                        int likeliest) {
  const auto logit = [&](int32_t of) {
    return static_cast<double>(logits[static_cast<size_t>(of)]);
  };
  const double whole = log_sum(logits);
  const auto scored = [&](int32_t of) {
    return ScoredToken{std::string(tokenizer.bytes(of)), static_cast<float>(logit(of) - whole)};
  };
  AnswerToken token{scored(id), {}};
  std::vector<int32_t> ids(logits.size());
  std::iota(ids.begin(), ids.end(), 0);
  const auto count = std::min(ids.size(), static_cast<size_t>(likeliest));
  std::partial_sort(
      ids.begin(), ids.begin() + static_cast<int64_t>(count), ids.end(),
      [&](int32_t a, int32_t b) { return logit(a) > logit(b) || (logit(a) == logit(b) && a < b); });
  for (size_t i = 0; i < count; ++i) token.likeliest.push_back(scored(ids[i]));
  return token;
}

std::unique_ptr<Member> make_asking(const Shared& shared, const PromptBuilder& prompts,
                                    std::shared_ptr<const AskRequest> request, OnText on_text,
                                    OnAnswer on_answer, OnToken on_token) {
  return std::make_unique<AskingMember>(shared, prompts, std::move(request), std::move(on_text),
                                        std::move(on_answer), std::move(on_token));
}

Answer ask(const Asking& asking, const AskRequest& request, const OnText& on_text,
           const OnToken& on_token) {
  Answer answer;
  const auto keep = [&](Answer finished) { answer = std::move(finished); };
  std::optional<RunningBatch> own;
  RunningBatch* batch = asking.batch;
  if (!batch) {
    const AnswerShape shape = answer_shape(asking.model.config(), asking.prompts, request);
    batch = &own.emplace(asking.model, asking.cache, KvCache::blocks_for(shape.positions), false,
                         asking.ahead);
  }
  const auto held = std::make_shared<const AskRequest>(request);
  batch->run_alone(make_asking(batch->shared(), asking.prompts, held, on_text, keep, on_token));
  return answer;
}

}  // namespace janus
