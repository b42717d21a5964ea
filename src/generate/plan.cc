// See plan.h. A refusal says what was asked, what each part takes, and the nearest settings that
// fit, each tried by the same arithmetic. SPDX-License-Identifier: MIT
#include "generate/plan.h"

#include <algorithm>
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <utility>

#include "base/error.h"
#include "base/free_memory.h"
#include "generate/draw.h"
#include "model/footprint.h"

namespace janus {

namespace {

// What a process takes without the model (docs/measuring.md, "Memory"): code and libraries; each
// thread's packed terms, sums and stack; for each entry its tokenizer and what parsing it leaves.
constexpr int64_t kProgram = 10'000'000;
constexpr int64_t kThread = 1'000'000;
constexpr int64_t kToken = 450;

// The smallest types there are.
constexpr Dtype kLeastWeights = Dtype::q4_0;
constexpr Dtype kLeastCache = Dtype::q8;

// The same checkpoint held otherwise.
Setup held_as(Setup setup, Dtype weights, Dtype cache, const Parts& parts) {
  setup.weights = weights;
  setup.cache = cache;
  setup.parts = parts;
  const ModelBytes model =
      model_bytes(setup.config, *setup.backend, weights, parts, setup.source.get());
  setup.weight_bytes =
      model.all + adapter_bytes(setup.config, setup.adapters, *setup.backend, parts);
  setup.mapped_bytes = model.mapped;
  return setup;
}

// … as small as it gets for work that needs `half` of it.
Setup held_least(const Setup& setup, const Parts& half) {
  return held_as(setup, kLeastWeights, kLeastCache, half.within(setup.parts) ? half : setup.parts);
}

int64_t limit_of(const Setup& setup) {
  if (setup.limit) return *setup.limit;
  int64_t limit = std::numeric_limits<int64_t>::max();
  if (const std::optional<int64_t> free = free_memory()) {
    const int64_t own = setup.program_bytes + setup.weight_bytes - setup.mapped_bytes;
    limit = *free + (setup.loaded ? own : 0) + setup.kept;
  }
  return setup.allowed > 0 ? std::min(limit, setup.allowed) : limit;
}

MemoryPlan engine_plan(const Setup& setup, int64_t limit) {
  MemoryPlan plan;
  plan.program = setup.program_bytes;
  plan.weights = setup.weight_bytes;
  plan.limit = limit;
  return plan;
}

// `kept`: what would stay beside it if that fits. Of an answer some of that is counted twice, as it
// may go on from what is kept.
MemoryPlan with_room(MemoryPlan plan, const Room& room, int64_t kept = 0) {
  plan.cache = room.cache;
  plan.scratch = room.scratch;
  plan.pictures = room.pictures;
  if (plan.total() + kept <= plan.limit) plan.kept = kept;
  return plan;
}

// The largest number in [low, high] that fits, if any does; what fits at one number fits below.
std::optional<int64_t> most_that_fits(int64_t low, int64_t high,
                                      const std::function<bool(int64_t)>& fits) {
  if (low > high || !fits(low)) return std::nullopt;
  while (low < high) {
    const int64_t middle = low + (high - low + 1) / 2;
    fits(middle) ? low = middle : high = middle - 1;
  }
  return low;
}

// Ways to need less, and which of them suffice.
class Refusal {
 public:
  // `half`: what the work needs of a model; `again`: the plan of the work under another setup.
  Refusal(const Setup& setup, const MemoryPlan& plan, const Parts& half,
          const std::function<MemoryPlan(const Setup&)>& again)
      : setup_(setup), plan_(plan), least_(plan) {
    const auto offer_setup = [&](const std::string& words, const Setup& other) {
      offer(words, again(other));
    };
    // Beside smaller weights, as they are held unless told otherwise.
    const Dtype beside = setup.cache == Dtype::q8 ? Dtype::q8 : Dtype::bf16;
    if (setup.cache == Dtype::f32) {
      offer_setup("keys and values in bf16 (--kv bf16)",
                  held_as(setup, setup.weights, Dtype::bf16, setup.parts));
    }
    if (setup.cache != Dtype::q8) {
      offer_setup("keys and values in 8 bits (--kv q8)",
                  held_as(setup, setup.weights, Dtype::q8, setup.parts));
    }
    if (setup.weights == Dtype::f32) {
      offer_setup("all in bf16 (--type bf16 --kv bf16)",
                  held_as(setup, Dtype::bf16, beside, setup.parts));
    }
    constexpr int64_t kBlocks = 256;  // whole ones of every type
    for (const Dtype type : {Dtype::q8_0, Dtype::q4_0}) {
      if (bytes_of(type, kBlocks) >= bytes_of(setup.weights, kBlocks)) continue;
      const std::string name(traits(type).name);
      offer_setup("weights in " + name + " (--type " + name + ")",
                  held_as(setup, type, beside, setup.parts));
    }
    if (setup.parts == half || !half.within(setup.parts)) return;
    offer_setup("only the half that " + std::string(half == kReadingParts ? "reads" : "draws"),
                held_as(setup, setup.weights, setup.cache, half));
    if (setup.weights == Dtype::f32) {
      offer_setup("that half in bf16", held_as(setup, Dtype::bf16, beside, half));
    }
  }

