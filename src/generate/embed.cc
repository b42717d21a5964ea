// See embed.h. A position's vector does not depend on where a prompt is cut into passes, and they
// are added up in their order, so the result is the same whatever runs beside it.
// SPDX-License-Identifier: MIT
#include "generate/embed.h"

#include <cmath>
#include <optional>
#include <utility>

#include "base/error.h"
#include "generate/reading.h"

namespace janus {

namespace {

std::vector<const Image*> pointers_to(const std::vector<Image>& images) {
  std::vector<const Image*> pointers;
  for (const Image& image : images) pointers.push_back(&image);
  return pointers;
}

AnswerShape shape_of(const Config& config, int64_t tokens, const EmbedRequest& request) {
  return answer_shape(config, tokens, 1, pointers_to(request.images));
}

class EmbeddingMember : public Member {
 public:
  EmbeddingMember(const Shared& shared, const PromptBuilder& prompts,
                  std::shared_ptr<const EmbedRequest> request, std::function<bool()> wanted,
                  OnEmbedding on_embedding)
      : shared_(shared),
        held_(std::move(request)),
        wanted_(std::move(wanted)),
        on_embedding_(std::move(on_embedding)),
        prompt_(shared, prompts, embedding_ids(shared.model.config(), prompts, *held_),
                pointers_to(held_->images)),
        shape_(shape_of(shared.model.config(), length(), *held_)),
        sum_(static_cast<size_t>(shared.model.config().llama.width)) {}

  int64_t scratch() const override { return workspace_bytes(shared_.model.config(), shape_); }
  void offer_steps(Pass&) override {}
  void offer_prompts(Pass& pass, int64_t room) override;
  void accept(const Pass& pass) override;
  bool has_slow_work() const override { return prompt_.has_picture_to_read(); }
  void do_slow_work(Workspace& space, const Between& between) override;
  bool over() const override { return over_; }
  void leave() noexcept override;

 private:
  void check_wanted() const {
    check(!wanted_ || wanted_(), Code::cancelled, "the embedding was stopped");
  }
  int64_t length() const { return std::ssize(prompt_.fed()); }
  void finish();

  const Shared& shared_;
  const std::shared_ptr<const EmbedRequest> held_;
  std::function<bool()> wanted_;
  OnEmbedding on_embedding_;
  ReadingPrompt prompt_;
  AnswerShape shape_;
  int32_t sequence_ = -1;
  int64_t offered_ = 0;        // positions
  std::vector<int64_t> rows_;  // of the present pass
  std::vector<double> sum_;    // [D]
  bool over_ = false;
};

void EmbeddingMember::offer_prompts(Pass& pass, int64_t room) {
  check_wanted();
  if (sequence_ < 0) {
    sequence_ = shared_.add();
    prompt_.begin(0);
  }
  if (has_slow_work()) return;
  for (; room > 0 && offered_ < length(); --room) {
    rows_.push_back(prompt_.offer(pass, sequence_, offered_++, Wants::nothing));
  }
}

void EmbeddingMember::do_slow_work(Workspace& space, const Between& between) {
  prompt_.read_picture(space, [&] {
    check_wanted();
    between();
  });
}

void EmbeddingMember::accept(const Pass& pass) {
  for (const int64_t row : std::exchange(rows_, {})) {
    const std::span<const float> hidden = pass.hidden(row);
    for (size_t i = 0; i < sum_.size(); ++i) sum_[i] += static_cast<double>(hidden[i]);
  }
  if (offered_ == length()) finish();
}

void EmbeddingMember::finish() {
  double square = 0;
  for (const double value : sum_) square += value * value;
  check(std::isfinite(square), Code::bad_checkpoint,
        "the model's output is not finite; the checkpoint holds NaN or far too large values (is "
        "the file damaged?)");
  const double scale = square > 0 ? 1 / std::sqrt(square) : 0;
  Embedding embedding;
  for (const double value : sum_) embedding.values.push_back(static_cast<float>(value * scale));
  embedding.prompt_tokens = length();
  over_ = true;
  on_embedding_(std::move(embedding));
}

void EmbeddingMember::leave() noexcept {
  if (sequence_ >= 0) shared_.end(std::exchange(sequence_, -1), {});
}

}  // namespace

std::vector<int32_t> embedding_ids(const Config& config, const PromptBuilder& prompts,
                                   const EmbedRequest& request) {
  std::vector<int32_t> ids = prompts.plain({Role::user, request.text, std::ssize(request.images)});
  const auto tokens = static_cast<int64_t>(ids.size());
  const int64_t context = config.llama.context;
  if (tokens > context) {
    too_long(tokens, context, "the text has ", tokens, " tokens and the model's context is ",
             context, "; shorten it by at least ", tokens - context, " tokens");
  }
  return ids;
}

AnswerShape embedding_shape(const Config& config, const PromptBuilder& prompts,
                            const EmbedRequest& request) {
  return shape_of(config, std::ssize(embedding_ids(config, prompts, request)), request);
}

std::unique_ptr<Member> make_embedding(const Shared& shared, const PromptBuilder& prompts,
                                       std::shared_ptr<const EmbedRequest> request,
                                       std::function<bool()> wanted, OnEmbedding on_embedding) {
  return std::make_unique<EmbeddingMember>(shared, prompts, std::move(request), std::move(wanted),
                                           std::move(on_embedding));
}

Embedding embed(const Asking& asking, const EmbedRequest& request) {
  Embedding embedding;
  std::optional<RunningBatch> own;
  RunningBatch* batch = asking.batch;
  if (!batch) {
    const AnswerShape shape = embedding_shape(asking.model.config(), asking.prompts, request);
    batch = &own.emplace(asking.model, asking.cache, KvCache::blocks_for(shape.positions), false);
  }
  batch->run_alone(make_embedding(batch->shared(), asking.prompts,
                                  std::make_shared<const EmbedRequest>(request), {},
                                  [&](Embedding made) { embedding = std::move(made); }));
  return embedding;
}

}  // namespace janus
