// See run.h.
// SPDX-License-Identifier: MIT
#include "train/run.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <iomanip>
#include <sstream>
#include <system_error>

#include "base/error.h"
#include "base/free_memory.h"
#include "io/file.h"
#include "train/checkpoint.h"
#include "train/curves.h"
#include "train/export.h"
#include "train/journal.h"
#include "train/lora.h"
#include "train/memory.h"
#include "train/not_finite.h"
#include "train/precision.h"
#include "train/shards.h"
#include "train/stage.h"
#include "train/start.h"
#include "train/task.h"
#include "train/vocabulary.h"
#include "world/streams.h"

namespace janus::train {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

constexpr int64_t kMostSkipped = 10;  // steps in a row

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

std::unique_ptr<Task> make_task(const Recipe& recipe) {
  torch::manual_seed(recipe.seed);
  return recipe.trains_codec() ? make_codec_task(recipe) : make_language_task(recipe);
}

// What a run changes and keeps: the network, or an adapter of it.
NamedTensors learners(Task& task) {
  const NamedTensors adapter = task.adapter();
  return adapter.empty() ? named_parameters(task.network()) : adapter;
}

// Parameters the recipe trains; the others stop asking for gradients.
NamedTensors trainable(const Recipe& recipe, Task& task) {
  const NamedTensors all = learners(task);
  std::vector<std::string> names;
  for (const auto& [name, weight] : all) names.push_back(name);
  check_patterns(recipe, names);
  NamedTensors chosen;
  for (const auto& [name, weight] : task.helpers()) chosen["helper." + name] = weight;
  for (const auto& [name, weight] : all) {
    if (weight.requires_grad() && is_trained(recipe, name)) chosen[name] = weight;
  }
  for (const auto& [name, weight] : named_parameters(task.network())) {
    if (chosen.count(name) == 0) weight.set_requires_grad(false);
  }
  return chosen;
}

// The recipe kept in a run. What the run holds by now replaces what it started from, so that it
// goes on when the starting checkpoint is gone; an adapter alone needs it as long as it is trained.
Recipe recipe_of(const fs::path& run) {
  const fs::path file = run / "recipe.toml";
  const fs::path kept = run / "start";
  Recipe recipe =
      parse_recipe(read_text(file), file.string(), {}, fs::exists(kept) ? kept : fs::path());
  if (!recipe.model.init.empty() && !fs::exists(kept)) keep_start(recipe.model.init, kept);
  if (newest_checkpoint(run) && !recipe.measures_from_init()) {
    recipe.model.init = recipe.model.codec = "";
  }
  if (recipe.trains_codec()) return recipe;
  const fs::path tokenizer = run / "tokenizer.json";
  if (!fs::exists(tokenizer)) {
    AtomicFile out(tokenizer);
    out.write(recipe_tokenizer_json(recipe));
    out.commit();
  }
  recipe.model.tokenizer = tokenizer.string();
  return recipe;
}

// The recipe, where what it takes is told and there is enough of it.
Recipe fitting(const Recipe& recipe, int threads, int64_t memory, const Log& log) {
  const int64_t limit = memory_limit(memory);
  check_memory(recipe, threads, limit);
  log(memory_text(training_memory(recipe, threads)) + "; " + size_text(limit) +
      (memory == limit ? " are allowed" : " are free"));
  return recipe;
}

// What the reports of a run are compared by: the share of scenes that survive the codec, or the
// mean of what is right of each stream. Nothing where nobody judges.
std::optional<double> worth_of(const Figures& figures) {
  if (const auto exact = figures.find("scene_exact"); exact != figures.end()) return exact->second;
  double sum = 0, count = 0;
  for (const auto& [name, value] : figures) {
    if (!name.ends_with("_right")) continue;
    sum += value;
    ++count;
  }
  return count == 0 ? std::nullopt : std::optional(sum / count);
}

// One run in progress.
class Run {
 public:
  Run(const fs::path& dir, const Log& log, int threads, int64_t memory)
      : dir_(dir),
        log_(log),
        shards_(threads),
        recipe_(fitting(recipe_of(dir), shards_.count(), memory, log)),
        task_(make_task(recipe_)),
        weights_(learners(*task_)),
        trained_(trainable(recipe_, *task_)),
        optimizer_(recipe_, trained_) {
    if (const auto newest = newest_checkpoint(dir_)) {
      step_ = load_checkpoint(*newest, weights_, state()).step;
      log_("resuming " + dir_.string() + " after step " + std::to_string(step_));
    }
    best_ = best_checkpoint(dir_);
    journal_.emplace(dir_, step_, recipe_.log.tensorboard);
  }

