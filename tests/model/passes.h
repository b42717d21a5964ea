// The three passes of a trace (ask, draw, encode) on inputs from the reference trace, so that
// neither tokenizer nor picture reader takes part.
// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>

#include "model/support.h"

namespace janus::testing {

// Everything `ask` has: towers, logits of all rows, `tokens` greedy ids.
inline Trace trace_ask(const Model& model, const Reference& reference, int32_t image_id,
                       Dtype cache_dtype = Dtype::f32) {
  const Config& config = model.config();
  const int64_t width = config.llama.width, vocabulary = config.llama.vocabulary;
  const std::vector<int32_t> input = reference.ids("input_ids");
  const auto count = static_cast<int64_t>(input.size());
  const auto greedy = static_cast<int64_t>(reference.ids("greedy_ids").size());
  Trace trace;
  Workspace space;
  KvCache cache = cache_for(model, 1, count + greedy, cache_dtype);
  Values x({count, width});
  model.embed_text(input, x.view);
  const int64_t side = config.vision.image, patches = config.vision.tokens();
  const int64_t images = reference.shape("pixel_values")[0];
  Values pixels(reference.channels_last("pixel_values"), {images, side, side, 3});
  Values vision({images * patches, width});
  model.read_images(pixels.view, space, vision.view, &trace);
  int64_t next = 0;
  for (int64_t r = 0; r < count; ++r) {
    if (input[static_cast<size_t>(r)] != image_id) continue;
    model.backend().copy(vision.view.slice(next++, 1), x.view.slice(r, 1));
  }
  EXPECT_EQ(next, images * patches);
  const int32_t sequence = cache.add();
  run_rows(model, cache, sequence, space, x.view, &trace);
  Values logits({count, vocabulary});
  model.text_logits(x.view, logits.view);
  trace.add("logits", logits.view, {count, vocabulary});
  std::vector<int32_t> ids = {argmax(logits.view.row(count - 1), vocabulary)};
  while (static_cast<int64_t>(ids.size()) < greedy) {
    model.embed_text(std::span(ids).last(1), x.view.slice(0, 1));
    run_rows(model, cache, sequence, space, x.view.slice(0, 1));
    model.text_logits(x.view.slice(0, 1), logits.view.slice(0, 1));
    ids.push_back(argmax(logits.view.row(0), vocabulary));
  }
  trace.add_ids("greedy_ids", ids, {greedy});
  return trace;
}

// Both prompt rows in one batch, every code of `codes` fed back, then the decoder.
inline Trace trace_draw(const Model& model, const Reference& reference,
                        const std::vector<int32_t>& codes, float guidance,
                        Dtype cache_dtype = Dtype::f32) {
  const Config& config = model.config();
  const int64_t width = config.llama.width, many = config.vq.codes;
  const auto steps = static_cast<int64_t>(codes.size());
  Trace trace;
  Workspace space;
  KvCache cache = cache_for(model, 2, 64 + steps, cache_dtype);
  Values cond({steps, many}), uncond({steps, many}), guided({steps, many});
  Values last({2, width}), logits({2, many});
  const char* prompts[] = {"cond_ids", "uncond_ids"};
  for (int64_t row = 0; row < 2; ++row) {
    const std::vector<int32_t> prompt = reference.ids(prompts[row]);
    Values x({static_cast<int64_t>(prompt.size()), width});
    model.embed_text(prompt, x.view);
    run_rows(model, cache, cache.add(), space, x.view);
    model.backend().copy(x.view.slice(x.view.rows() - 1, 1), last.view.slice(row, 1));
  }
  std::vector<int32_t> greedy;
  for (int64_t i = 0; i < steps; ++i) {
    if (i > 0) {
      const std::vector<int32_t> code(2, codes[static_cast<size_t>(i - 1)]);
      const std::vector<int32_t> sequences = {0, 1};
      const std::vector<int32_t> positions = {static_cast<int32_t>(cache.extend(0, 1)),
                                              static_cast<int32_t>(cache.extend(1, 1))};
      model.embed_codes(code, space, last.view);
      const Rows rows{sequences, positions, cache.blocks(), cache.blocks_per_sequence()};
      model.forward(last.view, rows, cache, space);
    }
    model.image_logits(last.view, space, logits.view);
    for (int64_t c = 0; c < many; ++c) {
      const float a = cond.view.row(i)[c] = logits.view.row(0)[c];
      const float b = uncond.view.row(i)[c] = logits.view.row(1)[c];
      guided.view.row(i)[c] = b + guidance * (a - b);
    }
    greedy.push_back(argmax(guided.view.row(i), many));
  }
  trace.add("gen.logits.cond", cond.view, {steps, many});
  trace.add("gen.logits.uncond", uncond.view, {steps, many});
  trace.add("gen.logits.guided", guided.view, {steps, many});
  trace.add_ids("gen.greedy_ids", greedy, {steps});
  const int64_t side = config.image;
  Values pixels({1, side, side, 3});
  model.decode_image(codes, space, pixels.view, &trace);
  std::vector<uint8_t> image;
  for (const float v : pixels.data) {
    image.push_back(static_cast<uint8_t>(std::clamp((v + 1) / 2 * 255, 0.0f, 255.0f)));
  }
  trace.add_pixels("vq.image", image, {side, side, 3});
  return trace;
}

inline Trace trace_encode(const Model& model, const Reference& reference) {
  const int64_t side = model.config().image;
  Trace trace;
  Workspace space;
  Values pixels(reference.channels_last("pixel_values"), {1, side, side, 3});
  std::vector<int32_t> codes(static_cast<size_t>(model.config().image_tokens()));
  model.encode_image(pixels.view, space, codes, &trace);
  return trace;
}

}  // namespace janus::testing
