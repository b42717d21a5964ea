// DrawingRun: one drawing from its request to its files, for every dialect. What its owner is told
// comes on a worker, one thing at a time and in order. SPDX-License-Identifier: MIT
#pragma once

#include <memory>
#include <optional>

#include "serve/desk.h"
#include "serve/openai_images.h"
#include "serve/serial.h"

namespace janus::serve {

class DrawingRun : public std::enable_shared_from_this<DrawingRun>, public Visible {
 public:
  // Each may be empty but `on_end`.
  struct Told {
    std::function<void(const Partial&, const std::string& file)> on_partial = {};
    std::function<void(int index, uint64_t seed, int rows, const std::string& file)> on_preview =
        {};
    std::function<void(int index, const Drawn&)> on_picture = {};
    // All of them, or what went wrong; interrupted, what there is.
    std::function<void(std::vector<Drawn>, std::exception_ptr)> on_end = {};
  };

  // Throws Refusal `queue_full`.
  DrawingRun(Desk& desk, const DrawCall& call);
  // Throws what the engine refuses. `gone` of the reply cancels it.
  void start(Told told, Reply& reply);

  const DrawUsage& usage() const { return usage_; }

  bool over() const override { return over_; }
  void interrupt() override;
  double progress() const override;
  int images() const override { return call_.request.images; }
  int64_t steps_done() const override { return codes_; }
  int64_t steps() const override { return total_; }
  double seconds() const override { return ticket_.seconds() - ticket_.waited(); }
  std::string picture() const override;

 private:
  bool step(const Progress& progress);
  void look(const Sketch& sketch);
  void keep(const std::shared_ptr<const Picture>& picture);
  void ended();
  Drawn handed_out(const Picture& picture) const;
  Image enlarged(std::span<const int32_t> codes) const;

  Desk& desk_;
  const DrawCall call_;
  Ticket ticket_;
  DrawUsage usage_;
  Told told_;
  std::shared_ptr<Serial> serial_;
  std::vector<Drawn> done_;  // on the worker alone
  std::vector<int> rows_;    // of each picture, looked at; on the engine's thread alone
  std::atomic<int64_t> codes_{0};
  int64_t total_ = 0;
  std::atomic<bool> interrupted_{false};
  std::atomic<bool> gone_{false};
  std::atomic<bool> over_{false};
  mutable std::mutex mutex_;  // of what follows
  std::optional<Job> job_;
};

}  // namespace janus::serve