  Ended loop(const std::function<bool()>& stop) {
    task_->open_data(dir_);
    measure_peak();
    task_->start(step_);
    begin_window();
    while (step_ < recipe_.schedule.steps) {
      one_step();
      const bool last = step_ == recipe_.schedule.steps;
      if (step_ % recipe_.log.every == 0 || last) tell();
      const bool stopping = !last && stop();
      bool best = false;
      if (recipe_.eval.every > 0 && !stopping && (step_ % recipe_.eval.every == 0 || last)) {
        best = evaluate();
      }
      if (step_ % recipe_.checkpoint.every == 0 || last || stopping || best) save();
      if (best) mark_best(dir_, *best_);
      if (stopping) return Ended::stopped;
    }
    return Ended::finished;
  }

  void save() {
    save_checkpoint(dir_, {step_, recipe_.seed}, weights_, state(), recipe_.checkpoint.keep);
  }

 private:
  NamedTensors state() const {
    NamedTensors all = optimizer_.state();
    for (const auto& [name, tensor] : task_->state()) all["task." + name] = tensor;
    for (const auto& [name, tensor] : task_->helpers()) all["helper." + name] = tensor;
    return all;
  }

  // What a step's share is a share of. Also a way to find a library of products that was not made
  // for this machine.
  void measure_peak() {
    constexpr double slow = 20e9;  // operations a second of a core
    constexpr double long_enough = 0.3;
    peak_ = product_peak(shards_, recipe_.precision, long_enough);
    std::ostringstream line;
    line << "products in " << recipe_.precision << " on " << shards_.count()
         << (shards_.count() == 1 ? " thread" : " threads") << ": " << short_number(peak_ / 1e9)
         << " GFLOP/s at most, measured; steps tell their share of it";
    if (peak_ < slow * shards_.count()) {
      line << "; that is slow: is libtorch built with a library of products for this machine?";
    }
    log_(line.str());
  }

  void one_step() {
    const double lr = learning_rate(recipe_, step_);
    optimizer_.zero_grad();
    Figures figures;
    task_->next();
    window_work_ += task_->work();
    for (int64_t pass = 0; pass < recipe_.batch.accumulate; ++pass) one_pass(pass, figures);
    const double norm = optimizer_.step(lr, shards_);
    if (std::isfinite(norm)) {
      task_->after(step_, optimizer_, figures);
      for (const auto& [name, value] : figures) {
        sums_[name].first += value;
        sums_[name].second += 1;
      }
      skipped_in_a_row_ = 0;
    } else {
      skip();
    }
    norm_ = norm;
    lr_ = lr;
    ++step_;
    ++window_steps_;
  }

  // Nothing has moved: the step is lost, and the run with it where there is no end of that.
  void skip() {
    ++skipped_;
    ++skipped_in_a_row_;
    const std::string where =
        where_not_finite(*task_, step_, recipe_.batch.accumulate, recipe_.batch.micro, trained_);
    log_("step " + std::to_string(step_ + 1) + " is skipped: not finite is " + where);
    check(skipped_in_a_row_ < kMostSkipped, Code::bad_input, "step ", step_ + 1, ": ", kMostSkipped,
          " steps in a row had gradients that are not finite, the last one ", where,
          ". A smaller optim.lr is the usual cure; checkpoints before them are kept");
  }

  // Adds the gradients of a pass to those of the parameters, shard after shard, so that the
  // sum does not depend on which thread was first.
  void one_pass(int64_t pass, Figures& figures) {
    const auto count = static_cast<size_t>(shards_.count());
    std::vector<torch::Tensor> inputs;
    for (const auto& [name, weight] : trained_) inputs.push_back(weight);
    std::vector<torch::autograd::variable_list> grads(count);
    std::vector<Figures> parts(count);
    shards_.run([&](int shard) {
      const auto i = static_cast<size_t>(shard);
      const torch::Tensor loss = task_->loss(step_, pass, shard, shards_.count(), parts[i]);
      grads[i] = torch::autograd::grad({loss}, inputs, {}, std::nullopt, false, true);
    });
    for (const Figures& part : parts) {
      for (const auto& [name, value] : part) figures[name] += value;
    }
    share_out(shards_, inputs, [&](size_t k) { add_gradients(inputs[k], grads, k); });
  }

