// Data parallel inside one process: a step's samples are cut into shards, each computed by a thread
// of its own that uses one core. Against libtorch's own threads inside every operation this waits
// once a step instead of a thousand times: measured in docs/training.md.
// SPDX-License-Identifier: MIT
#pragma once

#include <condition_variable>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace janus::train {

// As many as this process may use where 0 are asked for: of `sharers` on this machine its part,
// unless somebody has bound them to cores of their own already.
int usable_threads(int asked, int sharers = 1);

class Shards {
 public:
  // By usable_threads().
  explicit Shards(int count);
  ~Shards();
  Shards(const Shards&) = delete;
  Shards& operator=(const Shards&) = delete;

  int count() const { return static_cast<int>(threads_.size()); }

  // Calls work(0) .. work(count - 1), each on its thread, and waits for all. An exception of one of
  // them comes out here.
  void run(const std::function<void(int)>& work);

 private:
  void serve(int shard);

  std::mutex mutex_;
  std::condition_variable wake_;
  const std::function<void(int)>* work_ = nullptr;
  int64_t round_ = 0;
  int running_ = 0;
  bool stop_ = false;
  std::exception_ptr failure_;
  std::vector<std::thread> threads_;  // last: they use all of the above
};

}  // namespace janus::train
