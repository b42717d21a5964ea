// The running batch: requests of all kinds join between two passes of the language tower, share
// them, and leave when they are done. One thread advances it. What each request gets does not
// depend on the others (kernels/backend.h); how long it takes does.
//
// No work holds the others up for long: prompts go in pieces while anybody streams, and in the
// midst of slow work (the vision tower, the codec) passes are run (generate/pace.h).
// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <cstdint>
#include <exception>
#include <functional>
#include <list>
#include <memory>

#include "generate/kept.h"
#include "generate/pace.h"
#include "generate/pass.h"

namespace janus {

// What members of one batch share.
struct Shared {
  const Model& model;
  KvCache& cache;
  KeptPrompts& prompts;
  KeptPictures& pictures;
  bool remember;  // sequences that end are given to `prompts`, else removed
  int ahead;      // positions of a sequence in one pass; 0: as many as pay (ahead.h)
  const Pace& pace;

  // A new sequence that begins with all of another; prompts that are kept make room.
  int32_t fork(int32_t sequence) const;
  // A new empty sequence, in the same way.
  int32_t add() const;
  // A sequence that has run that and is not needed any more.
  void end(int32_t sequence, std::vector<Fed> fed) const;
};

// One request's part in the batch. What its calls throw ends it, and it alone.
class Member {
 public:
  using Between = std::function<void()>;

  virtual ~Member() = default;
  // Bytes of workspace that its own work takes at most.
  virtual int64_t scratch() const = 0;

  // Rows for the next pass: first those of answers and pictures that grow, one step each, then up
  // to `room` rows of prompts.
  virtual void offer_steps(Pass& pass) = 0;
  virtual void offer_prompts(Pass& pass, int64_t room) = 0;
  // The pass with what it has offered has run.
  virtual void accept(const Pass& pass) = 0;

  // Work without rows: a picture to be read, or pixels to be made. `between` is to be called often.
  virtual bool has_slow_work() const = 0;
  virtual void do_slow_work(Workspace& space, const Between& between) = 0;

  virtual bool over() const = 0;
  // Gives up its sequences; called once, after its end or its failure.
  virtual void leave() noexcept = 0;
};

class RunningBatch {
 public:
  static constexpr int kSequences = 1024;  // at most, of all members and of what is kept
  static constexpr int64_t kKeptPictureBytes = int64_t{256} << 20;  // 54 pictures of the 1B model
  static constexpr int64_t kKeptPromptBytes = int64_t{256} << 20;

  // `blocks` of keys and values for everything that runs at a time. The model must outlive it.
  RunningBatch(const Model& model, Dtype cache, int64_t blocks, bool remember, int ahead = 0);
  ~RunningBatch();
  RunningBatch(const RunningBatch&) = delete;
  RunningBatch& operator=(const RunningBatch&) = delete;

  const Shared& shared() const { return shared_; }

  // `on_end` gets what the member failed of, or null, when it has left. Not from a member's calls.
  // cache_bytes: planned for its keys and values; memory for them is made ready beside passes.
  void join(std::unique_ptr<Member> member, std::function<void(std::exception_ptr)> on_end,
            int64_t cache_bytes = 0);
  bool empty() const { return seats_.empty(); }
  // Joins and advances until it has left; throws what it failed of. Only of an empty batch.
  void run_alone(std::unique_ptr<Member> member);
  // One pass, or one piece of slow work with passes in its midst.
  void advance();

  // What is kept between requests. bytes from any thread.
  int64_t kept_bytes() const { return prompts_.bytes() + pictures_.bytes(); }
  // The share of the blocks that is in use, by requests and by what is kept. From any thread.
  double cache_use() const { return static_cast<double>(used_) / static_cast<double>(blocks_); }
  void forget();
  // Gives memory back that nobody uses now.
  void give_back();

 private:
  struct Seat {
    std::unique_ptr<Member> member;
    std::function<void(std::exception_ptr)> on_end;
    int64_t cache_bytes;
    std::exception_ptr failure;
    bool offered = false;  // rows of the present pass
  };

  static double now();  // seconds
  void pass(Workspace& space);
  void pass_if_due();
  void make_space();
  void make_cache_ready(double pass_began);
  void collect();
  void end_those_over();
  void count_blocks();
  template <class Call>
  void guarded(Seat& seat, const Call& call);

  const Model& model_;
  const int64_t blocks_;
  const int64_t block_bytes_;
  std::atomic<int64_t> used_ = 0;  // of them
  KvCache cache_;
  KeptPrompts prompts_;
  KeptPictures pictures_{kKeptPictureBytes};
  Pace pace_;
  int64_t streaming_ = 0;  // rows of the present pass that are no prompt's
  Shared shared_;
  Pass pass_;
  std::list<Seat> seats_;
  Workspace space_;      // of passes and of slow work
  Workspace inner_;      // of passes in the midst of slow work
  int64_t scratch_ = 0;  // the most that a member takes
};

}  // namespace janus
