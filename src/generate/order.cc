// See order.h. SPDX-License-Identifier: MIT
#include "generate/order.h"

#include <cmath>
#include <utility>

#include "base/error.h"
#include "generate/sampler.h"

namespace janus {

namespace {

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

float guidance_of(const DrawRequest& request) {
  return request.guidance.value_or(kPublishedGuidance);
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
      check_context(config, order.rows.back().guided);
      check_context(config, order.rows.back().unguided);
    }
    before = &request;
  }
  order.requests = std::move(requests);
  return std::make_shared<const DrawOrder>(std::move(order));
}

std::shared_ptr<const DrawOrder> edit_order(const Config& config, const PromptBuilder& prompts,
                                            const EditRequest& request) {
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
