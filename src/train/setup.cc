// See setup.h. SPDX-License-Identifier: MIT
#include "train/setup.h"

#include "base/error.h"
#include "base/free_memory.h"
#include "io/file.h"
#include "train/checkpoint.h"
#include "train/memory.h"
#include "train/stage.h"
#include "train/start.h"
#include "train/vocabulary.h"

namespace janus::train {

namespace fs = std::filesystem;

std::unique_ptr<Task> make_task(const Recipe& recipe, Processes& processes) {
  torch::manual_seed(recipe.seed);
  return recipe.trains_codec() ? make_codec_task(recipe, processes)
                               : make_language_task(recipe, processes);
}

NamedTensors learners(Task& task) {
  const NamedTensors adapter = task.adapter();
  return adapter.empty() ? named_parameters(task.network()) : adapter;
}

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

NamedTensors task_state(Task& task) {
  NamedTensors all;
  for (const auto& [name, tensor] : task.state()) all["task." + name] = tensor;
  for (const auto& [name, tensor] : task.helpers()) all["helper." + name] = tensor;
  return all;
}

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

void check_processes(const Recipe& recipe, int processes) {
  check(recipe.batch.micro % processes == 0, Code::bad_input, "batch.micro = ", recipe.batch.micro,
        ": the rows of a pass are shared among ", processes,
        " processes, which do not divide them; take another number of either");
}

Recipe fitting(const Recipe& recipe, int threads, int64_t memory, const Processes& processes,
               const Log& log) {
  check_processes(recipe, processes.size());
  const int64_t limit = memory_limit(memory, processes.local_size());
  check_memory(recipe, threads, limit, processes.size());
  log(memory_text(training_memory(recipe, threads, processes.size())) +
      (processes.alone() ? "" : " in each of " + std::to_string(processes.size()) + " processes") +
      "; " + size_text(limit) + (memory == limit ? " are allowed" : " are free"));
  return recipe;
}

}  // namespace janus::train