  static void add_gradients(torch::Tensor& weight,
                            std::vector<torch::autograd::variable_list>& grads, size_t k) {
    torch::Tensor& sum = weight.mutable_grad();
    for (torch::autograd::variable_list& part : grads) {
      if (!part[k].defined()) continue;
      const torch::Tensor grad = part[k].contiguous();  // the optimizer walks flat memory
      part[k].reset();
      sum.defined() ? sum.add_(grad) : sum = grad;
    }
  }

  void tell() {
    const double seconds = seconds_since(window_);
    // Others may have been at work when it was measured first.
    peak_ = std::max(peak_, product_peak(shards_, recipe_.precision, 0));
    const double rate =
        static_cast<double>(window_steps_ * recipe_.batch.micro * recipe_.batch.accumulate) /
        seconds;
    const double positions = static_cast<double>(window_work_.positions) / seconds;
    const double share = window_work_.operations / seconds / peak_;
    Figures figures = {{"lr", lr_},
                       {"grad_norm", norm_},
                       {"samples_per_s", rate},
                       {"positions_per_s", positions},
                       {"peak_share", share},
                       {"skipped", static_cast<double>(skipped_)},
                       {"broken_rows", static_cast<double>(task_->broken_rows())}};
    std::ostringstream line;
    line << "step " << step_ << "/" << recipe_.schedule.steps;
    for (const auto& [name, sum] : sums_) {
      const double mean = sum.first / sum.second;
      figures[name] = mean;
      line << "  " << name << " " << short_number(mean);
    }
    const double left = seconds / static_cast<double>(window_steps_) *
                        static_cast<double>(recipe_.schedule.steps - step_);
    line << "  norm " << short_number(norm_) << "  " << short_number(rate) << " samples/s  "
         << short_number(positions) << " positions/s  " << short_number(100 * share)
         << " % of peak  " << static_cast<int64_t>(left / 60) << " min left";
    if (task_->broken_rows() > 0) line << "  " << task_->broken_rows() << " broken rows";
    journal_->progress(step_, figures);
    log_(line.str());
    sums_.clear();
    begin_window();
  }

  void begin_window() {
    window_ = Clock::now();
    window_steps_ = 0;
    window_work_ = {};
  }

  // Whether this is the best so far.
  bool evaluate() {
    const auto start = Clock::now();
    optimizer_.swap_average();
    const Evaluation all = task_->evaluate(Split::val, dir_, std::to_string(step_), shards_);
    optimizer_.swap_average();
    std::ostringstream line;
    line << "val at step " << step_ << ":";
    for (const auto& [name, value] : all.figures) {
      line << "  " << name << " " << short_number(value);
    }
    line << "  (" << short_number(seconds_since(start)) << " s)";
    journal_->report(step_, all);
    log_(line.str());
    begin_window();
    const auto worth = worth_of(all.figures);
    if (!worth || (best_ && best_->worth >= *worth)) return false;
    best_ = {step_, *worth};
    return true;
  }

  fs::path dir_;
  const Log& log_;
  Shards shards_;
  Recipe recipe_;
  std::unique_ptr<Task> task_;
  NamedTensors weights_, trained_;
  Optimizer optimizer_;
  std::optional<Journal> journal_;
  std::optional<Best> best_;
  int64_t step_ = 0;  // steps done
  int64_t skipped_ = 0, skipped_in_a_row_ = 0;
  double norm_ = 0, lr_ = 0;
  std::map<std::string, std::pair<double, double>> sums_;  // since the last report
  Clock::time_point window_;
  int64_t window_steps_ = 0;
  StepWork window_work_;
  double peak_ = 0;  // operations a second
};

}  // namespace

Ended train(const fs::path& run, int threads, const Log& log, const std::function<bool()>& stop,
            int64_t memory) {
  return Run(run, log, threads, memory).loop(stop);
}

