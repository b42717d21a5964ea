// Who of a training's processes is still there. Each says so twice a second on a board that all can
// see; rank 0 watches the others, they watch rank 0, and who finds one silent, or leaves with a
// reason of its own, writes it down for all. No libtorch here.
// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

namespace janus::train {

// A few words and counters; every call may throw where it cannot be reached.
class Board {
 public:
  virtual ~Board() = default;
  virtual void write(const std::string& key, const std::string& text) = 0;
  virtual std::optional<std::string> read(const std::string& key) = 0;
  virtual int64_t add(const std::string& key, int64_t number) = 0;  // -> the sum so far
};

class RollCall {
 public:
  static constexpr std::chrono::milliseconds kBeat{500};

  // `name`: of this process for people, a machine and a number. Calls begin at once.
  RollCall(std::unique_ptr<Board> board, int rank, int size, const std::string& name,
           std::chrono::milliseconds beat = kBeat);
  ~RollCall();
  RollCall(const RollCall&) = delete;
  RollCall& operator=(const RollCall&) = delete;

  // What became of whoever is missing, "process 2 of 4 (host, process id 71) …", once it is known:
  // half a minute after its last word, or a few seconds where somebody has been cut off from it.
  std::optional<std::string> missing() const;
  // This process has been cut off from one: whoever is silent is to be found soon.
  void hurry();
  // Waits until it is known which, or as long as that can take.
  std::string who_is_missing();
  // This process ends early, and why: the others are to say so.
  void leave(const std::string& reason);

 private:
  struct Watched {
    int64_t beats = -1;
    int silent = 0;  // own beats since it moved
  };
  void serve();
  void once();
  void watch(int rank);
  void spread_hurry();
  void hear(const std::string& missing);
  void wait_until_told(std::unique_lock<std::mutex>& lock);
  void wait_beats(std::unique_lock<std::mutex>& lock, int beats,
                  const std::function<bool()>& ready);
  void found(int rank, const std::string& what);
  int patience() const { return hurry_ ? kCutOff : kSilent; }

  // Counted in own beats: of processes that are stopped together and go on together none is
  // missing.
  static constexpr int kSilent = 60, kCutOff = 6;

  std::unique_ptr<Board> board_;
  const int rank_, size_;
  const std::chrono::milliseconds beat_;
  std::map<int, Watched> watched_;
  int unreachable_ = 0;
  bool leaving_ = false, hurry_told_ = false;
  mutable std::mutex mutex_;  // of what follows
  std::condition_variable wake_;
  int64_t served_ = 0;  // beats
  bool stop_ = false, hurry_ = false;
  std::optional<std::string> missing_;
  bool all_know_ = false;  // of the first: whether it may go, and the board with it
  std::string left_;       // why this process leaves
  std::thread thread_;     // last: it uses all of the above
};

}  // namespace janus::train
