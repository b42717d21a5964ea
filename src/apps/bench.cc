// `januspro bench`: whole works on this machine, each beside the limit that binds it.
// SPDX-License-Identifier: MIT
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "apps/bench_ahead.h"
#include "apps/bench_cost.h"
#include "apps/bench_limits.h"
#include "apps/bench_pictures.h"
#include "apps/bench_quality.h"
#include "apps/command.h"
#include "base/error.h"
#include "generate/ask.h"
#include "generate/draw.h"
#include "generate/load.h"
#include "generate/state.h"
#include "kernels/open.h"

namespace janus {

namespace {

// Those measured unless others are named, and more.
const std::vector<std::string> kWorks = {"limits", "load",      "step",      "prompt",
                                         "vision", "vq_decode", "vq_encode", "picture"};
constexpr const char* kTextStep = "text_step";
constexpr const char* kTurns = "turns";
constexpr const char* kAhead = "ahead";
constexpr const char* kStart = "start";
constexpr const char* kPictures = "pictures";

int64_t peak_rss() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return int64_t{usage.ru_maxrss} * 1024;
}

// The sizes of one line; nothing where a work has no such size.
struct Sizes {
  std::optional<int64_t> rows, context, tokens;
};

class BenchVerb {
 public:
  BenchVerb(CLI::App& app, const Interrupt& interrupt);
  void run();

 private:
  bool wants(const char* work) const;
  bool wants_more_than(std::initializer_list<std::string_view> works) const;
  void open();
  LoadOptions load_options(const Checkpoint& checkpoint);
  void start();
  void load();
  // Seconds of the runs, from least to most; `before` each of them, and not timed.
  std::vector<double> time(const std::function<void()>& once,
                           const std::function<void()>& before = {});
  // One line: the runs beside the limit of what they had to do, both divided by `parts`.
  void report(const char* work, const Sizes& sizes, const Cost& cost,
              const std::vector<double>& seconds, int64_t parts = 1);
  // Both. Returns the median in seconds.
  double measure(const char* work, const Sizes& sizes, const Cost& cost,
                 const std::function<void()>& once, const std::function<void()>& before = {});
  void print_limits();
  void steps(bool text);
  void prompt();
  void towers();
  void picture();
  void pictures();
  void turns();
  void ahead();
  void line(const nlohmann::ordered_json& values);

  const Interrupt& interrupt_;
  ModelFlags flags_;
  QualityFlags quality_;
  std::vector<std::string> works_ = kWorks;
  std::vector<int64_t> rows_ = {1, 2, 8, 32, 64};
  int64_t context_ = 330;
  int64_t tokens_ = 576;
  int runs_ = 5;
  double of_peak_ = 1;
  bool json_ = false;

