// See running.h. SPDX-License-Identifier: MIT
#include "generate/running.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/error.h"
#include "generate/state.h"

namespace janus {

int32_t Shared::fork(int32_t sequence) const {
  while (cache.free_sequences() == 0 && prompts.drop()) {
  }
  return cache.fork(sequence);
}

int32_t Shared::add() const {
  while (cache.free_sequences() == 0 && prompts.drop()) {
  }
  return cache.add();
}

void Shared::end(int32_t sequence, std::vector<Fed> fed) const {
  remember && !fed.empty() ? prompts.keep(sequence, std::move(fed)) : cache.remove(sequence);
}

double RunningBatch::now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

RunningBatch::RunningBatch(const Model& model, Dtype cache, int64_t blocks, bool remember,
                           int ahead)
    : model_(model),
      blocks_(blocks),
      block_bytes_(KvCache::bytes(model.backend(), model.config().llama, cache, 1)),
      cache_(model.backend(), model.config().llama, cache, kSequences, model.config().llama.context,
             blocks),
      prompts_(cache_, block_bytes_, kKeptPromptBytes),
      shared_{model, cache_, prompts_, pictures_, remember, ahead, pace_},
      pass_(model, cache_, prompts_) {}

RunningBatch::~RunningBatch() {
  for (Seat& seat : seats_) seat.member->leave();
}

void RunningBatch::join(std::unique_ptr<Member> member,
                        std::function<void(std::exception_ptr)> on_end, int64_t cache_bytes) {
  const int64_t scratch = member->scratch();
  if (seats_.empty()) {
    scratch_ = 0;
    inner_ = Workspace();
    if (space_.bytes() > 2 * scratch) space_ = Workspace();
  }
  scratch_ = std::max(scratch_, scratch);
  seats_.push_back({std::move(member), std::move(on_end), cache_bytes, nullptr, false});
}

template <class Call>
void RunningBatch::guarded(Seat& seat, const Call& call) {
  try {
    call();
  } catch (...) {
    seat.failure = std::current_exception();
  }
}

// Rows of all members: those that stream always, prompts as far as they do not hold those up.
void RunningBatch::collect() {
  pass_.clear();
  pace_.set_members(seats_.size());
  const auto offer = [&](const auto& call) {
    for (Seat& seat : seats_) {
      if (seat.failure) continue;
      const int64_t before = pass_.rows();
      guarded(seat, [&] { call(*seat.member); });
      if (seat.failure) pass_.take_back(before);
      seat.offered = seat.offered || pass_.rows() > before;
    }
  };
  for (Seat& seat : seats_) seat.offered = false;
  offer([&](Member& member) { member.offer_steps(pass_); });
  streaming_ = pass_.rows();
  const int64_t most = pace_.prompt_rows(streaming_, State::kPrefillRows);
  offer([&](Member& member) {
    const int64_t room = streaming_ + most - pass_.rows();
    if (room > 0) member.offer_prompts(pass_, room);
  });
}

void RunningBatch::pass(Workspace& space) {
  collect();
  const double start = now();
  if (pass_.rows() == 0) return pace_.passed(0, start, start);
  const auto each_offering = [&](const auto& call) {
    for (Seat& seat : seats_) {
      if (seat.offered && !seat.failure) guarded(seat, [&] { call(*seat.member); });
    }
  };
  try {
    const int64_t needed = pass_.shape().scratch(model_.config());
    if (space.bytes() < needed) space = Workspace(needed);
    Workspace::Frame frame(space);
    pass_.run(space, frame);
    pace_.passed(pass_.rows(), start, now());
    each_offering([&](Member& member) { member.accept(pass_); });
    make_cache_ready(start);
  } catch (...) {
    const std::exception_ptr failure = std::current_exception();
    pass_.take_back(0);
    for (Seat& seat : seats_) {
      if (seat.offered && !seat.failure) seat.failure = failure;
    }
  }
}

void RunningBatch::end_those_over() {
  for (auto seat = seats_.begin(); seat != seats_.end();) {
    if (!seat->failure && !seat->member->over()) {
      ++seat;
      continue;
    }
    seat->member->leave();
    Seat ended = std::move(*seat);
    seat = seats_.erase(seat);
    ended.member = nullptr;  // with it goes what the request holds
    count_blocks();
    ended.on_end(ended.failure);
  }
}

// In the midst of what is slow.
void RunningBatch::pass_if_due() {
  pace_.did_piece(now());
  if (!pace_.due(now())) return;
  pass(inner_);
  pace_.begin_slow(now());
}

// What growing sequences are about to take is touched a piece at a time, or the pass in which many
// of them begin a block would take several times as long as others: as much as they need on
// average and, while a pass's time lasts, what is planned.
void RunningBatch::make_cache_ready(double pass_began) {
  if (!pace_.crowded() || streaming_ == 0) return;
  int64_t planned = prompts_.bytes();
  for (const Seat& seat : seats_) planned += seat.cache_bytes;
  const int64_t blocks = planned / block_bytes_ - (blocks_ - cache_.free_blocks());
  const int64_t needed = streaming_ * block_bytes_ / kKvBlock;
  int64_t done = 0;
  while ((done <= needed || now() - pass_began < Pace::kPass) && cache_.make_ready(blocks)) {
    done += KvCache::kPiece;
  }
}

void RunningBatch::make_space() {
  if (space_.bytes() >= scratch_) return;
  pace_.begin_slow(now());
  try {
    space_ = Workspace();
    space_ = Workspace(scratch_, [&] { pass_if_due(); });
  } catch (...) {
    for (Seat& seat : seats_) seat.failure = std::current_exception();
  }
}

void RunningBatch::advance() {
  make_space();
  const auto slow = std::find_if(seats_.begin(), seats_.end(), [](const Seat& seat) {
    return !seat.failure && seat.member->has_slow_work();
  });
  if (slow == seats_.end() || pace_.due(now())) {
    pass(space_);
  } else {
    pace_.begin_slow(now());
    guarded(*slow, [&] { slow->member->do_slow_work(space_, [&] { pass_if_due(); }); });
  }
  count_blocks();
  end_those_over();
}

void RunningBatch::count_blocks() { used_ = blocks_ - cache_.free_blocks(); }

void RunningBatch::run_alone(std::unique_ptr<Member> member) {
  check(empty(), Code::bug, "a batch of ", seats_.size(), " members is not empty");
  std::exception_ptr failure;
  join(std::move(member), [&](const std::exception_ptr& ended_by) { failure = ended_by; });
  while (!empty()) advance();
  if (failure) std::rethrow_exception(failure);
}

void RunningBatch::forget() {
  prompts_.forget();
  pictures_.forget();
  give_back();
}

void RunningBatch::give_back() {
  cache_.give_back();
  count_blocks();
  if (seats_.empty()) inner_ = Workspace();
}

}  // namespace janus
