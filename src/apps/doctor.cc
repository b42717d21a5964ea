// `januspro doctor`: whether this machine, this program and a model work together: processor,
// memory, model, pulled models, and a few operations against `ref`. SPDX-License-Identifier: MIT
#include <fstream>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <span>

#include "apps/command.h"
#include "apps/hub_options.h"
#include "apps/self_test.h"
#include "base/cpu.h"
#include "base/error.h"
#include "base/free_memory.h"
#include "hub/cache.h"
#include "hub/models.h"
#include "io/tokenizer.h"
#include "kernels/open.h"
#include "model/checkpoint_check.h"
#include "model/weight_names.h"

namespace janus {

namespace {

// The value behind "name:" in a file of such lines; "" where it is not there.
std::string value_in(const char* file, const std::string& name) {
  std::ifstream lines(file);
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with(name)) continue;
    const size_t begin = line.find_first_not_of(" \t", line.find(':') + 1);
    return begin == line.npos ? "" : line.substr(begin);
  }
  return "";
}

std::string memory() {
  const std::optional<int64_t> free = free_memory();
  return free ? size_text(*free) + " free" : "how much is free is not said by this system";
}

class DoctorVerb {
 public:
  DoctorVerb(CLI::App& app, const Interrupt& interrupt);
  void run();

 private:
  void check_one(const char* name, const std::function<std::string()>& look);
  std::string processor() const;
  std::string model();
  std::string room() const;
  std::string pulled() const;
  std::string operations() const;

  const Interrupt& interrupt_;
  ModelFlags flags_;
  bool json_ = false;
  std::string wrong_;  // names of what is
  Parts parts_;        // of the model
  bool found_ = false;
};

DoctorVerb::DoctorVerb(CLI::App& app, const Interrupt& interrupt) : interrupt_(interrupt) {
  flags_.add_model(app);
  flags_.add_backend(app);
  app.add_flag("--json", json_, "One JSON object a check");
  app.footer(
      "The exit code is 1 if anything is wrong. Weights are not read: what is said of the model "
      "is\n"
      "that its files are there, whole and of one size.\n\n"
      "Example:\n  januspro doctor");
}

// One line: what `look` says, or why it throws.
void DoctorVerb::check_one(const char* name, const std::function<std::string()>& look) {
  interrupt_.check();
  bool ok = true;
  std::string detail;
  try {
    detail = look();
  } catch (const Error& error) {
    ok = false;
    detail = error.what();
    wrong_ += (wrong_.empty() ? "" : ", ") + std::string(name);
  }
  if (json_) {
    return print(json_line({{"check", name}, {"ok", ok}, {"detail", detail}}));
  }
  std::string text = name;
  text.resize(12, ' ');
  print(text + (ok ? "ok     " : "wrong  ") + detail + "\n");
}

std::string DoctorVerb::processor() const {
  std::string levels;
  for (const std::string& level : available_isa_levels()) levels += level + " ";
  const auto backend = open_backend(flags_.backend_name(), flags_.threads, flags_.isa);
  const std::string name = value_in("/proc/cpuinfo", "model name");
  return (name.empty() ? "of an unknown name" : name) + "; has " + levels + "and computes by " +
         backend->name() + " in " + std::to_string(backend->threads()) + " threads, of " +
         std::to_string(usable_cores()) + " cores";
}

std::string DoctorVerb::model() {
  const Checkpoint checkpoint = flags_.checkpoint();
  const Config config = checkpoint.config();
  parts_ = checkpoint.parts();
  check_tensors(config, *checkpoint.source(), parts_);
  Tokenizer::parse(checkpoint.tokenizer_json(), checkpoint.tokenizer_name());
  checkpoint.processor();
  int64_t stored = 0;
  for (const auto& [name, tensor] : checkpoint.tensors()) stored += std::ssize(tensor.data);
  found_ = true;
  return checkpoint.name() + ": " + size_text(stored) + ", " +
         (parts_.draws() ? "reads and draws" : "reads") + ", " +
         std::to_string(config.llama.layers) + " layers of width " +
         std::to_string(config.llama.width);
}

// What the lightest use of the model takes, as draw and ask would hold it.
std::string DoctorVerb::room() const {
  if (!found_) return "no model to be asked for";
  EngineOptions options = flags_.options(interrupt_, true);
  options.halves = parts_.draws() ? "draw" : "read";
  const DrawRequest drawing{.prompt = "a red ball"};
  const AskRequest question{.messages = {{"user", "What is this?", {}}}};
  const MemoryPlan plan = parts_.draws() ? Engine::plan(options, std::span(&drawing, 1))
                                         : Engine::plan(options, question);
  check(plan.fits(), Code::out_of_memory, plan.refusal);
  return "the model and " + std::string(parts_.draws() ? "one picture" : "an answer") + " take " +
         size_text(plan.total());
}

std::string DoctorVerb::pulled() const {
  const Cache cache(hub_options().cache);
  size_t whole = 0, lacking = 0;
  for (const CachedModel& model : list_models(cache)) {
    for (const CachedRevision& revision : model.revisions) {
      ++(revision.missing.empty() ? whole : lacking);
    }
  }
  return std::to_string(whole) + " revisions in " + cache.root().string() +
         (lacking > 0 ? ", and " + std::to_string(lacking) + " incomplete: see januspro list" : "");
}

// Every level of this machine, each once: JANUSPRO_ISA may cap them.
std::string DoctorVerb::operations() const {
  const auto ref = open_backend("ref", 1);
  std::set<std::string> tested;
  std::string names, wrong;
  size_t count = 0;
  for (const std::string& level : available_isa_levels()) {
    const auto backend = open_backend("cpu", flags_.threads, level);
    if (!tested.insert(backend->name()).second) continue;
    names += (names.empty() ? "" : ", ") + backend->name();
    const std::vector<OperationResult> results = self_test(*backend, *ref);
    count = results.size();
    for (const OperationResult& result : results) {
      if (result.ok) continue;
      wrong += (wrong.empty() ? "" : ", ") + backend->name() + " " + result.operation;
    }
  }
  check(wrong.empty(), Code::device_failure, "these do not compute what ref does: ", wrong,
        "; the processor may be faulty: try --isa base, or JANUSPRO_ISA=base");
  return std::to_string(count) + " operations of " + names + " agree with ref";
}

void DoctorVerb::run() {
  check_one("program", [] { return "januspro " + version(); });
  check_one("processor", [&] { return processor(); });
  check_one("memory", [] { return memory(); });
  check_one("model", [&] { return model(); });
  check_one("room", [&] { return room(); });
  check_one("pulled", [&] { return pulled(); });
  check_one("self-test", [&] { return operations(); });
  check(wrong_.empty(), Code::bad_input, "doctor: not in order: ", wrong_);
}

}  // namespace

Run add_doctor(CLI::App& app, const Interrupt& interrupt) {
  const auto verb = std::make_shared<DoctorVerb>(app, interrupt);
  return [verb] { verb->run(); };
}

}  // namespace janus
