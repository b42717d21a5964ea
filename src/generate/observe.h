// Observed passes: reading, drawing and encoding with every tap on, for comparing with another
// implementation. The passes are those of ask.cc and draw.cc, with ids and codes given from outside
// where a choice would otherwise let one rounding decide what comes after it.
// Names and shapes of the tensors: docs/formats.md. SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "generate/draw.h"
#include "generate/prompt.h"
#include "model/model.h"

namespace janus {

// input_ids, pixel_values, vision.*, aligner.out, lm.*, logits, and greedy_ids: at most `tokens`
// answered ids, the end token included. `cache`: type of keys and values.
void observe_ask(const Model& model, const SpecialIds& special, std::span<const int32_t> ids,
                 std::span<const Image> images, int tokens, Dtype cache, Trace& trace);

// cond_ids, uncond_ids, gen.logits.{cond,uncond,guided}, gen.greedy_ids, vq.{codes,pixels,image}.
// `codes` are fed back whatever the logits say. Throws Code::bad_input unless there is one for each
// place of a picture, all in the book.
void observe_draw(const Model& model, const PromptRows& prompt, std::span<const int32_t> codes,
                  float guidance, Dtype cache, Trace& trace);

// The numbers of gen.logits.guided, [I, C] of a picture of I codes and a book of C, in one pass for
// all codes. Codes and prompts are those of this model.
std::vector<float> guided_logits(const Model& model, Dtype cache, const PromptRows& rows,
                                 std::span<const int32_t> codes, float guidance);

// pixel_values, vq.latent, vq.ids.
void observe_encode(const Model& model, const Image& image, Trace& trace);

}  // namespace janus
