// What is to be drawn: requests that were looked at, and the ids of their prompts.
// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "generate/edit.h"
#include "generate/prompt.h"
#include "januspro/requests.hpp"
#include "model/config.h"

namespace janus {

// The rows of a prompt; those are empty that the guidance does not need. Of an edit by instruction
// they hold places of the source's vectors and codes (PromptBuilder::edit).
struct PromptRows {
  static constexpr size_t kMost = 3;
  using Shares = std::array<float, kMost>;

  std::vector<int32_t> guided;        // all that is asked for
  std::vector<int32_t> unguided;      // nothing of it
  std::vector<int32_t> partial = {};  // of an edit by instruction: a part of it
  // What the logits of each count there, in this order; they add up to 1. Elsewhere guide() says
  // it.
  Shares shares = {};
  int64_t kept = 0;  // codes of the picture that stand, those of an edit by keeping

  std::array<const std::vector<int32_t>*, kMost> all() const {
    return {&guided, &unguided, &partial};
  }
  int64_t count() const;
};

// Requests that have been looked at, and the ids of their prompts.
struct DrawOrder {
  std::vector<DrawRequest> requests;
  std::vector<PromptRows> rows;  // of each request
  // Of an edit, whose only request it is: by keeping, or by instruction. Else none.
  std::shared_ptr<const Original> original = {};
  std::shared_ptr<const Image> source = {};  // S × S, of edit_source()
  int32_t vector_id = -1;                    // in its rows: a place of the source's vectors
};

// What a request that names none is drawn with: generation_config.json of the published models.
inline constexpr float kPublishedGuidance = 5;
float guidance_of(const DrawRequest& request);

// What an edit by instruction that names none is drawn with. (Janus-4o: as published)
float image_guidance_of(EditLayout layout);

PromptRows prompt_rows(const PromptBuilder& prompts, const DrawRequest& request);

// The rows of an edit by instruction, of guidance g and image guidance i.
//   und+gen: nothing + i · (the picture - nothing) + g · (both - the picture)
//   janus4o: nothing + g · (m - nothing), where m = (both + i · both without codes) / (1 + i)
// (FreedomIntelligence/ShareGPT-4o-Image for the latter.) Throws as
// PromptBuilder::edit does, and Code::bad_input for guidance that is not finite.
PromptRows edit_rows(const PromptBuilder& prompts, const EditRequest& request, int64_t codes);

// The most pictures of one call.
inline constexpr int64_t kMostPictures = 1 << 20;

// Throws Code::bad_input for a setting out of range, for more pictures than kMostPictures in all,
// and for a prompt that leaves no room in the context.
std::shared_ptr<const DrawOrder> draw_order(const Config& config, const PromptBuilder& prompts,
                                            std::vector<DrawRequest> requests);
// The same of an edit. Throws as original_of() and edit_rows() do, too, and Code::bad_input for
// what belongs to the other kind of edit.
std::shared_ptr<const DrawOrder> edit_order(const Config& config, const PromptBuilder& prompts,
                                            const EditRequest& request);
// The rows of each picture, in the order in which they are drawn; points into `order`.
std::vector<const PromptRows*> rows_of_pictures(const DrawOrder& order);

}  // namespace janus
