// What an engine is made of. SPDX-License-Identifier: MIT
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <span>

#include "api/scheduler.h"
#include "api/task.h"
#include "generate/order.h"
#include "generate/plan.h"
#include "generate/preview.h"
#include "generate/prompt.h"
#include "januspro/januspro.hpp"
#include "model/checkpoint.h"
#include "model/model.h"

namespace janus {

struct Engine::Parts {
  Checkpoint checkpoint;
  Model model;
  PromptBuilder prompts;
  Setup setup;
  int pictures_at_once;
  ModelInfo info;
  std::shared_ptr<const PreviewMap> preview;
  std::mutex preview_fit;              // one fits at a time
  std::mutex preview_set;              // preview() looks while others draw
  std::optional<Scheduler> scheduler;  // last, as its tasks use the rest

  std::shared_ptr<Task> task(std::span<const DrawRequest> requests, const DrawEvents& events);
  std::shared_ptr<Task> task(const EditRequest& request, const DrawEvents& events);
  std::shared_ptr<Task> task(std::shared_ptr<const DrawOrder> order, const DrawEvents& events);
  std::shared_ptr<Task> task(const AskRequest& request, const OnText& on_text);
  std::shared_ptr<Task> task(const EmbedRequest& request);
  void check_reads() const;
  void check_draws() const;
  void check_encodes() const;
  std::shared_ptr<const DrawOrder> order(const EditRequest& request) const;
  Setup setup_now() const;
};

}  // namespace janus
