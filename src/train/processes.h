// The processes of a training: which one this is, and what they do together. Alone, nothing here
// costs anything. Everything but missing() is called by all of them in the same order.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "base/log.h"
#include "train/launcher.h"
#include "train/torch.h"

namespace janus::train {

// Another process did not do its part of something common.
struct Deserted : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// How numbers go between processes; Gloo's is in link.cc.
class Link {
 public:
  virtual ~Link() = default;
  // in [size, n], a row for each -> out [size, n], the rows that all have for this one.
  virtual void exchange(torch::Tensor& out, torch::Tensor& in) = 0;
  virtual void gather(torch::Tensor& out, torch::Tensor& part) = 0;  // [n] -> [size * n]
  virtual void sum(torch::Tensor& values) = 0;
  virtual void from_first(torch::Tensor& values) = 0;
};

class RollCall;

class Processes {
 public:
  Processes();  // one alone
  // Meets the others. Throws Code::device_failure where they do not come, Code::not_supported
  // where this program was built without.
  Processes(const Place& place, const Log& log);
  ~Processes();
  Processes(const Processes&) = delete;
  Processes& operator=(const Processes&) = delete;

  int rank() const { return place_.rank; }
  int size() const { return place_.size; }
  int local_size() const { return place_.local_size; }
  bool alone() const { return place_.size == 1; }
  bool leads() const { return place_.rank == 0; }

  // The sum of all. Every process gets the same bits.
  void sum(torch::Tensor& values);
  void sum(std::vector<double>& values);
  // [size * n] -> [n]: this process's part of the sum, added up in the order of ranks.
  torch::Tensor sum_part(const torch::Tensor& values);
  // [n] -> [size * n]: the parts of all, into `whole`.
  void gather(const torch::Tensor& part, torch::Tensor& whole);
  // Those of rank 0 in place of one's own.
  void from_first(torch::Tensor& values);
  double from_first(double value);
  bool any(bool mine);
  std::vector<std::string> texts(const std::string& mine);  // of all, by rank
  void meet();                                              // returns when all have come here
  // Throws Code::bad_input where not all have the same, naming `what` and a process that differs.
  void same(const std::string& what, const std::string& mine);

  // Bytes that this process has sent so far.
  int64_t sent() const { return sent_; }

  // Of a Deserted: says who is missing, as an Error to be thrown.
  [[noreturn]] void explain(const Deserted& what);
  // This process ends with an error of its own: the others will name it and its reason.
  void leave(const std::string& reason);
  // The work is done: who is gone from now on is not missed.
  void part();

 private:
  Place place_;
  std::unique_ptr<Link> link_;
  std::unique_ptr<RollCall> roll_call_;
  int64_t sent_ = 0;
};

}  // namespace janus::train
