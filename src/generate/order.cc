// See order.h. SPDX-License-Identifier: MIT
#include "generate/order.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/error.h"
#include "generate/sampler.h"
#include "io/edit_source.h"

namespace janus {

namespace {

void check_request(const DrawRequest& request) {
  check(request.images >= 1, Code::bad_input, "images is ", request.images,
        "; it must be 1 or more");
  check(std::isfinite(guidance_of(request)), Code::bad_input, "guidance is ", guidance_of(request),
        "; it must be a finite number (1: no guidance)");
  check_sampling({request.temperature, request.top_k, request.top_p});
}

void check_context(const Config& config, const PromptRows& rows) {
  size_t longest = 0;
  for (const auto* ids : rows.all()) longest = std::max(longest, ids->size());
  const auto tokens = static_cast<int64_t>(longest);
  const int64_t codes = config.image_tokens();
  const int64_t excess =
      tokens + codes - 1 - config.llama.context;  // the last code is not fed back
  if (excess <= 0) return;
  too_long(tokens, tokens - excess, "the prompt has ", tokens, " tokens and a picture takes ",
           codes, " more, but the model's context is ", config.llama.context,
           "; shorten the prompt by at least ", excess, " tokens");
}

// True when the prompts of both are the same ids.
bool same_rows(const DrawRequest& a, const DrawRequest& b) {
  return a.prompt == b.prompt && a.negative == b.negative && a.guidance == b.guidance;
}

}  // namespace

int64_t PromptRows::count() const {
  const auto rows = all();
  return std::count_if(rows.begin(), rows.end(), [](const auto* ids) { return !ids->empty(); });
}

float guidance_of(const DrawRequest& request) {
  return request.guidance.value_or(kPublishedGuidance);
}

float image_guidance_of(EditLayout layout) { return layout == EditLayout::janus_4o ? 5.f : 1.5f; }

PromptRows edit_rows(const PromptBuilder& prompts, const EditRequest& request, int64_t codes) {
  const bool is_4o = prompts.edits() == EditLayout::janus_4o;
  const float text = guidance_of(request.drawing);
  const float image = request.image_guidance.value_or(image_guidance_of(prompts.edits()));
  check(std::isfinite(image) && (!is_4o || image >= 0), Code::bad_input, "image guidance is ",
        image, "; it must be a finite number", is_4o ? " from 0 on" : " (1: none)");
  PromptRows rows;
  rows.shares = is_4o ? PromptRows::Shares{text / (1 + image), 1 - text, text * image / (1 + image)}
                      : PromptRows::Shares{text, 1 - image, image - text};
  rows.guided = prompts.edit(request.instruction, codes);
  rows.unguided = prompts.unguided(rows.guided, request.drawing.negative);
  rows.partial =
      is_4o ? prompts.without_codes(rows.guided) : prompts.without_instruction(rows.guided, codes);
  if (rows.shares[0] == 0) rows.guided.clear();
  if (rows.shares[1] == 0) rows.unguided.clear();
  if (rows.shares[2] == 0) rows.partial.clear();
  return rows;
}

PromptRows prompt_rows(const PromptBuilder& prompts, const DrawRequest& request) {
  PromptRows rows;
  rows.guided = prompts.draw(request.prompt);
  if (guidance_of(request) != 1) rows.unguided = prompts.unguided(rows.guided, request.negative);
  if (guidance_of(request) == 0) rows.guided.clear();
  return rows;
}

std::shared_ptr<const DrawOrder> draw_order(const Config& config, const PromptBuilder& prompts,
                                            std::vector<DrawRequest> requests) {
  DrawOrder order;
  order.rows.reserve(requests.size());
  int64_t pictures = 0;
  const DrawRequest* before = nullptr;
  for (const DrawRequest& request : requests) {
    check_request(request);
    pictures += request.images;
    check(pictures <= kMostPictures, Code::bad_input, "one call draws at most ", kMostPictures,
          " pictures");
    // A hundred thousand pictures of one prompt are as many requests: its ids are made once.
    if (before != nullptr && same_rows(*before, request)) {
      order.rows.push_back(order.rows.back());
    } else {
      order.rows.push_back(prompt_rows(prompts, request));
      check_context(config, order.rows.back());
    }
    before = &request;
  }
  order.requests = std::move(requests);
  return std::make_shared<const DrawOrder>(std::move(order));
}

namespace {

std::shared_ptr<const DrawOrder> instructed_order(const Config& config,
                                                  const PromptBuilder& prompts,
                                                  const EditRequest& request) {
  check(!request.mask && request.outpaint == Outpaint::none, Code::bad_input,
        "an instruction changes the whole picture as it says, a mask and outpainting redraw a part "
        "of it; do one after the other");
  check(request.drawing.prompt.empty(), Code::bad_input,
        "an edit has an instruction, which says what changes, or a prompt, which says what the "
        "whole picture is to show; give one of them");
  check_request(request.drawing);
  check(request.drawing.images <= kMostPictures, Code::bad_input, "one call draws at most ",
        kMostPictures, " pictures");
  DrawOrder order;
  order.requests = {request.drawing};
  order.rows = {edit_rows(prompts, request, config.image_tokens())};
  check_context(config, order.rows.front());
  check_picture(request.image);
  order.source = std::make_shared<const Image>(
      edit_source(request.image, config.image, prompts.edits(), config.preprocessing));
  order.vector_id = prompts.ids().image;
  return std::make_shared<const DrawOrder>(std::move(order));
}

}  // namespace

std::shared_ptr<const DrawOrder> edit_order(const Config& config, const PromptBuilder& prompts,
                                            const EditRequest& request) {
  if (!request.instruction.empty()) return instructed_order(config, prompts, request);
  DrawOrder order = *draw_order(config, prompts, {request.drawing});
  order.original = std::make_shared<const Original>(original_of(config, request));
  order.rows.front().kept = order.original->kept();
  return std::make_shared<const DrawOrder>(std::move(order));
}

std::vector<const PromptRows*> rows_of_pictures(const DrawOrder& order) {
  std::vector<const PromptRows*> rows;
  for (size_t i = 0; i < order.rows.size(); ++i) {
    rows.insert(rows.end(), static_cast<size_t>(order.requests[i].images), &order.rows[i]);
  }
  return rows;
}

}  // namespace janus
