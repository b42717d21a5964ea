// The story of a picture: prompt -> rows of ids -> keys and values, forked for every picture; then
// code after code; then pixels. (deepseek-ai/Janus, generation_inference.py, with the prompt's
// keys and values computed once instead of once a picture.)
// S rows of one step (two a guided picture) · I codes of a picture · C codes in the book · D width.
// SPDX-License-Identifier: MIT
#include "generate/draw.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "base/error.h"
#include "generate/pixels.h"
#include "generate/sampler.h"
#include "generate/state.h"

namespace janus {

namespace {

float guidance_of(const DrawRequest& request) {
  return request.guidance.value_or(kPublishedGuidance);
}

void check_request(const DrawRequest& request) {
  check(request.images >= 1, Code::bad_input, "images is ", request.images,
        "; it must be 1 or more");
  check(std::isfinite(guidance_of(request)), Code::bad_input, "guidance is ", guidance_of(request),
        "; it must be a finite number (1: no guidance)");
  check_sampling({request.temperature, request.top_k, request.top_p});
}

void check_context(const Config& config, const std::vector<int32_t>& row) {
  const auto tokens = static_cast<int64_t>(row.size());
  const int64_t codes = config.image_tokens();
  const int64_t excess =
      tokens + codes - 1 - config.llama.context;  // the last code is not fed back
  check(excess <= 0, Code::bad_input, "the prompt has ", tokens, " tokens and a picture takes ",
        codes, " more, but the model's context is ", config.llama.context,
        "; shorten the prompt by at least ", excess, " tokens");
}

// One picture while it grows.
struct Growing {
  const DrawRequest* request = nullptr;
  int request_index = 0;
  int index = 0;
  uint64_t seed = 0;
  const PromptRows* prompt = nullptr;
  int64_t row = 0;   // its first row in a step: guided if it has both
  int64_t rows = 0;  // 1 or 2
  std::vector<int32_t> codes;
};

// Pictures that run side by side, from their prompts to their codes.
class Batch {
 public:
  // `shape`: of these pictures.
  Batch(const Drawing& drawing, std::span<Growing> pictures, const BatchShape& shape,
        const std::function<void()>& on_pass);

  // Chooses all codes; `on_pass` is called after every pass of the model.
  void run();
  State& state() { return state_; }

 private:
  void start_prompts();
  void fork_row(const std::vector<int32_t>& ids, int64_t row);
  void choose(int64_t step);
  void feed();
  // Distinct rows of ids: each is run once.
  struct Root {
    int32_t sequence = 0;
    OwnedTensor hidden;  // [1, D] of its last token
  };

