// The training program: start, resume, export, report, a look at data, the loss of a model on given
// rows. Results go to stdout, progress to stderr. The work itself is in train/.
// SPDX-License-Identifier: MIT
#include <algorithm>
#include <atomic>
#include <cmath>
#include <csignal>
#include <cstdlib>
#include <iostream>
#include <optional>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "apps/hub_options.h"
#include "apps/januspro_train_check.h"
#include "base/error.h"
#include "base/heap.h"
#include "io/file.h"
#include "train/launcher.h"
#include "train/memory.h"
#include "train/precision.h"
#include "train/processes.h"
#include "train/rows.h"
#include "train/run.h"
#include "train/run_report.h"
#include "train/setup.h"
#include "train/shards.h"
#include "world/streams.h"

namespace {

namespace fs = std::filesystem;
using janus::train::Deserted;
using janus::train::Ended;
using janus::train::Processes;

void print_line(const std::string& line) { std::cerr << line << std::endl; }

// Waits for SIGTERM and SIGINT on a thread of its own; they must be blocked in every other.
class StopSignal {
 public:
  StopSignal() {
    sigemptyset(&signals_);
    for (const int number : {SIGTERM, SIGINT, SIGUSR1}) sigaddset(&signals_, number);
    pthread_sigmask(SIG_BLOCK, &signals_, nullptr);
    waiter_ = std::thread([this] {
      int number = 0;
      sigwait(&signals_, &number);
      raised_ = number;
    });
  }
  ~StopSignal() {
    pthread_kill(waiter_.native_handle(), SIGUSR1);
    waiter_.join();
  }
  StopSignal(const StopSignal&) = delete;
  StopSignal& operator=(const StopSignal&) = delete;
  int raised() const { return raised_; }

