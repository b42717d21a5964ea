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
#include "train/gradients.h"
#include "train/journal.h"
#include "train/lora.h"
#include "train/memory.h"
#include "train/not_finite.h"
#include "train/precision.h"
#include "train/setup.h"
#include "train/shards.h"
#include "train/start.h"
#include "train/task.h"
#include "train/together.h"
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
  Run(const fs::path& dir, const Log& log, int threads, int64_t memory, Processes& processes)
      : dir_(dir),
        log_(log),
        processes_(processes),
        shards_(threads),
        recipe_(fitting(begun(dir, processes), shards_.count(), memory, processes, log)),
        task_(make_task(recipe_, processes)),
        weights_(learners(*task_)),
        trained_(trainable(recipe_, *task_)),
        division_(processes.alone() ? std::nullopt : std::optional(division())),
        optimizer_(division_ ? Optimizer(recipe_, trained_, *division_, processes)
                             : Optimizer(recipe_, trained_)) {
    division_ ? gradients_.emplace(*division_, shards_, processes)
              : gradients_.emplace(trained_, shards_);
    go_on();
    best_ = best_checkpoint(dir_);
    if (processes_.leads()) journal_.emplace(dir_, step_, recipe_.log.tensorboard);
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
      const bool stopping = !last && processes_.any(stop());
      bool best = false;
      if (recipe_.eval.every > 0 && !stopping && (step_ % recipe_.eval.every == 0 || last)) {
        best = evaluate();
      }
      if (step_ % recipe_.checkpoint.every == 0 || last || stopping || best) save();
      if (best && processes_.leads()) mark_best(dir_, *best_);
      if (stopping) return Ended::stopped;
    }
    return Ended::finished;
  }

  void save() {
    KeptTensors state = optimizer_.state();
    if (processes_.leads()) {
      state.merge(kept(task_state(*task_)));
      save_checkpoint(dir_, {step_, recipe_.seed}, weights_, state, recipe_.checkpoint.keep);
    } else if (shares_state()) {
      for (const auto& [name, one] : state) one.whole();  // this one's part of it
    }
    saved_ = step_;
  }

  // Another process is gone: all that the last whole step made is here, unless that one kept a part
  // of the optimizer's state.
  void rescue() {
    if (shares_state()) {
      log_(
          "the optimizer's state was shared among processes (parallel.zero): the newest checkpoint "
          "stays as it is");
    } else if (processes_.leads() && step_ > saved_) {
      save();
      log_("saved what step " + std::to_string(step_) + " made");
    }
  }

 private:
  // What the first process makes of the run's folder is there for the others.
  static Recipe begun(const fs::path& dir, Processes& processes) {
    if (processes.alone()) return recipe_of(dir);
    std::optional<Recipe> recipe;
    if (processes.leads()) recipe = recipe_of(dir);
    processes.meet();
    check(processes.leads() || fs::exists(dir / "recipe.toml"), Code::bad_input, "process ",
          processes.rank(), " of ", processes.size(), " does not see ", dir.string(),
          ": the run must lie where all processes see it");
    if (!recipe) recipe = recipe_of(dir);
    processes.same(dir.string() + "/recipe.toml", read_text(dir / "recipe.toml"));
    return *recipe;
  }

  Division division() {
    std::vector<std::string> order;
    for (const auto& one : task_->network().named_parameters()) order.push_back(one.key());
    return divide(trained_, order, processes_.size(), recipe_.parallel.sharing);
  }

  bool shares_state() const { return division_ && division_->sharing != Sharing::none; }

  // From the newest checkpoint that the first process sees, or from the start.
  void go_on() {
    const auto newest = newest_checkpoint(dir_);
    const double mine = newest ? static_cast<double>(step_of(*newest)) : -1;
    const auto step = static_cast<int64_t>(processes_.from_first(mine));
    if (step < 0) {
      // The same numbers in all, whatever processors made them.
      torch::NoGradGuard off;
      for (auto& [name, weight] : named_parameters(task_->network())) share_weight(weight);
      for (auto& [name, weight] : trained_) share_weight(weight);
      return;
    }
    const auto seen = checkpoint_of(dir_, Best{step, 0});
    check(seen.has_value(), Code::bad_input, "process ", processes_.rank(), " of ",
          processes_.size(), " does not see the checkpoint of step ", step, " in ", dir_.string());
    step_ = saved_ = load_checkpoint(*seen, weights_, optimizer_, task_state(*task_)).step;
    log_("resuming " + dir_.string() + " after step " + std::to_string(step_));
  }

  void share_weight(torch::Tensor& weight) {
    if (processes_.alone()) return;
    torch::Tensor values = weight.detach();
    processes_.from_first(values);
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
    gradients_->begin();
    Figures figures;
    task_->next();
    window_work_ += task_->work();
    for (int64_t pass = 0; pass < recipe_.batch.accumulate; ++pass) one_pass(pass, figures);
    task_->meet(step_);
    const double norm = optimizer_.step(lr, gradients_->result(), shards_);
    if (std::isfinite(norm)) {
      task_->after(step_, optimizer_, figures);
      for (const auto& [name, value] : figures) {
        sums_[name].sum += value;
        sums_[name].steps.insert(step_);
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
    const std::string where = where_not_finite();
    log_("step " + std::to_string(step_ + 1) + " is skipped: not finite is " + where);
    check(skipped_in_a_row_ < kMostSkipped, Code::bad_input, "step ", step_ + 1, ": ", kMostSkipped,
          " steps in a row had gradients that are not finite, the last one ", where,
          ". A smaller optim.lr is the usual cure; checkpoints before them are kept");
  }

  std::string where_not_finite() {
    const auto first = [](const std::vector<std::string>& texts, const std::string& none) {
      const auto found =
          std::ranges::find_if(texts, [](const auto& text) { return !text.empty(); });
      return found == texts.end() ? none : *found;
    };
    const std::string name = first(processes_.texts(gradients_->not_finite()), "");
    const std::string samples = samples_not_finite(
        *task_, step_, recipe_.batch.accumulate, recipe_.batch.micro / processes_.size(), trained_);
    const std::string from = first(processes_.texts(samples), "");
    return (name.empty() ? "the sum of all gradients' squares" : "the gradient of " + name) +
           (from.empty() ? "; each sample by itself gives finite ones" : ", " + from);
  }

  void one_pass(int64_t pass, Figures& figures) {
    std::vector<Figures> parts(static_cast<size_t>(shards_.count()));
    gradients_->add(pass + 1 == recipe_.batch.accumulate, [&](int shard) {
      return task_->loss(step_, pass, shard, shards_.count(), parts[static_cast<size_t>(shard)]);
    });
    for (const Figures& part : parts) {
      for (const auto& [name, value] : part) figures[name] += value;
    }
  }

  void tell() {
    const double seconds = seconds_since(window_);
    // Others may have been at work when it was measured first.
    peak_ = std::max(peak_, product_peak(shards_, recipe_.precision, 0));
    // Of all processes from here on.
    const FigureSums sums = add_up(processes_, sums_);
    std::vector<double> work = {static_cast<double>(window_work_.positions),
                                window_work_.operations, peak_};
    processes_.sum(work);
    const double rate =
        static_cast<double>(window_steps_ * recipe_.batch.micro * recipe_.batch.accumulate) /
        seconds;
    const double positions = work[0] / seconds;
    const double share = work[1] / seconds / work[2];
    Figures figures = {{"lr", lr_},
                       {"grad_norm", norm_},
                       {"samples_per_s", rate},
                       {"positions_per_s", positions},
                       {"peak_share", share},
                       {"skipped", static_cast<double>(skipped_)},
                       {"broken_rows", static_cast<double>(task_->broken_rows())}};
    if (!processes_.alone()) {
      figures["sent_mb"] = static_cast<double>(processes_.sent() - window_sent_) / 1e6 /
                           static_cast<double>(window_steps_);  // a step, by the first process
    }
    std::ostringstream line;
    line << "step " << step_ << "/" << recipe_.schedule.steps;
    for (const auto& [name, figure] : sums) {
      const double mean = figure.sum / static_cast<double>(figure.steps.size());
      figures[name] = mean;
      line << "  " << name << " " << short_number(mean);
    }
    const double left = seconds / static_cast<double>(window_steps_) *
                        static_cast<double>(recipe_.schedule.steps - step_);
    line << "  norm " << short_number(norm_) << "  " << short_number(rate) << " samples/s  "
         << short_number(positions) << " positions/s  " << short_number(100 * share)
         << " % of peak  " << static_cast<int64_t>(left / 60) << " min left";
    if (task_->broken_rows() > 0) line << "  " << task_->broken_rows() << " broken rows";
    if (journal_) journal_->progress(step_, figures);
    log_(line.str());
    sums_.clear();
    begin_window();
  }

  void begin_window() {
    window_ = Clock::now();
    window_steps_ = 0;
    window_work_ = {};
    window_sent_ = processes_.sent();
  }

  // Whether this is the best so far. The first process reports, the others wait for it.
  bool evaluate() {
    const auto start = Clock::now();
    optimizer_.swap_average();
    Evaluation all;
    if (processes_.leads()) {
      all = task_->evaluate(Split::val, dir_, std::to_string(step_), shards_);
    }
    processes_.meet();
    optimizer_.swap_average();
    const bool best = processes_.leads() && report(all, seconds_since(start));
    begin_window();
    return processes_.any(best);
  }

  bool report(const Evaluation& all, double seconds) {
    std::ostringstream line;
    line << "val at step " << step_ << ":";
    for (const auto& [name, value] : all.figures) {
      line << "  " << name << " " << short_number(value);
    }
    line << "  (" << short_number(seconds) << " s)";
    journal_->report(step_, all);
    log_(line.str());
    const auto worth = worth_of(all.figures);
    if (!worth || (best_ && best_->worth >= *worth)) return false;
    best_ = {step_, *worth};
    return true;
  }

  fs::path dir_;
  const Log& log_;
  Processes& processes_;
  Shards shards_;
  Recipe recipe_;
  std::unique_ptr<Task> task_;
  NamedTensors weights_, trained_;
  std::optional<Division> division_;  // of many processes
  Optimizer optimizer_;
  std::optional<Gradients> gradients_;
  std::optional<Journal> journal_;
  std::optional<Best> best_;
  int64_t step_ = 0, saved_ = 0;  // steps done, and in the newest checkpoint
  int64_t skipped_ = 0, skipped_in_a_row_ = 0;
  double norm_ = 0, lr_ = 0;
  FigureSums sums_;  // since the last report
  Clock::time_point window_;
  int64_t window_steps_ = 0;
  StepWork window_work_;
  int64_t window_sent_ = 0;
  double peak_ = 0;  // operations a second
};

}  // namespace

