// See memory.h: what to change in a recipe that takes too much. SPDX-License-Identifier: MIT
#include <algorithm>
#include <functional>
#include <limits>
#include <optional>
#include <vector>

#include "base/error.h"
#include "base/free_memory.h"
#include "train/memory.h"

namespace janus::train {
namespace {

// A recipe with fewer needs, and what to say to get it.
struct Change {
  Recipe recipe;
  int threads = 1, processes = 1;
  std::string words;

  int64_t total() const { return training_memory(recipe, threads, processes).total(); }
  Change with(const std::string& more) const {
    Change next = *this;
    next.words += (words.empty() ? "" : ", ") + more;
    return next;
  }
};

using Step = std::function<std::optional<Change>(const Change&, int64_t limit)>;

// As many passes more as there are samples fewer in each: the same step but for rounding. The
// largest pass that fits, else the smallest there is.
std::optional<Change> smaller_passes(const Change& from, int64_t limit) {
  const int64_t micro = from.recipe.batch.micro;
  std::optional<Change> best;
  for (int64_t part = 2; part <= micro; ++part) {
    if (micro % part != 0 || micro / part % from.processes != 0) continue;
    const int64_t passes = from.recipe.batch.accumulate * part;
    Change next = from.with("batch.micro=" + std::to_string(micro / part) +
                            ", batch.accumulate=" + std::to_string(passes));
    next.recipe.batch.micro = micro / part;
    next.recipe.batch.accumulate = passes;
    const int64_t total = next.total();
    if (!best || total < best->total()) best = next;
    if (total <= limit) break;
  }
  return best;
}

// The same steps, with more to send where gradients are shared out and there are several passes.
std::optional<Change> smaller_parts(const Change& from, int64_t limit) {
  std::optional<Change> best;
  for (const Sharing more : {Sharing::state, Sharing::gradients}) {
    if (from.processes == 1 || from.recipe.parallel.sharing >= more) continue;
    best = from.with("parallel.zero=" + std::to_string(static_cast<int>(more)));
    best->recipe.parallel.sharing = more;
    if (best->total() <= limit) break;
  }
  return best;
}

std::optional<Change> layers_again(const Change& from, int64_t) {
  if (from.recipe.batch.checkpoint || from.recipe.trains_codec()) return {};
  Change next = from.with("batch.checkpoint=true");
  next.recipe.batch.checkpoint = true;
  return next;
}

std::optional<Change> fewer_threads(const Change& from, int64_t) {
  if (from.threads == 1) return {};
  Change next = from.with("--threads 1");
  next.threads = 1;
  return next;
}

std::optional<Change> no_average(const Change& from, int64_t) {
  if (from.recipe.optim.ema <= 0) return {};
  Change next = from.with("optim.ema=0");
  next.recipe.optim.ema = 0;
  return next;
}

std::optional<Change> halves(const Change& from, int64_t) {
  if (from.recipe.precision != "f32") return {};
  Change next = from.with("precision=bf16");
  next.recipe.precision = "bf16";
  return next;
}

// Only where there is a model to add to.
std::optional<Change> adapter(const Change& from) {
  constexpr int64_t kRank = 16;
  const Recipe& recipe = from.recipe;
  if (recipe.lora.rank > 0 || recipe.trains_codec() || recipe.model.init.empty()) return {};
  const auto& stage = recipe.stage;
  const bool chosen = !stage.modules.empty() || !stage.train.empty() || !stage.freeze.empty();
  Change next = from.with("lora.rank=" + std::to_string(kRank) + " in place of all weights" +
                          (chosen ? " (and no [stage])" : ""));
  next.recipe.stage = {};
  next.recipe.lora.rank = kRank;
  next.recipe.lora.alpha = 2 * kRank;
  return next;
}

// From what changes the training least; an adapter, which is another training, is none of them.
const std::vector<Step>& steps() {
  static const std::vector<Step> all = {smaller_passes, smaller_parts, layers_again,
                                        fewer_threads,  no_average,    halves};
  return all;
}

// The first single change that fits, else the first changes that do together; nothing where not
// even all of them do, and then `least` is what they take.
std::optional<Change> nearest(const Change& asked, int64_t limit, int64_t& least) {
  const auto fits = [&](const std::optional<Change>& change) {
    if (change) least = std::min(least, change->total());
    return change && change->total() <= limit;
  };
  for (const Step& step : steps()) {
    const auto change = step(asked, limit);
    if (fits(change)) return change;
  }
  Change all = asked;
  for (const Step& step : steps()) {
    const auto change = step(all, limit);
    if (fits(change)) return change;
    if (change && change->total() < all.total()) all = *change;
  }
  for (const Change& from : {asked, all}) {
    const auto change = adapter(from);
    if (fits(change)) return change;
  }
  return {};
}

}  // namespace

int64_t memory_limit(int64_t allowed, int sharers) {
  const int64_t free = free_memory().value_or(std::numeric_limits<int64_t>::max()) / sharers;
  return allowed > 0 ? std::min(allowed, free) : free;
}

void check_memory(const Recipe& recipe, int threads, int64_t limit, int processes) {
  const TrainingMemory memory = training_memory(recipe, threads, processes);
  if (memory.total() <= limit) return;
  int64_t least = memory.total();
  const auto change = nearest({recipe, threads, processes, ""}, limit, least);
  const std::string what = "this training does not fit: " + memory_text(memory) + "; there are " +
                           size_text(limit) + ", " + size_text(memory.total() - limit) +
                           " are missing; ";
  check(change.has_value(), Code::out_of_memory, what,
        "no change of the recipe is enough, the least takes ", size_text(least),
        ": take a smaller model or a machine with more memory");
  fail(Code::out_of_memory, what, "what fits: ", change->words, ", ", size_text(change->total()));
}

}  // namespace janus::train
