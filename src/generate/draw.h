// Prompts -> pictures: the drawing loop. Reading order: draw.cc tells the story; one pass of the
// model is model/model.h; how a code is chosen is sampler.h.
// SPDX-License-Identifier: MIT
#pragma once

#include <functional>
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

// Throws Code::bad_input for a setting out of range and for a prompt that leaves no room in the
// context.
void check_requests(const Drawing& drawing, std::span<const DrawRequest> requests);

// Pictures in the order of requests, then images, each as soon as it is finished. Guided pairs
// share a step, the pictures of one prompt share its keys and values. Throws as check_requests()
// does; Code::cancelled when on_step (requests.hpp, DrawEvents) says so.
using OnPicture = std::function<void(Picture)>;
using OnStep = std::function<bool(const Progress&)>;
void draw(const Drawing& drawing, std::span<const DrawRequest> requests,
          const OnPicture& on_picture, const OnStep& on_step = {});

// The two rows of a prompt; one of them is empty where the guidance does not need it.
struct PromptRows {
  std::vector<int32_t> guided;
  std::vector<int32_t> unguided;
};
// What a request that names none is drawn with: generation_config.json of the published models.
inline constexpr float kPublishedGuidance = 5;

PromptRows prompt_rows(const PromptBuilder& prompts, const DrawRequest& request);

}  // namespace janus
