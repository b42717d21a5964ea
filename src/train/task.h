// What a run trains, as the loop in run.cc sees it: a network with its loss, and a report on
// samples it has not seen. Two kinds exist: codec_task.h and language_task.h.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include "train/operations.h"
#include "train/optimizer.h"
#include "train/processes.h"
#include "train/shards.h"
#include "train/shown.h"
#include "train/torch.h"
#include "world/scene.h"

namespace janus::train {

class Task {
 public:
  virtual ~Task() = default;

  // Its parameter names are those of the checkpoint.
  virtual torch::nn::Module& network() = 0;

  // Parameters that help to train and are no part of the checkpoint's weights.
  virtual NamedTensors helpers() { return {}; }

  // Factors of a low-rank adapter; where there are any, they are trained and the network is not.
  virtual NamedTensors adapter() { return {}; }

  // Before start(): looks at the data, so that what is wrong with all of it is said before any time
  // is spent. In `run`, a folder, rows that cannot be used are named from then on, and codes kept;
  // without one nothing is.
  virtual void open_data(const std::filesystem::path& run) = 0;
  virtual int64_t broken_rows() const = 0;  // different ones, so far

  // The data of steps comes in order, from that of `first_step`: all passes of a step at once, as
  // what a target counts depends on all of them.
  virtual void start(int64_t first_step) = 0;
  virtual void next() = 0;
  virtual StepWork work() const = 0;  // of that data
  // Loss of one shard of a pass of that data, scaled so that passes, shards and processes add up to
  // the step's; figures likewise. Called for all shards at once, each on its thread.
  virtual torch::Tensor loss(int64_t step, int64_t pass, int shard, int shards,
                             Figures& figures) = 0;
  // Names the samples of that shard, for people; empty where it has none.
  virtual std::string samples(int64_t pass, int shard, int shards) const = 0;
  // Before the optimizer's step: what after() needs of other processes, so that one that dies
  // leaves no step half done.
  virtual void meet(int64_t) {}
  // After the optimizer's step, which follows the last pass.
  virtual void after(int64_t step, Optimizer& optimizer, Figures& figures) = 0;

  // What must be kept in a checkpoint besides weights and optimizer.
  virtual NamedTensors state() const = 0;

  // Scores on samples of `split` with the weights as they are; leaves pictures in `dir`, their
  // names ending in `name`.
  virtual Evaluation evaluate(Split split, const std::filesystem::path& dir,
                              const std::string& name, Shards& shards) = 0;
};

// Each of the processes makes its portion of a pass's rows; they must outlive the task.
std::unique_ptr<Task> make_codec_task(const Recipe& recipe, Processes& processes);
std::unique_ptr<Task> make_language_task(const Recipe& recipe, Processes& processes);

}  // namespace janus::train
