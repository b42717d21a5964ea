// What a run begins with: its recipe as the run keeps it, what is trained, and which of its
// parameters. SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>

#include "base/log.h"
#include "train/recipe.h"
#include "train/task.h"

namespace janus::train {

std::unique_ptr<Task> make_task(const Recipe& recipe, Processes& processes);

// What a run changes and keeps: the network, or an adapter of it.
NamedTensors learners(Task& task);

// Parameters the recipe trains; the others stop asking for gradients.
NamedTensors trainable(const Recipe& recipe, Task& task);

// What a checkpoint holds of a task besides weights.
NamedTensors task_state(Task& task);

// The recipe kept in a run. What the run holds by now replaces what it started from, so that it
// goes on when the starting checkpoint is gone; an adapter alone needs it as long as it is trained.
Recipe recipe_of(const std::filesystem::path& run);

// Throws Code::bad_input where so many processes cannot have as many rows of a pass each.
void check_processes(const Recipe& recipe, int processes);

// The recipe, where what it takes is told and there is enough of it.
Recipe fitting(const Recipe& recipe, int threads, int64_t memory, const Processes& processes,
               const Log& log);

}  // namespace janus::train
