// See observe.h. T tokens of a prompt · S side of a picture · I codes of one · C codes in the book.
// SPDX-License-Identifier: MIT
#include "generate/observe.h"

#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include "base/error.h"
#include "generate/ask.h"
#include "generate/pixels.h"
#include "generate/sampler.h"
#include "generate/state.h"
#include "io/resize.h"

namespace janus {

namespace {

// [n, S, S, 3] -> [n, 3, S, S], the order of the reference.
OwnedTensor channels_first(Tensor pixels) {
  const int64_t n = pixels.shape[0], plane = pixels.shape[1] * pixels.shape[2];
  OwnedTensor out(Dtype::f32, {n, 3, pixels.shape[1], pixels.shape[2]});
  const float* from = pixels.f32();
  float* to = out.view.f32();
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t p = 0; p < plane; ++p) {
      for (int64_t c = 0; c < 3; ++c) to[(i * 3 + c) * plane + p] = from[(i * plane + p) * 3 + c];
    }
  }
  return out;
}

void check_ids(std::span<const int32_t> ids, int64_t limit, const char* what) {
  for (const int32_t id : ids) {
    check(id >= 0 && id < limit, Code::bad_input, what, " ", id, " is not in 0..", limit - 1);
  }
}

std::span<const float> row_of(const OwnedTensor& tensor, int64_t row) {
  return {tensor.view.row(row), static_cast<size_t>(tensor.view.cols())};
}

// Greedy ids after a prompt whose last token has `logits`; hidden [1, D] is scratch.
std::vector<int32_t> continue_greedily(const Model& model, State& state, int32_t sequence,
                                       OwnedTensor& logits, Tensor hidden, int tokens,
                                       int32_t end) {
  std::vector<int32_t> ids;
  while (static_cast<int>(ids.size()) < tokens) {
    const int32_t id = likeliest(row_of(logits, 0));
    ids.push_back(id);
    if (id == end || static_cast<int>(ids.size()) == tokens) break;
    model.embed_text(std::span(&id, 1), hidden);
    state.step(std::span(&sequence, 1), hidden);
    model.text_logits(hidden, logits.view);
  }
  return ids;
}

// The rows of one drawing with given codes, step by step as draw.cc runs them.
class Forced {
 public:
  Forced(const Model& model, const PromptRows& prompt, int64_t steps, Dtype cache)
      : model_(model), state_(model, cache, 2, most(prompt) + steps, blocks(prompt, steps)) {
    x_ = OwnedTensor(Dtype::f32, {2, model.config().llama.width});
    start(prompt.guided, 0);
    start(prompt.unguided, 1);
  }

  // logits [2, C] of the next code.
  void logits(Tensor out) { model_.image_logits(x_.view, state_.space(), out); }
  void feed(int32_t code) {
    const std::array<int32_t, 2> codes{code, code};
    model_.embed_codes(codes, state_.space(), x_.view);
    state_.step(sequences_, x_.view);
  }
  Workspace& space() { return state_.space(); }

 private:
  static int64_t most(const PromptRows& prompt) {
    return static_cast<int64_t>(std::max(prompt.guided.size(), prompt.unguided.size()));
  }
  static int64_t blocks(const PromptRows& prompt, int64_t steps) {
    return 2 * KvCache::blocks_for(most(prompt) + steps);
  }
  void start(const std::vector<int32_t>& ids, int64_t row) {
    const auto tokens = static_cast<int64_t>(ids.size());
    OwnedTensor prompt(Dtype::f32, {tokens, model_.config().llama.width});
    model_.embed_text(ids, prompt.view);
    sequences_[static_cast<size_t>(row)] = state_.cache().add();
    state_.prefill(sequences_[static_cast<size_t>(row)], prompt.view);
    model_.backend().copy(prompt.view.slice(tokens - 1, 1), x_.view.slice(row, 1));
  }

  const Model& model_;
  State state_;
  std::array<int32_t, 2> sequences_{};
  OwnedTensor x_;  // [2, D]
};

