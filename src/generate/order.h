// What is to be drawn: requests that were looked at, and the ids of their prompts.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "generate/edit.h"
#include "generate/prompt.h"
#include "januspro/requests.hpp"
#include "model/config.h"

namespace janus {

// The two rows of a prompt; one of them is empty where the guidance does not need it.
struct PromptRows {
  std::vector<int32_t> guided;
  std::vector<int32_t> unguided;
  int64_t kept = 0;  // codes of the picture that stand, those of an edit

  int64_t count() const { return (guided.empty() ? 0 : 1) + (unguided.empty() ? 0 : 1); }
};

// Requests that have been looked at, and the ids of their prompts.
struct DrawOrder {
  std::vector<DrawRequest> requests;
  std::vector<PromptRows> rows;              // of each request
  std::shared_ptr<const Original> original;  // of an edit, whose only request it is; else none
};

// What a request that names none is drawn with: generation_config.json of the published models.
inline constexpr float kPublishedGuidance = 5;
float guidance_of(const DrawRequest& request);

PromptRows prompt_rows(const PromptBuilder& prompts, const DrawRequest& request);

// The most pictures of one call.
inline constexpr int64_t kMostPictures = 1 << 20;

// Throws Code::bad_input for a setting out of range, for more pictures than kMostPictures in all,
// and for a prompt that leaves no room in the context.
std::shared_ptr<const DrawOrder> draw_order(const Config& config, const PromptBuilder& prompts,
                                            std::vector<DrawRequest> requests);
// The same of an edit. Throws as original_of() does, too.
std::shared_ptr<const DrawOrder> edit_order(const Config& config, const PromptBuilder& prompts,
                                            const EditRequest& request);
// The rows of each picture, in the order in which they are drawn; points into `order`.
std::vector<const PromptRows*> rows_of_pictures(const DrawOrder& order);

}  // namespace janus