  std::shared_ptr<const Backend> backend_;
  std::string level_;
  Limits limits_;
  Dtype type_ = Dtype::f32;
  Dtype cache_ = Dtype::f32;
  std::optional<Model> model_;
};

BenchVerb::BenchVerb(CLI::App& app, const Interrupt& interrupt) : interrupt_(interrupt) {
  std::vector<std::string> all = kWorks;
  all.insert(all.end(), {kTextStep, kTurns, kAhead, kStart, kPictures, kQuality});
  app.add_option("--work", works_, "What to measure")
      ->delimiter(',')
      ->check(CLI::IsMember(all))
      ->capture_default_str();
  app.add_option("--rows", rows_, "Rows of a step, one line each")
      ->delimiter(',')
      ->check(CLI::Range(1, 4096))
      ->capture_default_str();
  app.add_option("--context", context_, "Tokens before a step")
      ->check(CLI::Range(0, 1 << 20))
      ->capture_default_str();
  app.add_option("--tokens", tokens_, "Tokens of the prompt")
      ->check(CLI::Range(1, 1 << 20))
      ->capture_default_str();
  app.add_option("--runs", runs_, "Runs of each work, after one to warm up")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  app.add_option("--of-peak", of_peak_,
                 "Of the peak of operations, what a limit takes for possible")
      ->check(CLI::Range(0.01, 1.0))
      ->capture_default_str();
  quality_.add_to(app);
  app.add_flag("--json", json_, "One JSON object a line");
  flags_.add_to(app);
  app.footer("Example:\n  januspro bench --work limits,step --rows 1,2,8");
}

bool BenchVerb::wants(const char* work) const {
  return std::find(works_.begin(), works_.end(), work) != works_.end();
}

bool BenchVerb::wants_more_than(std::initializer_list<std::string_view> works) const {
  return std::any_of(works_.begin(), works_.end(), [&](const std::string& work) {
    return std::find(works.begin(), works.end(), work) == works.end();
  });
}

void BenchVerb::open() {
  backend_ = open_backend(flags_.backend_name(), flags_.threads, flags_.isa);
  const std::string name = backend_->name();
  const size_t space = name.find(' ');
  level_ = space == std::string::npos ? name : name.substr(space + 1);
  if (!wants_more_than({kQuality})) return;
  limits_ = measure_limits(backend_->threads(), level_, [&] { interrupt_.check(); });
}

// A table, or one object a line.
void BenchVerb::line(const nlohmann::ordered_json& values) {
  if (json_) return print(json_line(values));
  const auto size = [&](const char* key) {
    return values[key].is_null() ? std::string("-") : values[key].dump();
  };
  char text[200];
  std::snprintf(text, sizeof text, "%-10s %5s %8s %7s %12.4f %12.4f %9.1f %9.1f  %-4s %5.1f%%\n",
                values["work"].get<std::string>().c_str(), size("rows").c_str(),
                size("context").c_str(), size("tokens").c_str(),
                values["seconds_min"].get<double>() * 1e3,
                values["seconds_median"].get<double>() * 1e3, values["bytes"].get<double>() / 1e6,
                values["operations"].get<double>() / 1e9,
                values["limit"].get<std::string>().c_str(), values["share"].get<double>() * 100);
  print(text);
}

std::vector<double> BenchVerb::time(const std::function<void()>& once,
                                    const std::function<void()>& before) {
  if (before) before();
  once();
  std::vector<double> seconds;
  for (int run = 0; run < runs_; ++run) {
    interrupt_.check();
    if (before) before();
    const auto start = std::chrono::steady_clock::now();
    once();
    const auto end = std::chrono::steady_clock::now();
    seconds.push_back(std::chrono::duration<double>(end - start).count());
  }
  std::sort(seconds.begin(), seconds.end());
  return seconds;
}

void BenchVerb::report(const char* work, const Sizes& sizes, const Cost& cost,
                       const std::vector<double>& seconds, int64_t parts) {
  const Bound bound = bound_of(cost, limits_.at(of_peak_));
  const Phase sum = total(cost);
  const double median = seconds[seconds.size() / 2], each = 1 / static_cast<double>(parts);
  const auto value = [](const std::optional<int64_t>& size) {
    return size ? nlohmann::ordered_json(*size) : nlohmann::ordered_json(nullptr);
  };
  line({{"work", work},
        {"rows", value(sizes.rows)},
        {"context", value(sizes.context)},
        {"tokens", value(sizes.tokens)},
        {"type", traits(type_).name},
        {"kv", traits(cache_).name},
        {"level", level_},
        {"threads", backend_->threads()},
        {"runs", runs_},
        {"seconds_min", seconds.front() * each},
        {"seconds_median", median * each},
        {"bytes", sum.bytes / parts},
        {"operations", (sum.operations + sum.byte_operations) / parts},
        {"seconds_limit", bound.seconds() * each},
        {"limit", bound.side()},
        {"share", bound.seconds() / median},
        {"peak_rss", peak_rss()}});
}

double BenchVerb::measure(const char* work, const Sizes& sizes, const Cost& cost,
                          const std::function<void()>& once, const std::function<void()>& before) {
  const std::vector<double> seconds = time(once, before);
  report(work, sizes, cost, seconds);
  return seconds[seconds.size() / 2];
}

void BenchVerb::print_limits() {
  const auto show = [&](const char* name, double value, const char* unit) {
    if (json_) {
      const nlohmann::ordered_json values{{"work", "limits"},
                                          {"name", name},
                                          {"threads", backend_->threads()},
                                          {"value", value},
                                          {"unit", unit}};
      return print(json_line(values));
    }
    char text[100];
    std::snprintf(text, sizeof text, "limit %-5s %8.1f G%s, %d threads\n", name, value / 1e9, unit,
                  backend_->threads());
    print(text);
  };
  show("read", limits_.read_bytes, "B/s");
  show("f32", limits_.f32_operations, "op/s");
  show("int8", limits_.int8_operations, "op/s");
  if (limits_.bf16_operations > 0) show("bf16", limits_.bf16_operations, "op/s");
}

LoadOptions BenchVerb::load_options(const Checkpoint& checkpoint) {
  LoadOptions options;
  options.backend = backend_;
  options.parts = checkpoint.parts();
  type_ = dtype_named(flags_.type).value_or(held_type(*checkpoint.source()));
  cache_ = dtype_named(flags_.cache).value_or(cache_type(type_));
  options.weights = type_;
  options.round_rope = flags_.round_rope;
  options.on_progress = [&](double) { interrupt_.check(); };
  return options;
}

// From nothing to the first token of an answer: the half that reads, and a short prompt.
void BenchVerb::start() {
  constexpr int64_t kTokens = 16;
  const std::vector<int32_t> ids(kTokens, 0);
  Cost cost;
  const auto once = [&] {
    const Checkpoint checkpoint = flags_.checkpoint();
    LoadOptions options = load_options(checkpoint);
    checkpoint.require(kReadingParts);
    options.parts = kReadingParts;
    const PromptBuilder prompts = load_prompts(checkpoint);
    const Model model = Model::load(checkpoint, options);
    State state(model, cache_, 1, kTokens, KvCache::blocks_for(kTokens));
    OwnedTensor x(Dtype::f32, {kTokens, model.config().llama.width});
    OwnedTensor logits(Dtype::f32, {1, model.config().llama.vocabulary});
    model.embed_text(ids, x.view);
    state.prefill(state.cache().add(), x.view);
    model.text_logits(x.view.slice(kTokens - 1, 1), logits.view);
    if (!cost.empty()) return;
    cost.push_back({model.weights().bytes - model.weights().mapped_bytes});
    cost += prompt_cost(model, cache_, kTokens);
    cost += text_cost(model);
  };
  const std::vector<double> seconds = time(once);
  report(kStart, {1, {}, kTokens}, cost, seconds);
}

void BenchVerb::load() {
  const Checkpoint checkpoint = flags_.checkpoint();
  for (const char* work : {"step", "vq_decode", "vq_encode", "picture", kAhead, kPictures}) {
    if (wants(work)) checkpoint.require(kDrawingParts);
  }
  const LoadOptions options = load_options(checkpoint);
  int64_t bytes = 0;
  for (const auto& [name, tensor] : checkpoint.tensors()) {
    bytes += static_cast<int64_t>(tensor.data.size());
  }
  const auto once = [&] {
    model_.reset();
    model_ = Model::load(checkpoint, options);
  };
  if (wants("load")) {
    measure("load", {}, {{bytes}}, once);
  } else {
    once();
  }
}

// Of pictures, codes in and the image head out; or of text, ids in and its head out.
void BenchVerb::steps(bool text) {
  const Config& config = model_->config();
  for (const int64_t rows : rows_) {
    const int64_t most = context_ + 1;
    State state(*model_, cache_, static_cast<int>(rows), most, rows * KvCache::blocks_for(most));
    std::vector<int32_t> sequences, ids(static_cast<size_t>(rows), 0);
    give_memory(state.cache());
    for (int64_t r = 0; r < rows; ++r) {
      sequences.push_back(state.cache().add());
      state.cache().extend(sequences.back(), context_);  // what is there does not change the time
    }
    OwnedTensor x(Dtype::f32, {rows, config.llama.width});
    OwnedTensor logits(Dtype::f32, {rows, text ? config.llama.vocabulary : config.vq.codes});
    Cost cost = step_cost(*model_, cache_, rows, context_);
    cost += text ? text_cost(*model_, rows) : code_cost(*model_, rows);
    measure(text ? kTextStep : "step", {rows, context_, {}}, cost, [&] {
      text ? model_->embed_text(ids, x.view) : model_->embed_codes(ids, state.space(), x.view);
      state.step(sequences, x.view);
      text ? model_->text_logits(x.view, logits.view)
           : model_->image_logits(x.view, state.space(), logits.view);
      for (const int32_t sequence : sequences) state.cache().truncate(sequence, context_);
    });
  }
}

void BenchVerb::prompt() {
  State state(*model_, cache_, 1, tokens_, KvCache::blocks_for(tokens_));
  const int32_t sequence = state.cache().add();
  const std::vector<int32_t> ids(static_cast<size_t>(tokens_), 0);
  OwnedTensor x(Dtype::f32, {tokens_, model_->config().llama.width});
  measure("prompt", {1, {}, tokens_}, prompt_cost(*model_, cache_, tokens_), [&] {
    model_->embed_text(ids, x.view);
    state.prefill(sequence, x.view, [&] { interrupt_.check(); });
    state.cache().truncate(sequence, 0);
  });
}

void BenchVerb::towers() {
  const Config& config = model_->config();
  Workspace space;
  if (wants("vision")) {
    const int64_t side = config.vision.image;
    OwnedTensor pixels(Dtype::f32, {1, side, side, 3});
    OwnedTensor out(Dtype::f32, {config.vision.tokens(), config.llama.width});
    measure("vision", {1, {}, config.vision.tokens()}, vision_cost(*model_),
            [&] { model_->read_images(pixels.view, space, out.view); });
  }
  OwnedTensor pixels(Dtype::f32, {1, config.image, config.image, 3});
  std::vector<int32_t> codes(static_cast<size_t>(config.image_tokens()), 0);
  if (wants("vq_decode")) {
    measure("vq_decode", {1, {}, config.image_tokens()}, decode_cost(*model_),
            [&] { model_->decode_image(codes, space, pixels.view); });
  }
  if (wants("vq_encode")) {
    measure("vq_encode", {1, {}, config.image_tokens()}, encode_cost(*model_),
            [&] { model_->encode_image(pixels.view, space, codes); });
  }
}

void BenchVerb::picture() {
  const PromptBuilder prompts = load_prompts(flags_.checkpoint());
  const DrawRequest request{.prompt = "a red ball on a green field"};
  const int64_t codes = model_->config().image_tokens();
  const auto words = static_cast<int64_t>(prompts.draw(request.prompt).size());
  Cost cost = prompt_cost(*model_, cache_, words) * 2;
  cost += code_cost(*model_, 2) * codes;
  for (int64_t i = 0; i + 1 < codes; ++i) cost += step_cost(*model_, cache_, 2, words + i);
  cost += decode_cost(*model_);
  const auto wanted = [&](const Progress&) { return !interrupt_.asked(); };
  measure("picture", {2, words, codes}, cost, [&] {
    draw(
        {*model_, prompts, cache_, 1}, std::span(&request, 1), [](const Picture&) {}, wanted);
  });
}

// What a picture costs when several of one prompt are drawn together: all their steps, each taken
// to last as long as the one in the middle, which is exact where time grows evenly with context,
// and their pixels.
void BenchVerb::pictures() {
  const PromptBuilder prompts = load_prompts(flags_.checkpoint());
  const int64_t codes = model_->config().image_tokens();
  const auto words = static_cast<int64_t>(prompts.draw("a red ball on a green field").size());
  const int64_t context = words + codes / 2;
  Workspace space;
  const std::vector<int32_t> none(static_cast<size_t>(codes), 0);
  OwnedTensor pixels(Dtype::f32, {1, model_->config().image, model_->config().image, 3});
  const std::vector<double> decoding =
      time([&] { model_->decode_image(none, space, pixels.view); });
  for (const int64_t n : {1, 4, 16}) {
    PicturesStep step(*model_, cache_, n, words, context);
    std::vector<double> seconds = time([&] { step.run(); });
    for (size_t i = 0; i < seconds.size(); ++i) {
      seconds[i] = seconds[i] * static_cast<double>(codes) + decoding[i] * static_cast<double>(n);
    }
    Cost cost = step_cost(*model_, cache_, 2 * n, context, words, n) * codes;
    cost += code_cost(*model_, 2 * n) * codes;
    cost += decode_cost(*model_) * n;
    report(kPictures, {2 * n, context, codes}, cost, seconds, n);
  }
}

// Until the first token of an answer about a picture, then of one to another question about it.
void BenchVerb::turns() {
  const PromptBuilder prompts = load_prompts(flags_.checkpoint());
  const int side = model_->config().vision.image;
  Image picture{.width = side, .height = side, .rgb = {}};
  for (int i = 0; i < side * side * 3; ++i) picture.rgb.push_back(static_cast<uint8_t>(i * 37));
  AskRequest first, second;
  first.messages = {{"user", "What is in the picture?", {std::move(picture)}}};
  first.max_tokens = second.max_tokens = 1;
  std::optional<RunningBatch> batch;
  const OnText on_text = [&](std::string_view) { return !interrupt_.asked(); };
  const auto answer = [&](const AskRequest& request) {
    return ask({*model_, prompts, cache_, &*batch}, request, on_text);
  };
  const int64_t blocks = 2 * KvCache::blocks_for(model_->config().llama.context);
  const auto begin = [&] { batch.emplace(*model_, cache_, blocks, true); };
  const auto show = [&] {
    begin();
    answer(first);
  };
  begin();
  const Answer begun = answer(first);
  second.messages = first.messages;
  second.messages.push_back({"assistant", begun.text, {}});
  second.messages.push_back({"user", "What colour is it?", {}});
  const Answer next = answer(second);

  const int64_t tokens = next.prompt_tokens, kept = next.cached_tokens;
  Cost cost = vision_cost(*model_);
  cost += prompt_cost(*model_, cache_, begun.prompt_tokens);
  cost += text_cost(*model_);
  const double slow = measure(
      "question", {1, {}, begun.prompt_tokens}, cost, [&] { answer(first); }, begin);
  cost = prompt_cost(*model_, cache_, tokens, kept);
  cost += text_cost(*model_);
  const double fast = measure(
      "follow_up", {1, kept, tokens - kept}, cost, [&] { answer(second); }, show);
  if (json_) return print(json_line({{"work", kTurns}, {"ratio", slow / fast}}));
  char text[100];
  std::snprintf(text, sizeof text, "the second answer about a picture begins %.1f times sooner\n",
                slow / fast);
  print(text);
}

// Passes and seconds of a picture's codes, by window; 0 is the one chosen while drawing.
void BenchVerb::ahead() {
  const PromptBuilder prompts = load_prompts(flags_.checkpoint());
  std::vector<std::vector<int32_t>> codes;
  double plain = 0;
  for (const int window : {1, 2, 4, 8, 16, 32, 64, 0}) {
    const AheadResult result = measure_ahead({*model_, prompts, cache_, 1, window}, codes,
                                             [&] { return !interrupt_.asked(); });
    if (window == 1) plain = result.seconds;
    print(ahead_line(result, window, plain, json_));
  }
}

void BenchVerb::run() {
  open();
  if (wants("limits")) print_limits();
  if (wants(kQuality)) bench_quality(flags_, backend_, quality_, json_, interrupt_);
  if (!wants_more_than({"limits", kQuality})) return;
  if (!json_) {
    print(
        "work        rows  context  tokens       min ms    median ms        MB      Gop  "
        "limit share\n");
  }
  if (wants(kStart)) start();
  // The others share one model, which is loaded once.
  if (!wants_more_than({"limits", kQuality, kStart})) return;
  load();
  const Config& config = model_->config();
  const int64_t context = wants("step") || wants(kTextStep) ? context_ + 1 : 0;
  const int64_t longest = std::max(context, wants("prompt") ? tokens_ : 0);
  check(longest <= config.llama.context, Code::bad_input, "--context ", context_, " and --tokens ",
        tokens_, " must fit the model's context of ", config.llama.context);
  if (wants("step")) steps(false);
  if (wants(kTextStep)) steps(true);
  if (wants("prompt")) prompt();
  towers();
  if (wants("picture")) picture();
  if (wants(kPictures)) pictures();
  if (wants(kTurns)) turns();
  if (wants(kAhead)) ahead();
}

}  // namespace

Run add_bench(CLI::App& app, const Interrupt& interrupt) {
  const auto verb = std::make_shared<BenchVerb>(app, interrupt);
  return [verb] { verb->run(); };
}

}  // namespace janus
