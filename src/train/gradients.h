// The gradients of a step: of the threads of this process and of all processes, over the passes,
// added up in a fixed order. Between processes they travel bucket by bucket while backward is still
// at work on what lies nearer to the input.
// SPDX-License-Identifier: MIT
#pragma once

#include <condition_variable>
#include <exception>
#include <functional>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "train/buckets.h"
#include "train/optimizer.h"
#include "train/processes.h"
#include "train/shards.h"
#include "train/torch.h"

namespace janus::train {

// Which elements a process updates: all there are, or its part of them.
struct Division {
  std::vector<std::string> names;  // of the parameters, in the order of the buckets
  std::vector<torch::Tensor> parameters;
  Buckets buckets;
  Sharing sharing = Sharing::none;

  // Of bucket after bucket what this process updates; `at` counts from the bucket's beginning
  // where it keeps all of it, from its part's otherwise.
  std::vector<Stretch> updated(size_t bucket, int rank) const;
};

// `order`: names from the input to the output; parameters that it lacks are taken as the output's.
Division divide(const NamedTensors& parameters, const std::vector<std::string>& order,
                int processes, Sharing sharing);

class Gradients {
 public:
  // Of one process alone; their sums become the parameters' grad().
  Gradients(const NamedTensors& parameters, Shards& shards);
  // Of many. The division must outlive it.
  Gradients(const Division& division, Shards& shards, Processes& processes);
  ~Gradients();
  Gradients(const Gradients&) = delete;
  Gradients& operator=(const Gradients&) = delete;

  // Nothing of another step is left.
  void begin();
  // Adds those of a pass. `loss`: of one shard, on its thread. After the `last` pass they are
  // whole.
  void add(bool last, const std::function<torch::Tensor(int shard)>& loss);
  // Of everything that is updated here, in order: of parameters alone, or of the division's
  // stretches.
  const StepGradients& result() const { return result_; }
  // A parameter of which they are not all finite; empty where there is none.
  std::string not_finite() const;

 private:
  void add_alone(const std::function<torch::Tensor(int shard)>& loss);
  void watch(size_t parameter);
  void deliver(int shard, size_t parameter, const torch::Tensor& grad);
  void close(int shard);
  void serve();
  void send(size_t bucket);
  torch::Tensor local_sum(size_t bucket);
  void finish();

  std::vector<std::string> names_;
  std::vector<torch::Tensor> parameters_;
  Shards& shards_;
  StepGradients result_;

  // Of many processes.
  const Division* division_ = nullptr;
  Processes* processes_ = nullptr;
  std::vector<std::vector<size_t>> buckets_of_;  // of each parameter
  std::vector<torch::Tensor> sums_;              // of each bucket: of this process
  std::vector<torch::Tensor> kept_;              // … of all, whole or this one's part
  std::vector<bool> met_;                        // whether a parameter had one
  bool last_ = false;
  std::mutex mutex_;  // of what follows
  std::condition_variable wake_;
  std::vector<std::vector<torch::Tensor>> grads_;  // of each shard, by parameter
  std::vector<std::vector<bool>> delivered_;
  std::vector<size_t> wanted_;  // of each bucket: stretches times shards that are to come
  size_t next_ = 0;             // bucket to be sent; all of them: none is
  bool stop_ = false, given_up_ = false;
  std::exception_ptr failure_;
  std::thread sender_;
};

}  // namespace janus::train
