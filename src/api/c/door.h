// What C reaches of C++ that januspro.hpp keeps to itself: calls that wait, with a job for their
// results, and a job's failure. SPDX-License-Identifier: MIT
#pragma once

#include <span>

#include "api/task.h"
#include "januspro/januspro.h"
#include "januspro/januspro.hpp"

namespace janus {

struct CDoor {
  // On this thread, as Engine::draw() and its kin; they throw as those do.
  static Job draw(Engine& engine, std::span<const DrawRequest> requests, const DrawEvents& events);
  static Job edit(Engine& engine, const EditRequest& request, const DrawEvents& events);
  static Job ask(Engine& engine, const AskRequest& request, const OnText& on_text);
  static Job embed(Engine& engine, const EmbedRequest& request);
  static Task& task(const Job& job) { return *job.task_; }

 private:
  template <class... Request>
  static Job run(Engine& engine, const Request&... request);
};

}  // namespace janus

struct januspro_engine {
  janus::Engine engine;
};
