// Prompts -> pictures: the drawing loop. Reading order: draw.cc tells the story; one pass of the
// model is model/model.h; how a code is chosen is sampler.h.
// SPDX-License-Identifier: MIT
#pragma once

#include <span>
#include <vector>

#include "generate/prompt.h"
#include "januspro/requests.hpp"
#include "model/model.h"

namespace janus {

// What every request of one engine shares.
struct Drawing {
  const Model& model;
  const PromptBuilder& prompts;
  Dtype cache = Dtype::f32;  // of keys and values
  int pictures_at_once = 8;
};

// Pictures in the order of requests, then images. Guided pairs share a step, the pictures of one
// prompt share its keys and values. Throws Code::bad_input for a setting out of range and for a
// prompt that leaves no room in the context; Code::cancelled when on_step says so.
std::vector<Picture> draw(const Drawing& drawing, std::span<const DrawRequest> requests,
                          const DrawEvents& events = {});

// The two rows of a prompt; one of them is empty where the guidance does not need it.
struct PromptRows {
  std::vector<int32_t> guided;
  std::vector<int32_t> unguided;
};
// What a request that names none is drawn with: generation_config.json of the published models.
inline constexpr float kPublishedGuidance = 5;

PromptRows prompt_rows(const PromptBuilder& prompts, const DrawRequest& request);

}  // namespace janus