void observe_logits(const Model& model, Forced& forced, std::span<const int32_t> codes,
                    float guidance, Trace& trace) {
  const int64_t book = model.config().vq.codes;
  const auto steps = static_cast<int64_t>(codes.size());
  OwnedTensor both(Dtype::f32, {2, book});
  OwnedTensor cond(Dtype::f32, {steps, book});
  OwnedTensor uncond(Dtype::f32, {steps, book});
  OwnedTensor guided(Dtype::f32, {steps, book});
  std::vector<int32_t> greedy;
  for (int64_t i = 0; i < steps; ++i) {
    if (i > 0) forced.feed(codes[static_cast<size_t>(i - 1)]);
    forced.logits(both.view);
    model.backend().copy(both.view.slice(0, 1), cond.view.slice(i, 1));
    model.backend().copy(both.view.slice(1, 1), uncond.view.slice(i, 1));
    const std::span<float> out(guided.view.row(i), static_cast<size_t>(book));
    guide(row_of(both, 0), row_of(both, 1), guidance, out);
    greedy.push_back(likeliest(out));
  }
  trace.add("gen.logits.cond", cond.view, {steps, book});
  trace.add("gen.logits.uncond", uncond.view, {steps, book});
  trace.add("gen.logits.guided", guided.view, {steps, book});
  trace.add_ids("gen.greedy_ids", greedy, {steps});
}

// Embeddings in, hidden states of its last `codes` positions out: the prompt and all codes but the
// last in one go, which gives the numbers that one after another gives.
OwnedTensor hidden_states(const Model& model, State& state, std::span<const int32_t> ids,
                          std::span<const int32_t> codes) {
  const int64_t prompt = std::ssize(ids), fed = std::ssize(codes) - 1;
  OwnedTensor x(Dtype::f32, {prompt + fed, model.config().llama.width});
  model.embed_text(ids, x.view.slice(0, prompt));
  model.embed_codes(codes.first(static_cast<size_t>(fed)), state.space(),
                    x.view.slice(prompt, fed));
  state.prefill(state.cache().add(), x.view);
  OwnedTensor last(Dtype::f32, {fed + 1, model.config().llama.width});
  model.backend().copy(x.view.slice(prompt - 1, fed + 1), last.view);
  return last;
}

}  // namespace

void observe_ask(const Model& model, const SpecialIds& special, std::span<const int32_t> ids,
                 std::span<const Image> images, int tokens, Dtype cache, Trace& trace) {
  const Config& config = model.config();
  const auto length = static_cast<int64_t>(ids.size());
  check(length > 0, Code::bad_input, "there are no input ids");
  check(tokens >= 0, Code::bad_input, "tokens is ", tokens, "; it must be 0 or more");
  check_ids(ids, config.llama.vocabulary, "input id");
  const int64_t most = length + tokens;
  check(most <= config.llama.context, Code::bad_input, "the prompt has ", length, " tokens and ",
        tokens, " more are asked for, but the model's context is ", config.llama.context);
  trace.add_ids("input_ids", ids, {length});
  const OwnedTensor pixels = reading_pixels(config, images);
  if (pixels.view) {
    const OwnedTensor shown = channels_first(pixels.view);
    const int64_t side = config.vision.image;
    trace.add("pixel_values", shown.view, {static_cast<int64_t>(images.size()), 3, side, side});
  }
  State state(model, cache, 1, most, KvCache::blocks_for(most));
  OwnedTensor vectors;  // of all pictures at once, so that each tap holds all of them
  if (pixels.view) {
    const auto count = static_cast<int64_t>(images.size());
    vectors = OwnedTensor(Dtype::f32, {count * config.vision.tokens(), config.llama.width});
    model.read_images(pixels.view, state.space(), vectors.view, &trace);
  }
  OwnedTensor x = embed_prompt(model, ids, special.image, vectors.view);
  const int32_t sequence = state.cache().add();
  state.prefill(sequence, x.view, {}, &trace);
  OwnedTensor last(Dtype::f32, {1, config.llama.vocabulary});
  {
    OwnedTensor logits(Dtype::f32, {length, config.llama.vocabulary});
    model.text_logits(x.view, logits.view);
    trace.add("logits", logits.view, {length, config.llama.vocabulary});
    model.backend().copy(logits.view.slice(length - 1, 1), last.view);
  }
  const std::vector<int32_t> greedy =
      continue_greedily(model, state, sequence, last, x.view.slice(0, 1), tokens, special.eos);
  trace.add_ids("greedy_ids", greedy, {static_cast<int64_t>(greedy.size())});
}