  // Another way that may be small enough.
  void offer(const std::string& words, const MemoryPlan& plan) {
    if (plan.total() < least_.total()) least_ = plan;
    if (plan.total() <= plan_.limit) ways_.push_back(words + ", " + size_text(plan.total()));
  }
  // The smallest of all, for where no single way is enough.
  void offer_last(const std::string& words, const MemoryPlan& plan) {
    if (ways_.empty()) offer(words, plan);
  }

  std::string text(const std::string& work) const {
    std::string text = work + " takes " + size_text(plan_.total()) + ": weights " +
                       size_text(plan_.weights) + " (" + std::string(traits(setup_.weights).name) +
                       (setup_.mapped_bytes > 0
                            ? ", " + size_text(setup_.mapped_bytes) + " of it in the file's pages"
                            : std::string()) +
                       ")";
    const auto add = [&](const char* name, int64_t bytes, const std::string& how = {}) {
      if (bytes > 0) text += std::string(", ") + name + " " + size_text(bytes) + how;
    };
    add("keys and values", plan_.cache, " (" + std::string(traits(setup_.cache).name) + ")");
    add("scratch", plan_.scratch);
    add("pictures", plan_.pictures);
    add("the program", plan_.program);
    text += "; " + size_text(plan_.limit);
    text += plan_.limit == setup_.allowed ? " are allowed (--memory)" : " are free";
    if (ways_.empty()) {
      return text + "; no setting is small enough, the least is " + size_text(least_.total()) +
             ": take a smaller model, or a machine with more memory";
    }
    text += "; what fits: ";
    for (size_t i = 0; i < ways_.size(); ++i) text += (i ? "; " : "") + ways_[i];
    return text;
  }