  const Drawing& drawing_;
  std::span<Growing> pictures_;
  const std::function<void()>& on_pass_;
  int64_t steps_;  // I
  State state_;
  Sampler sampler_;
  std::map<std::vector<int32_t>, Root> roots_;
  std::vector<int32_t> sequences_;  // [S]
  std::vector<int32_t> next_;       // [S] codes to be fed back
  OwnedTensor x_;                   // [S, D] embeddings, then hidden states
  OwnedTensor logits_;              // [S, C]
  std::vector<float> guided_;       // [C]
};

template <class Visit>
void each_row(const Growing& picture, const Visit& visit) {
  int64_t row = picture.row;
  if (!picture.prompt->guided.empty()) visit(picture.prompt->guided, row++);
  if (!picture.prompt->unguided.empty()) visit(picture.prompt->unguided, row);
}

Batch::Batch(const Drawing& drawing, std::span<Growing> pictures, const BatchShape& shape,
             const std::function<void()>& on_pass)
    : drawing_(drawing),
      pictures_(pictures),
      on_pass_(on_pass),
      steps_(drawing.model.config().image_tokens()),
      state_(drawing.model, drawing.cache, static_cast<int>(2 * shape.rows), shape.positions,
             shape.blocks, workspace_bytes(drawing.model.config(), shape)) {
  const Config& config = drawing.model.config();
  sequences_.resize(static_cast<size_t>(shape.rows));
  next_.resize(static_cast<size_t>(shape.rows));
  x_ = OwnedTensor(Dtype::f32, {shape.rows, config.llama.width});
  logits_ = OwnedTensor(Dtype::f32, {shape.rows, config.vq.codes});
  guided_.resize(static_cast<size_t>(config.vq.codes));
}

void Batch::start_prompts() {
  const Model& model = drawing_.model;
  for (const Growing& picture : pictures_) {
    each_row(picture, [&](const std::vector<int32_t>& ids, int64_t row) {
      auto [root, is_new] = roots_.try_emplace(ids);
      if (is_new) {
        const auto tokens = static_cast<int64_t>(ids.size());
        OwnedTensor prompt(Dtype::f32, {tokens, model.config().llama.width});
        model.embed_text(ids, prompt.view);
        root->second.sequence = state_.cache().add();
        state_.prefill(root->second.sequence, prompt.view, on_pass_);
        root->second.hidden = OwnedTensor(Dtype::f32, {1, model.config().llama.width});
        model.backend().copy(prompt.view.slice(tokens - 1, 1), root->second.hidden.view);
      }
      sequences_[static_cast<size_t>(row)] = state_.cache().fork(root->second.sequence);
      model.backend().copy(root->second.hidden.view, x_.view.slice(row, 1));
    });
  }
  for (const auto& [ids, root] : roots_) state_.cache().remove(root.sequence);
  roots_.clear();
}

// Chooses code `step` of every picture from the hidden states in x.
void Batch::choose(int64_t step) {
  drawing_.model.image_logits(x_.view, state_.space(), logits_.view);
  const auto width = static_cast<size_t>(logits_.view.cols());
  for (Growing& picture : pictures_) {
    std::span<const float> logits(logits_.view.row(picture.row), width);
    if (picture.rows == 2) {
      const std::span<const float> unguided(logits_.view.row(picture.row + 1), width);
      guide(logits, unguided, guidance_of(*picture.request), guided_);
      logits = guided_;
    }
    const DrawRequest& request = *picture.request;
    const int32_t code = sampler_.pick(logits, {request.temperature, request.top_k, request.top_p},
                                       picture.seed, static_cast<uint64_t>(step));
    picture.codes.push_back(code);
    std::fill_n(next_.begin() + picture.row, picture.rows, code);
  }
}

// Feeds the chosen codes back, to both rows of a pair alike.
void Batch::feed() {
  drawing_.model.embed_codes(next_, state_.space(), x_.view);
  state_.step(sequences_, x_.view);
}

void Batch::run() {
  start_prompts();
  for (int64_t step = 0; step < steps_; ++step) {
    if (step > 0) feed();
    choose(step);
    on_pass_();
  }
}

// All pictures of a call, a batch at a time.
class Session {
 public:
  Session(const Drawing& drawing, std::span<const DrawRequest> requests);
  void run(const OnPicture& on_picture, const OnStep& on_step);

 private:
  void report(Progress::Phase phase, const OnStep& on_step);
  Picture finish(const Growing& picture, State& state) const;