void export_run(const fs::path& run, const fs::path& dir, bool bf16, bool best, const Log& log) {
  const auto chosen = best ? checkpoint_of(run, best_checkpoint(run)) : newest_checkpoint(run);
  check(chosen.has_value(), Code::bad_input, run.string(), " holds no checkpoint yet",
        best ? " that a report called the best; `eval.every` has reports, without --best the "
               "newest is taken"
             : "");
  const Recipe recipe = recipe_of(run);
  const std::unique_ptr<Task> task = make_task(recipe);
  const NamedTensors weights = learners(*task);
  Optimizer optimizer(recipe, trainable(recipe, *task));
  NamedTensors state = optimizer.state();
  for (const auto& [name, tensor] : task->state()) state["task." + name] = tensor;
  for (const auto& [name, tensor] : task->helpers()) state["helper." + name] = tensor;
  const int64_t step = load_checkpoint(*chosen, weights, state).step;
  optimizer.swap_average();
  if (recipe.lora.rank > 0) {
    save_adapter(dir, recipe, recipe.model.init, weights, bf16);
    log("exported the adapter of " + run.string() + " after step " + std::to_string(step));
    return;
  }
  const std::string tokenizer = recipe.trains_codec() ? "" : recipe_tokenizer_json(recipe);
  ProcessorConfig processor = recipe.model.processor;
  processor.guidance = static_cast<float>(recipe.eval.guidance);
  write_checkpoint(dir, recipe.model.config, processor, tokenizer, weights, bf16);
  log("exported " + run.string() + " after step " + std::to_string(step));
}

std::map<std::string, double> score(const fs::path& model, Split split, int64_t samples,
                                    std::optional<double> guidance, const fs::path& pictures,
                                    int threads, std::span<const std::string> streams) {
  const Start start = start_of(model);
  Recipe recipe;
  recipe.model.init = model.string();
  recipe.model.config = start.config;
  recipe.model.processor = start.processor;
  recipe.eval.samples = samples;
  recipe.eval.guidance = guidance.value_or(start.processor.guidance.value_or(recipe.eval.guidance));
  std::error_code error;
  fs::create_directories(pictures, error);
  check(!error, Code::device_failure, pictures.string(), ": ", error.message());
  Shards shards(threads);
  for (const std::string& stream : streams) {
    const auto draws = drawing_streams();
    const bool drawn = std::find(draws.begin(), draws.end(), stream) != draws.end();
    Source source;
    source.task = drawn ? Teaches::generate : Teaches::understand;
    source.stream = stream;
    recipe.data.push_back(source);
  }
  Figures figures = make_language_task(recipe)->evaluate(split, pictures, "score", shards).figures;
  recipe.data.resize(1);
  recipe.data[0].task = Teaches::reconstruct;
  recipe.data[0].stream = "few";
  for (const auto& [name, value] :
       make_codec_task(recipe)->evaluate(split, pictures, "score", shards).figures) {
    figures["codec_" + name] = value;
  }
  return figures;
}

std::string plan(const Recipe& recipe, int threads) {
  const std::unique_ptr<Task> task = make_task(recipe);
  task->open_data({});
  const NamedTensors chosen = trainable(recipe, *task);
  std::map<std::string, std::pair<int64_t, int64_t>> modules;  // trained, frozen parameters
  NamedTensors all = named_parameters(task->network());
  all.merge(task->adapter());
  for (const auto& [name, weight] : all) {
    const std::string inner = name.starts_with("model.") ? name.substr(6) : name;
    auto& counts = modules[inner.substr(0, inner.find('.'))];
    (chosen.count(name) ? counts.first : counts.second) += weight.numel();
  }
  std::ostringstream out;
  int64_t trained = 0, frozen = 0;
  for (const auto& [name, counts] : modules) {
    out << name << ": " << counts.first << " trained, " << counts.second << " frozen\n";
    trained += counts.first;
    frozen += counts.second;
  }
  out << "all: " << trained << " trained, " << frozen << " frozen\n"
      << memory_text(training_memory(recipe, threads)) << "\n"
      << recipe.schedule.steps << " steps of " << recipe.batch.micro * recipe.batch.accumulate
      << " samples\n";
  return out.str();
}

void begin_run(const fs::path& run, const std::string& recipe_toml) {
  check(!fs::exists(run / "recipe.toml"), Code::bad_input, run.string(),
        " holds a run already; `resume` continues it, another directory starts anew");
  std::error_code error;
  fs::create_directories(run, error);
  check(!error, Code::device_failure, run.string(), ": ", error.message());
  AtomicFile file(run / "recipe.toml");
  file.write(recipe_toml);
  file.commit();
}

}  // namespace janus::train