 private:
  const Setup& setup_;
  const MemoryPlan& plan_;
  MemoryPlan least_;
  std::vector<std::string> ways_;
};

std::string count_text(int64_t count, const char* noun) {
  return std::to_string(count) + " " + noun + (count == 1 ? "" : "s");
}

}  // namespace

Setup make_setup(const Config& config, std::shared_ptr<const Backend> backend, Dtype weights,
                 Dtype cache, const Parts& parts, int64_t allowed,
                 std::vector<ScaledAdapter> adapters, std::shared_ptr<const TensorSource> source) {
  Setup setup;
  setup.source = std::move(source);
  setup.config = config;
  setup.adapters = std::move(adapters);
  setup.backend = std::move(backend);
  setup.program_bytes =
      kProgram + setup.backend->threads() * kThread + config.llama.vocabulary * kToken;
  setup.allowed = allowed;
  return held_as(std::move(setup), weights, cache, parts);
}

void check_fits(const MemoryPlan& plan) { check(plan.fits(), Code::out_of_memory, plan.refusal); }

MemoryPlan plan_loading(const Setup& setup) {
  const int64_t limit = limit_of(setup);
  MemoryPlan plan = engine_plan(setup, limit);
  if (plan.fits()) return plan;
  const auto again = [&](const Setup& other) { return engine_plan(other, limit); };
  Refusal refusal(setup, plan, kReadingParts, again);
  if (setup.parts != kDrawingParts && kDrawingParts.within(setup.parts)) {
    refusal.offer("only the half that draws",
                  again(held_as(setup, setup.weights, setup.cache, kDrawingParts)));
  }
  plan.refusal = refusal.text("loading this model");
  return plan;
}

namespace {

int64_t longest_prompt(std::span<const PromptRows> rows) {
  size_t longest = 0;
  for (const PromptRows& row : rows) {
    for (const auto* ids : row.all()) longest = std::max(longest, ids->size());
  }
  return static_cast<int64_t>(longest);
}

// One of the pictures, of a prompt of that many tokens or its own where it changes a picture.
BatchShape one_picture(const Config& config, const DrawOrder& asked, int64_t prompt) {
  if (!asked.source) return batch_shape(config, 1, prompt);
  const PromptRows* const rows = &asked.rows.front();
  return batch_shape(config, std::span(&rows, 1));
}

// Fewer pictures in all, or a shorter prompt; that of an edit by instruction is nearly all picture.
void offer_smaller_drawings(Refusal& refusal, const Setup& setup, int64_t limit,
                            const DrawOrder& asked, int64_t count, int64_t longest) {
  const auto plan_of = [&](int64_t pictures, int64_t prompt) {
    const Sizes sizes{setup.config, *setup.backend, setup.weights, setup.cache};
    return with_room(engine_plan(setup, limit),
                     drawing_room(sizes, one_picture(setup.config, asked, prompt), pictures));
  };
  const auto fewer =
      most_that_fits(1, count - 1, [&](int64_t n) { return plan_of(n, longest).fits(); });
  if (fewer) {
    refusal.offer(count_text(*fewer, "picture") + " in one call", plan_of(*fewer, longest));
  }
  if (asked.source) return;
  const auto shorter =
      most_that_fits(kKvBlock, longest - 1, [&](int64_t n) { return plan_of(count, n).fits(); });
  if (shorter) {
    refusal.offer("a prompt of " + count_text(*shorter, "token"), plan_of(count, *shorter));
  }
}

// A shorter answer, or fewer pictures.
void offer_smaller_answers(Refusal& refusal, const AnswerShape& shape, int64_t picture_tokens,
                           const std::function<MemoryPlan(const AnswerShape&)>& plan_of) {
  const auto fewer = [&](int64_t pictures) {
    AnswerShape less = shape;
    less.pictures = pictures;
    less.prompt -= (shape.pictures - pictures) * picture_tokens;
    less.positions -= (shape.pictures - pictures) * picture_tokens;
    less.pixel_bytes = shape.pixel_bytes / shape.pictures * pictures;
    return plan_of(less);
  };
  const auto answer_of = [&](int64_t tokens) {
    AnswerShape less = shape;
    less.positions = shape.prompt + tokens;
    return plan_of(less);
  };
  const int64_t answer = shape.positions - shape.prompt;
  const auto shorter =
      most_that_fits(1, answer - 1, [&](int64_t n) { return answer_of(n).fits(); });
  if (shorter) {
    refusal.offer("an answer of at most " + count_text(*shorter, "token") + " (--max-tokens " +
                      std::to_string(*shorter) + ")",
                  answer_of(*shorter));
  }
  const auto some =
      most_that_fits(1, shape.pictures - 1, [&](int64_t n) { return fewer(n).fits(); });
  if (some) refusal.offer(count_text(*some, "picture") + " in one question", fewer(*some));
}

}  // namespace

MemoryPlan plan_shape(const Setup& setup, const BatchShape& shape, int64_t pictures) {
  const Sizes sizes{setup.config, *setup.backend, setup.weights, setup.cache};
  return with_room(engine_plan(setup, limit_of(setup)), drawing_room(sizes, shape, pictures));
}

MemoryPlan plan_shape(const Setup& setup, const AnswerShape& shape) {
  const Sizes sizes{setup.config, *setup.backend, setup.weights, setup.cache};
  return with_room(engine_plan(setup, limit_of(setup)), asking_room(sizes, shape));
}

MemoryPlan plan_drawing(const Setup& setup, const DrawOrder& asked, int at_once) {
  const std::vector<const PromptRows*> order = rows_of_pictures(asked);
  const auto count = static_cast<int64_t>(order.size());
  const int64_t limit = limit_of(setup);
  const auto plan_of = [&](const Setup& held, int64_t side_by_side) {
    const auto n = static_cast<int>(side_by_side);
    const Sizes sizes{held.config, *held.backend, held.weights, held.cache};
    MemoryPlan plan =
        with_room(engine_plan(held, limit), drawing_room(sizes, order, n), setup.kept);
    plan.pictures_at_once = n;
    return plan;
  };
  if (setup.at_once > 0) at_once = std::min(at_once, setup.at_once);
  const int64_t most = std::min<int64_t>(at_once, std::max<int64_t>(count, 1));
  const auto found = most_that_fits(1, most, [&](int64_t n) { return plan_of(setup, n).fits(); });
  MemoryPlan plan = plan_of(setup, found.value_or(1));
  if (plan.fits()) return plan;
  const Parts parts = asked.source ? Parts{} : asked.original ? kEditingParts : kDrawingParts;
  Refusal refusal(setup, plan, parts, [&](const Setup& other) { return plan_of(other, 1); });
  const int64_t longest = longest_prompt(asked.rows);
  offer_smaller_drawings(refusal, setup, limit, asked, count, longest);
  const Setup least = held_least(setup, parts);
  const BatchShape one = one_picture(least.config, asked, std::min<int64_t>(longest, kKvBlock));
  refusal.offer_last(
      "all of these at once: q4_0, keys and values in q8, that half alone, one picture, a short "
      "prompt",
      with_room(engine_plan(least, limit),
                drawing_room({least.config, *least.backend, least.weights, least.cache}, one, 1)));
  plan.refusal = refusal.text("drawing " + count_text(count, "picture") +
                              (count > 1 ? ", one at a time," : ""));
  return plan;
}

int together(const Setup& setup) {
  const Config& config = setup.config;
  const int64_t context = config.llama.context;
  const Sizes sizes{config, *setup.backend, setup.weights, setup.cache};
  const MemoryPlan engine = engine_plan(setup, limit_of(setup));
  const auto fits = [&](int64_t n) {
    if (setup.parts.draws()) {
      const int64_t prompt = std::max<int64_t>(1, context - config.image_tokens());
      return with_room(engine, drawing_room(sizes, batch_shape(config, n, prompt), n)).fits();
    }
    const MemoryPlan one = with_room(engine, asking_room(sizes, {context / 2, context, 0, 0}));
    return one.engine() + n * one.request() <= one.limit;
  };
  return static_cast<int>(most_that_fits(1, kMostTogether, fits).value_or(1));
}

MemoryPlan plan_asking(const Setup& setup, const AnswerShape& shape) {
  const int64_t limit = limit_of(setup);
  const auto plan_of = [&](const Setup& held, const AnswerShape& asked) {
    const Sizes sizes{held.config, *held.backend, held.weights, held.cache};
    return with_room(engine_plan(held, limit), asking_room(sizes, asked), setup.kept);
  };
  MemoryPlan plan = plan_of(setup, shape);
  if (plan.fits()) return plan;
  Refusal refusal(setup, plan, kReadingParts,
                  [&](const Setup& other) { return plan_of(other, shape); });
  offer_smaller_answers(refusal, shape, setup.config.vision.tokens() + 2,
                        [&](const AnswerShape& less) { return plan_of(setup, less); });
  AnswerShape few{std::min<int64_t>(shape.prompt, kKvBlock), 2 * kKvBlock, 0, 0};
  if (shape.pictures > 0) {
    few = {few.prompt + setup.config.vision.tokens(), few.positions + setup.config.vision.tokens(),
           1, shape.pixel_bytes / shape.pictures};
  }
  refusal.offer_last(
      "all of these at once: q4_0, keys and values in q8, that half alone, one picture, a short "
      "answer",
      plan_of(held_least(setup, kReadingParts), few));
  const std::string pictures =
      shape.pictures > 0 ? " and " + count_text(shape.pictures, "picture") : "";
  plan.refusal = refusal.text("a prompt of " + count_text(shape.prompt, "token") + pictures +
                              " with an answer of up to " +
                              count_text(shape.positions - shape.prompt, "token"));
  return plan;
}

}  // namespace janus