Ended train(const fs::path& run, int threads, const Log& log, const std::function<bool()>& stop,
            int64_t memory) {
  Processes alone;
  return train(run, threads, log, stop, memory, alone);
}

Ended train(const fs::path& run, int threads, const Log& log, const std::function<bool()>& stop,
            int64_t memory, Processes& processes) {
  const Log told = processes.leads() ? log : [](const std::string&) {};
  Run current(run, told, threads, memory, processes);
  try {
    const Ended ended = current.loop(stop);
    processes.part();
    return ended;
  } catch (const Deserted&) {
    current.rescue();
    throw;
  } catch (const std::exception& error) {
    processes.leave(error.what());  // before anything waits here for what others would do
    throw;
  }
}

void export_run(const fs::path& run, const fs::path& dir, bool bf16, bool best, const Log& log) {
  const auto chosen = best ? checkpoint_of(run, best_checkpoint(run)) : newest_checkpoint(run);
  check(chosen.has_value(), Code::bad_input, run.string(), " holds no checkpoint yet",
        best ? " that a report called the best; `eval.every` has reports, without --best the "
               "newest is taken"
             : "");
  const Recipe recipe = recipe_of(run);
  Processes alone;
  const std::unique_ptr<Task> task = make_task(recipe, alone);
  const NamedTensors weights = learners(*task);
  Optimizer optimizer(recipe, trainable(recipe, *task));
  const int64_t step = load_checkpoint(*chosen, weights, optimizer, task_state(*task)).step;
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
  Processes alone;
  Figures figures =
      make_language_task(recipe, alone)->evaluate(split, pictures, "score", shards).figures;
  recipe.data.resize(1);
  recipe.data[0].task = Teaches::reconstruct;
  recipe.data[0].stream = "few";
  for (const auto& [name, value] :
       make_codec_task(recipe, alone)->evaluate(split, pictures, "score", shards).figures) {
    figures["codec_" + name] = value;
  }
  return figures;
}

std::string plan(const Recipe& recipe, int threads) {
  Processes alone;
  const std::unique_ptr<Task> task = make_task(recipe, alone);
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