 private:
  sigset_t signals_{};
  std::atomic<int> raised_ = 0;
  std::thread waiter_;
};

// What a launcher has set, if one has.
std::optional<std::string> variable(const std::string& name) {
  const char* value = std::getenv(name.c_str());
  return value ? std::optional<std::string>(value) : std::nullopt;
}

int go(const fs::path& run, int threads, int64_t memory, Processes& processes,
       const StopSignal& signal) {
  const Ended ended = janus::train::train(
      run, threads, print_line, [&signal] { return signal.raised() != 0; }, memory, processes);
  if (!processes.leads()) return 0;
  if (ended == Ended::stopped) {
    print_line("stopped; `januspro-train resume " + run.string() + "` continues");
    return 0;
  }
  std::cout << run.string() << std::endl;
  return 0;
}

struct Arguments {
  std::string recipe, run, out, model, data, gradients;
  std::vector<std::string> overrides;
  int threads = 0;
  int64_t memory = 0;  // bytes; 0: what is free
  std::string type = "f32";
  bool dry_run = false;
  bool json = false;
  bool best = false;
  int64_t samples = 200;
  std::optional<double> guidance;
  std::string split = "test";
  std::vector<std::string> streams = {"single", "short"};
  janus::CheckArguments check;
};

int print_losses(const Arguments& a) {
  janus::train::row_losses(janus::checkpoint_path(a.model), a.data, a.gradients, print_line,
                           [&a](const janus::train::RowLoss& loss) {
                             if (a.json) {
                               std::cout << nlohmann::ordered_json({{"row", loss.row},
                                                                    {"task", loss.task},
                                                                    {"targets", loss.targets},
                                                                    {"loss_sum", loss.sum}})
                                                .dump()
                                         << std::endl;
                             } else {
                               std::cout << loss.row << "  " << loss.task << "  " << loss.targets
                                         << " targets  "
                                         << loss.sum / static_cast<double>(loss.targets)
                                         << " a target" << std::endl;
                             }
                           });
  return 0;
}

int print_scores(const Arguments& a) {
  const janus::Split split = a.split == "val" ? janus::Split::val : janus::Split::test;
  const auto scores = janus::train::score(janus::checkpoint_path(a.model), split, a.samples,
                                          a.guidance, a.out, a.threads, a.streams);
  if (a.json) {
    std::cout << nlohmann::ordered_json(scores).dump() << std::endl;
    return 0;
  }
  for (const auto& [name, value] : scores) std::cout << name << "  " << value << std::endl;
  return 0;
}

int write_report(const Arguments& a) {
  const fs::path file = a.out.empty() ? fs::path(a.run) / "report.html" : fs::path(a.out);
  janus::AtomicFile out(file);
  out.write(janus::train::run_report(a.run));
  out.commit();
  std::cout << file.string() << std::endl;
  return 0;
}

void add_memory(CLI::App& app, Arguments& a) {
  app.add_option("--memory", a.memory,
                 "the most memory to take, as 6G or 800M (default, and never more: what is free)")
      ->transform(CLI::AsSizeValue(true))
      ->type_name("SIZE");
}

void add_score(CLI::App& app, Arguments& a) {
  CLI::App* score =
      app.add_subcommand("score", "scores of a model on samples of the world it has not seen");
  score->fallthrough();
  score
      ->add_option("-m,--model", a.model,
                   "checkpoint directory, or org/name[@revision] once pulled")
      ->required();
  score->add_option("-o,--out", a.out, "directory for contact sheets")->required();
  score->add_option("--samples", a.samples, "of each kind")->check(CLI::Range(1, 100000));
  score->add_option("--guidance", a.guidance, "of drawing (default: the checkpoint's own)");
  score->add_option("--split", a.split, "val, to choose by, or test")
      ->check(CLI::IsMember({"val", "test"}));
  std::vector<std::string> streams;
  for (const auto& names : {janus::drawing_streams(), janus::reading_streams()}) {
    streams.insert(streams.end(), names.begin(), names.end());
  }
  score->add_option("--streams", a.streams, "samples of these, by name (default: single,short)")
      ->delimiter(',')
      ->check(CLI::IsMember(streams));
  score->add_flag("--json", a.json, "one JSON object");
  score->footer("Example: januspro-train score -m models/toyland -o scores --samples 500");
}

std::string faster_precision() {
  const janus::train::ProductSpeeds speeds = janus::train::measure_products();
  std::ostringstream line;
  line << "precision " << speeds.faster() << ": products on one core, " << std::lround(speeds.f32)
       << " GFLOP/s in f32, " << std::lround(speeds.bf16) << " in bf16";
  print_line(line.str());
  return speeds.faster();
}

// The recipe into a run's folder, unless this is a dry run.
void begin(const Arguments& a, int threads, const Processes& processes) {
  const std::string text = janus::read_text(a.recipe);
  const auto recipe = janus::train::parse_recipe(text, a.recipe, a.overrides);
  janus::train::check_processes(recipe, processes.size());
  const int64_t limit = janus::train::memory_limit(a.memory, processes.local_size());
  janus::train::check_memory(recipe, threads, limit, processes.size());
  janus::check(!a.run.empty(), janus::Code::bad_input, "-o RUN is missing: where to train");
  if (!processes.leads()) return;
  std::vector<std::string> overrides = a.overrides;
  if (recipe.precision == "auto") overrides.push_back("precision=" + faster_precision());
  janus::train::begin_run(a.run, janus::train::merge_recipe(text, a.recipe, overrides));
}

int dry_run(const Arguments& a, int threads) {
  const auto recipe = janus::train::parse_recipe(janus::read_text(a.recipe), a.recipe, a.overrides);
  std::cout << janus::train::plan(recipe, threads);
  return 0;
}

// Begins or goes on, in this process or together with others.
int run_or_resume(const Arguments& a, bool begins, const StopSignal& signal) {
  if (begins && a.dry_run) return dry_run(a, janus::train::usable_threads(a.threads));
  const janus::train::Place place = janus::train::place_of(variable);
  const int threads = janus::train::usable_threads(a.threads, place.local_size);
  Processes processes(place, print_line);
  try {
    if (begins) begin(a, threads, processes);
    return go(a.run, threads, a.memory, processes, signal);
  } catch (const Deserted& what) {
    processes.explain(what);
  } catch (const std::exception& error) {
    processes.leave(error.what());
    throw;
  }
}

int dispatch(const CLI::App& app, const Arguments& a, const StopSignal& signal) {
  if (app.got_subcommand("run")) return run_or_resume(a, true, signal);
  if (app.got_subcommand("score")) return print_scores(a);
  if (app.got_subcommand("loss")) return print_losses(a);
  if (app.got_subcommand("report")) return write_report(a);
  if (app.got_subcommand("check")) return janus::check_data(a.check, a.threads);
  if (app.got_subcommand("resume")) return run_or_resume(a, false, signal);
  janus::train::export_run(a.run, a.out, a.type == "bf16", a.best, print_line);
  std::cout << a.out << std::endl;
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("januspro-train: trains checkpoints that januspro loads");
  app.require_subcommand(1);
  Arguments a;
  app.add_option("--threads", a.threads, "compute threads (default: all cores of this process)");
  CLI::App* run = app.add_subcommand("run", "train by a recipe");
  run->fallthrough();
  run->add_option("recipe", a.recipe, "the recipe, a TOML file")->required();
  run->add_option("-o,--out", a.run, "directory of the run");
  run->add_option("--set", a.overrides, "section.key=value, instead of what the recipe says");
  run->add_flag("--dry-run", a.dry_run, "print the plan and exit");
  add_memory(*run, a);
  run->footer("Example: januspro-train run recipes/codec.toml -o runs/codec");
  CLI::App* resume = app.add_subcommand("resume", "continue after the newest checkpoint");
  resume->fallthrough();
  resume->add_option("run", a.run, "directory of the run")->required();
  add_memory(*resume, a);
  resume->footer("Example: januspro-train resume runs/codec");
  CLI::App* report = app.add_subcommand("report", "a run's curves and samples as one HTML page");
  report->fallthrough();
  report->add_option("run", a.run, "directory of the run")->required();
  report->add_option("-o,--out", a.out, "file to write (default: RUN/report.html)");
  report->footer("Example: januspro-train report runs/codec");
  CLI::App* out = app.add_subcommand("export", "write the weights as a checkpoint directory");
  out->fallthrough();
  out->add_option("run", a.run, "directory of the run")->required();
  out->add_option("dir", a.out, "directory to write")->required();
  out->add_option("--type", a.type, "f32 or bf16")->check(CLI::IsMember({"f32", "bf16"}));
  out->add_flag("--best", a.best,
                "of the checkpoint that did best in the run's reports, not of the newest");
  out->footer("Example: januspro-train export runs/toyland models/toyland");
  CLI::App* loss = app.add_subcommand("loss", "the loss of a model on given rows, no training");
  loss->fallthrough();
  loss->add_option("-m,--model", a.model,
                   "checkpoint directory, .gguf, or org/name[@revision] once pulled")
      ->required();
  loss->add_option("data", a.data, "rows, one JSON object a line")->required();
  loss->add_flag("--json", a.json, "one JSON object a row");
  loss->add_option("--gradients", a.gradients,
                   "a .safetensors to write: the gradient of the sum of all losses by every "
                   "parameter but the codec's");
  loss->footer("Example: januspro-train loss -m models/toyland rows.jsonl --json");
  add_score(app, a);
  janus::add_check(app, a.check);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  try {
    janus::keep_freed_memory();
    const StopSignal signal;  // before any other thread starts
    return dispatch(app, a, signal);
  } catch (const std::exception& error) {
    std::cerr << "januspro-train: " << error.what() << std::endl;
    return 1;
  }
}