void observe_draw(const Model& model, const PromptRows& prompt, std::span<const int32_t> codes,
                  float guidance, Dtype cache, Trace& trace) {
  const Config& config = model.config();
  const auto count = static_cast<int64_t>(codes.size());
  check(count == config.image_tokens(), Code::bad_input, "there are ", count,
        " image ids; a picture of this model has ", config.image_tokens());
  check_ids(codes, config.vq.codes, "image id");
  check(!prompt.guided.empty() && !prompt.unguided.empty(), Code::bad_input,
        "there are no prompt ids");
  check_ids(prompt.guided, config.llama.vocabulary, "prompt id");
  const auto most = static_cast<int64_t>(std::max(prompt.guided.size(), prompt.unguided.size()));
  check(most + count - 1 <= config.llama.context, Code::bad_input, "the prompt has ", most,
        " tokens and a picture takes ", count, " more, but the model's context is ",
        config.llama.context);
  trace.add_ids("cond_ids", prompt.guided, {static_cast<int64_t>(prompt.guided.size())});
  trace.add_ids("uncond_ids", prompt.unguided, {static_cast<int64_t>(prompt.unguided.size())});
  Forced forced(model, prompt, count, cache);
  observe_logits(model, forced, codes, guidance, trace);

  const int64_t side = config.image;
  OwnedTensor pixels(Dtype::f32, {1, side, side, 3});
  model.decode_image(codes, forced.space(), pixels.view, &trace);
  trace.add_pixels("vq.image", to_image(pixels.view.as({side, side, 3})).rgb, {side, side, 3});
}

std::vector<float> guided_logits(const Model& model, Dtype cache, const PromptRows& rows,
                                 std::span<const int32_t> codes, float guidance) {
  const int64_t count = std::ssize(codes), book = model.config().vq.codes;
  const auto most =
      count - 1 + static_cast<int64_t>(std::max(rows.guided.size(), rows.unguided.size()));
  State state(model, cache, 2, most, 2 * KvCache::blocks_for(most));
  const OwnedTensor guided = hidden_states(model, state, rows.guided, codes);
  const OwnedTensor unguided = hidden_states(model, state, rows.unguided, codes);
  // So many at a time, for what the image head works in.
  constexpr int64_t kTogether = 64;
  std::vector<float> out(static_cast<size_t>(count * book));
  for (int64_t i = 0; i < count; i += kTogether) {
    const int64_t n = std::min(kTogether, count - i);
    OwnedTensor with(Dtype::f32, {n, book}), without(Dtype::f32, {n, book});
    model.image_logits(guided.view.slice(i, n), state.space(), with.view);
    model.image_logits(unguided.view.slice(i, n), state.space(), without.view);
    const auto values = static_cast<size_t>(n * book);
    guide({with.view.row(0), values}, {without.view.row(0), values}, guidance,
          std::span(out).subspan(static_cast<size_t>(i * book), values));
  }
  return out;
}

void observe_encode(const Model& model, const Image& image, Trace& trace) {
  const int64_t side = model.config().image;
  const Image prepared = cover_and_crop(image, model.config().image);
  OwnedTensor pixels(Dtype::f32, {1, side, side, 3});
  to_pixels(prepared, pixels.view);
  trace.add("pixel_values", channels_first(pixels.view).view, {3, side, side});
  Workspace space;
  std::vector<int32_t> codes(static_cast<size_t>(model.config().image_tokens()));
  model.encode_image(pixels.view, space, codes, &trace);
}

}  // namespace janus
