// Several files at once, with patience: what fails for a while is asked for again after a pause
// that grows, and goes on where it was cut. One thread, one loop; libcurl's multi interface does
// the waiting. SPDX-License-Identifier: MIT
#pragma once

#include <functional>
#include <memory>
#include <span>

#include "base/log.h"
#include "hub/options.h"
#include "hub/transfer.h"

namespace janus {

class Fetcher {
 public:
  // `tick` is called at least ten times a second and may throw; `log` hears of repetitions.
  Fetcher(const HubOptions& options, std::function<void()> tick, Log log);
  ~Fetcher();
  Fetcher(const Fetcher&) = delete;
  Fetcher& operator=(const Fetcher&) = delete;

  // Returns once every receiver has accepted its file; `done` is called for each as it happens.
  // Throws Code::bad_input: refused (401, 403, 404); Code::bad_checkpoint: wrong bytes twice;
  // Code::device_failure: no connection, or the server fails for good; Code::busy: it keeps failing
  // in ways that may pass; and what `tick` and receivers throw. What came stays in the receivers.
  void get(std::span<const Get> gets, const std::function<void(size_t)>& done);

 private:
  struct Job;
  struct Multi;

  void start(Job& job);
  bool end_of(Job& job, CURLcode result);
  void put_off(Job& job, const Transfer::Next& next);
  void wait(std::span<const std::unique_ptr<Job>> jobs);

  const HubOptions& options_;
  std::function<void()> tick_;
  Log log_;
  std::unique_ptr<Multi> multi_;
  bool contact_ = false;  // a server has been reached
};

}  // namespace janus