  const Drawing& drawing_;
  std::vector<PromptRows> prompts_;       // of each request
  std::vector<const PromptRows*> order_;  // of each picture
  std::vector<Growing> pictures_;
  std::span<Growing> running_;
  std::vector<Sketch> sketches_;
  int64_t done_ = 0;  // codes of batches before the running one
};

Session::Session(const Drawing& drawing, std::span<const DrawRequest> requests)
    : drawing_(drawing) {
  check(drawing.pictures_at_once >= 1, Code::bad_input, "pictures at once is ",
        drawing.pictures_at_once, "; it must be 1 or more");
  prompts_ = drawing_rows(drawing.model.config(), drawing.prompts, requests);
  order_ = rows_of_pictures(prompts_, requests);
  for (size_t i = 0; i < requests.size(); ++i) {
    for (int k = 0; k < requests[i].images; ++k) {
      Growing picture;
      picture.request = &requests[i];
      picture.request_index = static_cast<int>(i);
      picture.index = k;
      picture.seed = requests[i].seed + static_cast<uint64_t>(k);
      picture.prompt = &prompts_[i];
      picture.rows = prompts_[i].count();
      pictures_.push_back(std::move(picture));
    }
  }
}

void Session::report(Progress::Phase phase, const OnStep& on_step) {
  if (!on_step) return;
  Progress progress{phase, done_, 0, sketches_};
  const int64_t codes = drawing_.model.config().image_tokens();
  progress.total = static_cast<int64_t>(pictures_.size()) * codes;
  for (size_t i = 0; i < running_.size(); ++i) {
    sketches_[i].codes = running_[i].codes;
    progress.done += static_cast<int64_t>(running_[i].codes.size());
  }
  check(on_step(progress), Code::cancelled, "drawing was stopped after ", progress.done, " of ",
        progress.total, " codes");
}

Picture Session::finish(const Growing& picture, State& state) const {
  const int64_t side = drawing_.model.config().image;
  OwnedTensor pixels(Dtype::f32, {1, side, side, 3});
  drawing_.model.decode_image(picture.codes, state.space(), pixels.view);
  Picture result;
  result.image = to_image(pixels.view.as({side, side, 3}));
  result.codes = picture.codes;
  result.seed = picture.seed;
  result.request = picture.request_index;
  result.index = picture.index;
  return result;
}

void Session::run(const OnPicture& on_picture, const OnStep& on_step) {
  const auto at_once = static_cast<size_t>(drawing_.pictures_at_once);
  const int64_t codes = drawing_.model.config().image_tokens();
  for (size_t begin = 0; begin < pictures_.size(); begin += at_once) {
    const size_t count = std::min(at_once, pictures_.size() - begin);
    running_ = std::span(pictures_).subspan(begin, count);
    sketches_.clear();
    int64_t row = 0;
    for (Growing& picture : running_) {
      picture.row = row;
      row += picture.rows;
      picture.codes.reserve(static_cast<size_t>(codes));
      sketches_.push_back({picture.request_index, picture.index, {}});
    }
    Progress::Phase phase = Progress::Phase::prompt;
    const std::function<void()> on_pass = [&] {
      if (!running_.front().codes.empty()) phase = Progress::Phase::codes;
      report(phase, on_step);
    };
    const BatchShape shape =
        batch_shape(drawing_.model.config(), std::span(order_).subspan(begin, count));
    Batch batch(drawing_, running_, shape, on_pass);
    batch.run();
    for (Growing& picture : running_) {
      report(Progress::Phase::pixels, on_step);
      on_picture(finish(picture, batch.state()));
    }
    done_ += static_cast<int64_t>(running_.size()) * codes;
  }
}

}  // namespace

PromptRows prompt_rows(const PromptBuilder& prompts, const DrawRequest& request) {
  PromptRows rows;
  rows.guided = prompts.draw(request.prompt);
  if (guidance_of(request) != 1) rows.unguided = prompts.unguided(rows.guided, request.negative);
  if (guidance_of(request) == 0) rows.guided.clear();
  return rows;
}

std::vector<PromptRows> drawing_rows(const Config& config, const PromptBuilder& prompts,
                                     std::span<const DrawRequest> requests) {
  std::vector<PromptRows> rows;
  int64_t pictures = 0;
  for (const DrawRequest& request : requests) {
    check_request(request);
    pictures += request.images;
    check(pictures <= kMostPictures, Code::bad_input, "one call draws at most ", kMostPictures,
          " pictures");
    rows.push_back(prompt_rows(prompts, request));
    check_context(config, rows.back().guided);
    check_context(config, rows.back().unguided);
  }
  return rows;
}

std::vector<const PromptRows*> rows_of_pictures(std::span<const PromptRows> rows,
                                                std::span<const DrawRequest> requests) {
  std::vector<const PromptRows*> order;
  for (size_t i = 0; i < rows.size(); ++i) {
    order.insert(order.end(), static_cast<size_t>(requests[i].images), &rows[i]);
  }
  return order;
}

void draw(const Drawing& drawing, std::span<const DrawRequest> requests,
          const OnPicture& on_picture, const OnStep& on_step) {
  Session(drawing, requests).run(on_picture, on_step);
}

}  // namespace janus
